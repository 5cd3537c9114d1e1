package mtls_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/mtls"
	"github.com/countersign-auth/countersign/passport/passporttest"
)

type user struct{ Name string }

// byName knows everybody but "stranger".
func byName(_ context.Context, c *x509.Certificate) (*user, bool, error) {
	return &user{c.Subject.CommonName}, c.Subject.CommonName != "stranger", nil
}

// site is a TLS server behind the strategy.
type site struct {
	*httptest.Server
	servers *authority
	ahead   atomic.Int64 // by how much the strategy's clock is
}

func serve(t *testing.T, clients *authority, auth tls.ClientAuthType) *site {
	t.Helper()
	s := &site{servers: newAuthority(t, time.Now().Add(time.Hour))}
	strategy, err := mtls.New(byName, mtls.Options{Now: func() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }})
	if err != nil {
		t.Fatal(err)
	}
	reg, err := passport.NewRegistry(passport.Named[*user]{Name: "mtls", Strategy: strategy})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := reg.Any(passport.Options[*user]{}, "mtls")
	if err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewUnstartedServer(guard.HandlerFunc(func(w http.ResponseWriter, r *http.Request, id passport.Identity[*user]) {
		fmt.Fprintf(w, "%s %t", id.User.Name, r.TLS.DidResume)
	}))
	s.TLS = &tls.Config{
		Certificates: []tls.Certificate{s.servers.issue(t, template("server", x509.ExtKeyUsageServerAuth))}, ClientAuth: auth, ClientCAs: clients.pool(),
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// client returns one that shows these certificates, whatever authorities the server names.
func (s *site) client(t *testing.T, certificates ...tls.Certificate) *http.Client {
	t.Helper()
	cfg := &tls.Config{RootCAs: s.servers.pool(), ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	if len(certificates) > 0 {
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificates[0], nil }
	}
	transport := &http.Transport{TLSClientConfig: cfg}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// ask returns the answer; a status of 0 stands for a handshake that fails.
func (s *site) ask(t *testing.T, c *http.Client) (status int, body string) {
	t.Helper()
	res, err := c.Get(s.URL)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	ours, others := newAuthority(t, time.Now().Add(2*time.Hour)), newAuthority(t, time.Now().Add(time.Hour))
	expired := template("alice", x509.ExtKeyUsageClientAuth)
	expired.NotAfter = time.Now().Add(-time.Minute)
	future := template("alice", x509.ExtKeyUsageClientAuth)
	future.NotBefore = time.Now().Add(time.Minute)
	for name, tt := range map[string]struct {
		certificate []tls.Certificate
		// What a server answers that verifies what it is shown, and one that only asks for it.
		verifying, asking int
	}{
		"good":        {[]tls.Certificate{ours.issue(t, template("alice", x509.ExtKeyUsageClientAuth))}, 200, 401},
		"both uses":   {[]tls.Certificate{ours.issue(t, template("alice", x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth))}, 200, 401},
		"stranger":    {[]tls.Certificate{ours.issue(t, template("stranger", x509.ExtKeyUsageClientAuth))}, 401, 401},
		"none":        {nil, 401, 401},
		"other CA":    {[]tls.Certificate{others.issue(t, template("alice", x509.ExtKeyUsageClientAuth))}, 0, 401},
		"self-signed": {[]tls.Certificate{selfSigned(t, template("alice", x509.ExtKeyUsageClientAuth))}, 0, 401},
		"expired":     {[]tls.Certificate{ours.issue(t, expired)}, 0, 401},
		"not yet":     {[]tls.Certificate{ours.issue(t, future)}, 0, 401},
		"of a server": {[]tls.Certificate{ours.issue(t, template("alice", x509.ExtKeyUsageServerAuth))}, 0, 401},
		"of no use":   {[]tls.Certificate{ours.issue(t, template("alice"))}, 401, 401}, // which crypto/tls takes for any
		"of any use":  {[]tls.Certificate{ours.issue(t, template("alice", x509.ExtKeyUsageAny))}, 401, 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for auth, want := range map[tls.ClientAuthType]int{tls.VerifyClientCertIfGiven: tt.verifying, tls.RequestClientCert: tt.asking} {
				s := serve(t, ours, auth)
				if got, body := s.ask(t, s.client(t, tt.certificate...)); got != want {
					t.Errorf("%v: %d %s, want %d", auth, got, body, want)
				}
			}
		})
	}
}

// TestConnectionOutlivesCertificate goes on using connections whose certificate, or that of whoever has signed it, has run out.
func TestConnectionOutlivesCertificate(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ authority, leaf time.Duration }{
		"the client's": {10 * time.Hour, 2 * time.Hour}, "the authority's": {2 * time.Hour, 10 * time.Hour},
	} {
		ours := newAuthority(t, time.Now().Add(tt.authority))
		of := template("alice", x509.ExtKeyUsageClientAuth)
		of.NotAfter = time.Now().Add(tt.leaf)
		s := serve(t, ours, tls.VerifyClientCertIfGiven)
		c := s.client(t, ours.issue(t, of))
		if status, body := s.ask(t, c); status != 200 || body != "alice false" {
			t.Fatalf("%s: %d %s", name, status, body)
		}
		s.ahead.Store(int64(3 * time.Hour))
		if status, body := s.ask(t, c); status != 401 {
			t.Errorf("%s has expired: %d %s", name, status, body)
		}
		s.ahead.Store(0)
		if status, body := s.ask(t, c); status != 200 {
			t.Errorf("%s again: %d %s", name, status, body)
		}
	}
}

