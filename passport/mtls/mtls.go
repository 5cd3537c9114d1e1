package mtls

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/problem"
)

// Load finds the user of a certificate that is good: by a name in it, or by the hash of its public key. It must not change the
// certificate. False means that it belongs to nobody, or no longer: revocation lists are not looked at here. An error is a
// technical fault, but for a [problem.Error] with a 4xx status, which is the answer.
type Load[U any] func(ctx context.Context, certificate *x509.Certificate) (user U, ok bool, err error)

// Options adjust [New].
type Options struct {
	// Now is the clock for what expires; nil means time.Now.
	Now func() time.Time
}

// CodeInvalidCertificate is the code of the 401 for a certificate that is refused, whatever is wrong with it.
const CodeInvalidCertificate = "invalid_client_certificate"

// Strategy checks the client's certificate of a request's connection. [New] makes it. Its info is the *x509.Certificate.
type Strategy[U any] struct {
	load            Load[U]
	now             func() time.Time
	absent, refused passport.Failure
}

// New returns a strategy that asks load for the user of a client's certificate.
func New[U any](load Load[U], opt Options) (*Strategy[U], error) {
	if load == nil {
		return nil, errors.New("mtls: New needs a load function")
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	// RFC 9110 wants a challenge with a 401. No registered scheme stands for a certificate: this one is for people to read.
	challenge := problem.Challenge{Scheme: "TLS-Client-Certificate"}
	failure := func(code, detail string) passport.Failure {
		return passport.Failure{Problem: problem.New(http.StatusUnauthorized, code, detail).WithChallenges(challenge)}
	}
	absent := failure("unauthorized", "This needs a client certificate.")
	absent.Absent = true
	return &Strategy[U]{
		load: load, now: opt.Now, absent: absent, refused: failure(CodeInvalidCertificate, "The client certificate is not valid here."),
	}, nil
}

// Authenticate implements [passport.Strategy]: 401 "unauthorized" when the connection is no TLS or its client has shown no
// certificate, 401 invalid_client_certificate when that was not verified in the handshake, does not say that it is for clients
// (RFC 5280, section 4.2.1.12), or is not valid any more.
func (s *Strategy[U]) Authenticate(r *http.Request) (passport.Outcome[U], error) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return passport.Fail[U](s.absent), nil
	}
	certificate := verified(r.TLS, s.now())
	if certificate == nil || !slices.Contains(certificate.ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
		return passport.Fail[U](s.refused), nil
	}
	user, ok, err := s.load(r.Context(), certificate)
	switch {
	case err != nil:
		return passport.FromError[U](err)
	case !ok:
		return passport.Fail[U](s.refused), nil
	}
	return passport.Success(user, certificate), nil
}

// verified returns the client's certificate, if there is a chain from it to an authority that the handshake has verified and that
// is still valid: a connection may outlive its certificates. Who shows a certificate alone has proved nothing, as under
// [tls.RequestClientCert] and [tls.RequireAnyClientCert].
func verified(state *tls.ConnectionState, now time.Time) *x509.Certificate {
	if !state.HandshakeComplete {
		return nil
	}
	for _, chain := range state.VerifiedChains {
		outside := func(c *x509.Certificate) bool { return now.Before(c.NotBefore) || now.After(c.NotAfter) }
		if len(chain) > 0 && !slices.ContainsFunc(chain, outside) {
			return chain[0]
		}
	}
	return nil
}
