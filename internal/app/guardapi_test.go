package app_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/bearer"
)

// guardedAPI is somebody else's API, behind the guard of a bearer.Remote.
type guardedAPI struct {
	*httptest.Server
	api *bearer.Remote
}

func guardAPI(t *testing.T, cfg bearer.Config) *guardedAPI {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	api, err := bearer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	mux := http.NewServeMux()
	mux.Handle("GET /orders", api.Guard().HandlerFunc(func(w http.ResponseWriter, _ *http.Request, id passport.Identity[*passport.Principal]) {
		_, _ = io.WriteString(w, id.User.Email)
	}))
	mux.Handle("DELETE /orders", api.Guard().Require(passport.RequireRole("admin")).Handler(http.NotFoundHandler()))
	mux.Handle("PUT /orders", api.Guard().Require(passport.RequireFresh(time.Hour)).Handler(http.NotFoundHandler()))
	g := &guardedAPI{httptest.NewServer(mux), api}
	t.Cleanup(g.Close)
	return g
}

// ask returns the status and the body.
func (g *guardedAPI) ask(t *testing.T, method, token string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, g.URL+"/orders", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// becomes waits for a status.
func (g *guardedAPI) becomes(t *testing.T, token string, want int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		got, body := g.ask(t, http.MethodGet, token)
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("answers %d, not %d: %s", got, want, body)
		}
	}
}

// TestGuardAPI has an API in Go that knows of the server nothing but its issuer, or its secret too.
func TestGuardAPI(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string][]string{"keys of its own": nil, "shared secret": {"jwt.secret=" + testkit.Secret}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testkit.Start(t, settings...)
			cfg := bearer.Config{Issuer: s.URL, Audience: s.URL, Now: s.Clock.Now}
			if settings != nil {
				cfg.Secret = []byte(testkit.Secret)
			}
			g := guardAPI(t, cfg)
			token := s.SignUpAndLogIn(t, "mike@example.com")
			for range 3 { // the third is answered from the cache
				if status, body := g.ask(t, http.MethodGet, token); status != http.StatusOK || body != "mike@example.com" {
					t.Fatalf("%d %s", status, body)
				}
			}
			if status, body := g.ask(t, http.MethodDelete, token); status != http.StatusForbidden {
				t.Errorf("without the role: %d %s", status, body)
			}
			if status, body := g.ask(t, http.MethodPut, token); status != http.StatusNotFound {
				t.Errorf("after a login of now: %d %s", status, body)
			}
			other := s.LogIn(t, "mike@example.com")
			g.becomes(t, other, http.StatusOK)
			if res := s.Do(t, s.Request(t, http.MethodPost, "/logout", "", "Authorization: Bearer "+token)); res.Status != http.StatusNoContent {
				t.Fatal(res.Body)
			}
			g.becomes(t, token, http.StatusUnauthorized)
			if status, _ := g.ask(t, http.MethodGet, other); status != http.StatusOK {
				t.Errorf("a session that goes on: %d", status)
			}
		})
	}
}

// door stands before a server, and can be shut for good: then nobody listens there any more.
type door struct {
	*httptest.Server
	server atomic.Pointer[http.Handler]
}

// startBehind runs a server whose issuer is the door.
func startBehind(t *testing.T, settings ...string) (*testkit.Server, *door) {
	t.Helper()
	d := &door{}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*d.server.Load()).ServeHTTP(w, r) }))
	t.Cleanup(d.Close)
	s := testkit.Start(t, append(settings, "issuer="+d.URL)...)
	h, err := s.App.Handler()
	if err != nil {
		t.Fatal(err)
	}
	d.server.Store(&h)
	return s, d
}

func (d *door) shut() {
	d.CloseClientConnections()
	d.Close()
}