// TestResumption is about connections that begin with the ticket of an earlier one, in whose handshake the client shows nothing.
func TestResumption(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t, time.Now().Add(2*time.Hour))
	for auth, want := range map[tls.ClientAuthType]string{tls.VerifyClientCertIfGiven: "alice true", tls.RequestClientCert: ""} {
		s := serve(t, ours, auth)
		c := s.client(t, ours.issue(t, template("alice", x509.ExtKeyUsageClientAuth)))
		var status int
		var body string
		for range 2 {
			status, body = s.ask(t, c)
			c.CloseIdleConnections()
		}
		if want == "" && status != 401 || want != "" && (status != 200 || body != want) {
			t.Errorf("%v: %d %s", auth, status, body)
		}
		s.ahead.Store(int64(3 * time.Hour))
		if status, body := s.ask(t, c); status != 401 {
			t.Errorf("%v, the certificate has expired: %d %s", auth, status, body)
		}
	}
}

// shown returns the request of a connection in which these certificates were shown, and verified if it has chains.
func shown(state *tls.ConnectionState) func() *http.Request {
	return func() *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.TLS = state
		return r
	}
}

func TestContract(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t, time.Now().Add(time.Hour))
	state := func(name string, usage x509.ExtKeyUsage, verified bool) *tls.ConnectionState {
		leaf := ours.issue(t, template(name, usage)).Leaf
		c := &tls.ConnectionState{HandshakeComplete: true, PeerCertificates: []*x509.Certificate{leaf}}
		if verified {
			c.VerifiedChains = [][]*x509.Certificate{{leaf, ours.certificate}}
		}
		return c
	}
	early := state("alice", x509.ExtKeyUsageClientAuth, true)
	early.HandshakeComplete = false
	empty := state("alice", x509.ExtKeyUsageClientAuth, false)
	empty.VerifiedChains = [][]*x509.Certificate{{}}
	of := func(load mtls.Load[*user]) func() (passport.Strategy[*user], error) {
		return func() (passport.Strategy[*user], error) { return mtls.New(load, mtls.Options{}) }
	}
	header := func(name string) func() *http.Request {
		return func() *http.Request {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set(name, "alice")
			return r
		}
	}
	passporttest.Run(t, passporttest.Suite[*user]{
		New: of(byName),
		Broken: of(func(context.Context, *x509.Certificate) (*user, bool, error) {
			return nil, false, errors.New("database is down")
		}),
		Hanging: of(func(ctx context.Context, _ *x509.Certificate) (*user, bool, error) {
			<-ctx.Done()
			return nil, false, ctx.Err()
		}),
		Valid: []passporttest.Valid[*user]{
			{Request: shown(state("alice", x509.ExtKeyUsageClientAuth, true)), User: &user{"alice"}},
			{Request: shown(state("bob", x509.ExtKeyUsageClientAuth, true)), User: &user{"bob"}},
		},
		Absent: []func() *http.Request{
			shown(nil), shown(&tls.ConnectionState{HandshakeComplete: true}), header("X-Client-Cert"), header("Client-Cert"), header("X-SSL-Client-S-DN"),
		},
		Refused: []func() *http.Request{
			shown(state("alice", x509.ExtKeyUsageClientAuth, false)), shown(state("alice", x509.ExtKeyUsageServerAuth, true)),
			shown(state("stranger", x509.ExtKeyUsageClientAuth, true)), shown(early), shown(empty),
		},
		// A connection has one certificate. What comes closest to two is a second one that nobody has verified.
		Twice:   []func() *http.Request{shown(state("alice", x509.ExtKeyUsageClientAuth, false))},
		InQuery: []func() *http.Request{func() *http.Request { return httptest.NewRequest(http.MethodGet, "/?certificate=alice", nil) }},
		Scheme:  "TLS-Client-Certificate",
	})
	if _, err := mtls.New[*user](nil, mtls.Options{}); err == nil {
		t.Error("no load is taken")
	}
}
