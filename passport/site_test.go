package passport_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/countersign-auth/countersign/passport"
)

func sessions(t testing.TB, store passport.SessionStore, cfg passport.SessionConfig[*user]) *passport.Sessions[*user] {
	t.Helper()
	if store == nil {
		store = passport.NewMemoryStore(100)
	}
	if cfg.Serialize == nil {
		cfg.Serialize = func(_ context.Context, u *user) (string, error) { return u.name, nil }
	}
	if cfg.Deserialize == nil {
		cfg.Deserialize = func(_ context.Context, id string) (*user, bool, error) { return &user{id}, id != "gone", nil }
	}
	s, err := passport.NewSessions(store, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// site is a small site over https with a login by the header X-form.
type site struct {
	*passport.Sessions[*user]
	server *httptest.Server
}

func newSite(t *testing.T, store passport.SessionStore, cfg passport.SessionConfig[*user]) *site {
	t.Helper()
	s := &site{Sessions: sessions(t, store, cfg)}
	reg, err := passport.NewRegistry(
		passport.Named[*user]{Name: "session", Strategy: s.Strategy()},
		passport.Named[*user]{Name: "form", Strategy: byHeader("form")},
	)
	if err != nil {
		t.Fatal(err)
	}
	guard := func(opt options, name string) *passport.Guard[*user] {
		opt.Logger = quiet
		g, err := reg.Any(opt, name)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	mux := http.NewServeMux()
	mux.Handle("/private", guard(options{Sessions: s.Sessions, FailureRedirect: "/loginpage", RememberReturnTo: true, FailureMessage: "Log in first."}, "session").Handler(whoami))
	mux.Handle("/api", guard(options{}, "session").Handler(whoami))
	mux.Handle("/login", guard(options{Sessions: s.Sessions, Login: true, SuccessRedirect: "/home", ReturnTo: true, SuccessMessage: "Welcome."}, "form").Handler(whoami))
	mux.Handle("/quiet", guard(options{Sessions: s.Sessions, Login: true}, "form").Handler(whoami))
	mux.HandleFunc("/logout", func(w http.ResponseWriter, r *http.Request) { report(w, s.Logout(w, r)) })
	mux.HandleFunc("/set", func(w http.ResponseWriter, r *http.Request) {
		report(w, s.SetValue(w, r, r.URL.Query().Get("k"), r.URL.Query().Get("v")))
	})
	mux.HandleFunc("/remove", func(w http.ResponseWriter, r *http.Request) { report(w, s.RemoveValue(w, r, r.URL.Query().Get("k"))) })
	mux.HandleFunc("/get", func(w http.ResponseWriter, r *http.Request) {
		v, _, err := s.Value(r, r.URL.Query().Get("k"))
		report(w, err)
		fmt.Fprint(w, v)
	})
	mux.HandleFunc("/messages", func(w http.ResponseWriter, r *http.Request) {
		list, err := s.Messages(r)
		report(w, err)
		for _, m := range list {
			fmt.Fprintf(w, "%s: %s\n", m.Kind, m.Text)
		}
	})
	s.server = httptest.NewTLSServer(s.Middleware(mux))
	t.Cleanup(s.server.Close)
	return s
}

func report(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), 500)
	}
}

// browser keeps cookies, as a browser does.
type browser struct {
	t    *testing.T
	site *site
	http.Client
}

func (s *site) browser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := *s.server.Client()
	c.Jar = jar
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{t, s, c}
}

// get returns the status, the Location and the body.
func (b *browser) get(path string, lines ...string) string {
	b.t.Helper()
	req := request(lines...)
	req.URL, _ = url.Parse(b.site.server.URL + path)
	req.RequestURI, req.Host = "", ""
	resp, err := b.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body := make([]byte, 4096)
	n, _ := resp.Body.Read(body)
	if resp.StatusCode == 303 {
		return "303 " + resp.Header.Get("Location")
	}
	return fmt.Sprint(resp.StatusCode, " ", string(body[:n]))
}

func (b *browser) cookie() string {
	u, _ := url.Parse(b.site.server.URL + "/")
	for _, c := range b.Jar.Cookies(u) {
		return c.Name + "=" + c.Value
	}
	return ""
}

func (b *browser) want(got, want string) {
	b.t.Helper()
	if got != want {
		b.t.Errorf("got %q, want %q", got, want)
	}
}