// TestGuardRotation has the server's key change, in time and at once: at no moment is a good token refused.
func TestGuardRotation(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	g := guardAPI(t, bearer.Config{Issuer: s.URL, Audience: s.URL, Now: s.Clock.Now, InsecureNoFeed: true})
	old := s.SignUpAndLogIn(t, "mike@example.com")
	passes := func(when, token string) {
		t.Helper()
		if status, body := g.ask(t, http.MethodGet, token); status != http.StatusOK {
			t.Fatalf("%s: %d %s", when, status, body)
		}
	}
	passes("before", old)
	key, err := s.App.Tokens.Rotate(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	for s.Clock.Now().Before(key.SignsAt.Add(2 * time.Minute)) {
		s.Clock.Advance(time.Minute)
		passes("of the key before", old)
		passes("of now", s.LogIn(t, "mike@example.com"))
	}
	if _, err := s.App.Tokens.Rotate(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	passes("of a key that nobody has seen", s.LogIn(t, "mike@example.com"))
	passes("of the key before", old)
	s.Clock.Advance(4 * time.Minute)
	if status, _ := g.ask(t, http.MethodGet, old); status != http.StatusUnauthorized {
		t.Errorf("expired: %d", status)
	}
}

// TestGuardEnds has the row 92: tokens of users who are disabled or deleted, and of a key that is taken away.
func TestGuardEnds(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	g := guardAPI(t, bearer.Config{Issuer: s.URL, Audience: s.URL, Now: s.Clock.Now})
	id, bystander := s.SignUp(t, "mike@example.com"), s.SignUpAndLogIn(t, "other@example.com")
	token := s.LogIn(t, "mike@example.com")
	for range 3 {
		g.becomes(t, token, http.StatusOK)
	}
	if _, err := s.App.Sessions.EndAll(t.Context(), id, func(u *store.User) error { u.DisabledAt = s.Clock.Now(); return nil }); err != nil {
		t.Fatal(err)
	}
	g.becomes(t, token, http.StatusUnauthorized)
	if status, body := g.ask(t, http.MethodGet, bystander); status != http.StatusOK {
		t.Errorf("another user: %d %s", status, body)
	}
	first := s.App.Tokens.Keys()[0].ID
	if _, err := s.App.Tokens.Rotate(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if err := s.App.Tokens.Retire(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	s.Clock.Advance(6 * time.Minute) // the guard's copy of the key set is no longer fresh then
	g.becomes(t, bystander, http.StatusUnauthorized)
	g.becomes(t, s.LogIn(t, "other@example.com"), http.StatusOK)
}

// TestGuardOutlivesServer has a server that is killed: the last keys serve, and what the feed has said for its time.
func TestGuardOutlivesServer(t *testing.T) {
	t.Parallel()
	s, d := startBehind(t)
	strict := guardAPI(t, bearer.Config{Issuer: d.URL, Audience: d.URL, Now: s.Clock.Now})
	open := guardAPI(t, bearer.Config{Issuer: d.URL, Audience: d.URL, Now: s.Clock.Now, InsecureFailOpen: true})
	token, ended := s.SignUpAndLogIn(t, "mike@example.com"), s.LogIn(t, "mike@example.com")
	if res := s.Do(t, s.Request(t, http.MethodPost, "/logout", "", "Authorization: Bearer "+ended)); res.Status != http.StatusNoContent {
		t.Fatal(res.Body)
	}
	for _, g := range []*guardedAPI{strict, open} {
		g.becomes(t, ended, http.StatusUnauthorized)
		g.becomes(t, token, http.StatusOK)
	}
	d.shut()
	fresh := s.LogIn(t, "mike@example.com") // which no guard has in its cache
	for _, g := range []*guardedAPI{strict, open} {
		if status, body := g.ask(t, http.MethodGet, fresh); status != http.StatusOK {
			t.Errorf("at once: %d %s", status, body)
		}
	}
	s.Clock.Advance(10 * time.Minute)
	if status, body := strict.ask(t, http.MethodGet, token); status != http.StatusServiceUnavailable || !strings.Contains(body, bearer.CodeRevocationsUnavailable) {
		t.Errorf("nobody knows of sessions: %d %s", status, body)
	}
	if status, body := open.ask(t, http.MethodGet, fresh); status != http.StatusOK {
		t.Errorf("failing open: %d %s", status, body)
	}
	for _, g := range []*guardedAPI{strict, open} {
		if status, body := g.ask(t, http.MethodGet, ended); status != http.StatusUnauthorized {
			t.Errorf("a session that is known to have ended: %d %s", status, body)
		}
	}
	never := guardAPI(t, bearer.Config{Issuer: d.URL, Audience: d.URL, Now: s.Clock.Now})
	if status, body := never.ask(t, http.MethodGet, token); status != http.StatusServiceUnavailable || !strings.Contains(body, "keys_unavailable") {
		t.Errorf("a service that has never had keys: %d %s", status, body)
	}
}
