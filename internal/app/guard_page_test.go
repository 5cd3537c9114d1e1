package app_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/internal/testkit/snippet"
)

const guardPage = "guard.md"

// guards are the programs of the page that check with the server's keys.
var guards = []string{"express-keys.mjs", "jose.mjs", "orders.py"}

// guardedBy runs a program of the page behind a server.
func guardedBy(t *testing.T, file, issuer string, environ ...string) *snippet.API {
	t.Helper()
	return snippet.Run(t, file, snippet.Text(t, guardPage, file), snippet.Scene{Issuer: issuer, Environ: environ})
}

// Each program of docs/guard.md lets in who logged in, and nobody who should not come in.
func TestGuardPage(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	id := s.SignUp(t, "mike@example.com")
	sign := newSigner(t, s, id)
	token := s.LogIn(t, "mike@example.com")
	good := func() map[string]string {
		return map[string]string{
			"of a login":        token,
			"within the leeway": sign.with(object{"exp": time.Now().Add(-5 * time.Second).Unix()}),
			"two audiences":     sign.with(object{"aud": []string{"https://other.example", s.URL}}),
		}
	}
	refused := sign.forged(t, token)
	maps.Copy(refused, sign.misused())
	refused["the server's feed"] = strings.TrimSpace(s.Do(t, s.Request(t, http.MethodGet, feedPath, "")).Body)
	refused["a refresh token"] = logIn(t, s, "mike@example.com").refresh
	for _, file := range guards {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			api := guardedBy(t, file, s.URL)
			opens(t, api, id, good())
			refuses(t, api, refused)
			refusesHeaders(t, api, token)
			opens(t, api, id, good()) // still: what was refused has used nothing up
		})
	}
}

func opens(t *testing.T, api *snippet.API, id string, tokens map[string]string) {
	t.Helper()
	for name, token := range tokens {
		if got := api.ByHeader(t, "/orders", token); got.Status != http.StatusOK || !strings.Contains(got.Body, id) {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
}

func refuses(t *testing.T, api *snippet.API, tokens map[string]string) {
	t.Helper()
	for name, token := range tokens {
		if got := api.ByHeader(t, "/orders", token); got.Status != http.StatusUnauthorized || got.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d, challenge %q: %s", name, got.Status, got.Header.Get("WWW-Authenticate"), got.Body)
		}
	}
}

// refusesHeaders sends a good token where it does not count.
func refusesHeaders(t *testing.T, api *snippet.API, token string) {
	t.Helper()
	for _, header := range []string{"X-None: 1", "Authorization: ", "Authorization: Bearer", "Authorization: " + token, "Authorization: Basic " + token,
		"Authorization: Bearer " + token + ", Bearer " + token, "Cookie: token=" + token, "X-User-Id: root"} {
		if got := api.Get(t, "/orders", header); got.Status != http.StatusUnauthorized {
			t.Errorf("%.24s: %d %s", header, got.Status, got.Body)
		}
	}
	if got := api.ByQuery(t, "/orders", token); got.Status != http.StatusUnauthorized {
		t.Errorf("in the query: %d", got.Status)
	}
}

// The role of the page is the server's.
func TestGuardPageRoles(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	user := s.SignUp(t, "mike@example.com")
	api := guardedBy(t, "express-keys.mjs", s.URL)
	if got := api.ByHeader(t, "/orders/all", s.LogIn(t, "mike@example.com")); got.Status != http.StatusForbidden {
		t.Errorf("without the role: %d %s", got.Status, got.Body)
	}
	change(t, s, user, func(u *store.User) { u.Roles = []string{"admin"} })
	if got := api.ByHeader(t, "/orders/all", s.LogIn(t, "mike@example.com")); got.Status != http.StatusOK {
		t.Errorf("with the role: %d %s", got.Status, got.Body)
	}
}
