package app_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/bearer"
)

// guarded is somebody else's API, behind the guard of a bearer.Remote.
type guarded struct {
	*httptest.Server
	api *bearer.Remote
}

func guardAPI(t *testing.T, cfg bearer.Config) *guarded {
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
	g := &guarded{httptest.NewServer(mux), api}
	t.Cleanup(g.Close)
	return g
}

// ask returns the status and the body.
func (g *guarded) ask(t *testing.T, method, token string) (int, string) {
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
func (g *guarded) becomes(t *testing.T, token string, want int) {
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
