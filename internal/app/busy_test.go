package app_test

import (
	"net/http"
	"net/url"
	"sync"
	"testing"

	"github.com/countersign-auth/countersign/internal/testkit"
)

// TestBusyDatabase has another process write for longer than the server waits: what must write is answered so that the
// client comes back, and what only reads is answered as ever.
func TestBusyDatabase(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes as long as the server waits")
	}
	dir := t.TempDir()
	s := testkit.Start(t, "data="+dir)
	s.SignUp(t, "mike@example.com")
	p := logIn(t, s, "mike@example.com")
	login := url.Values{"email": {"mike@example.com"}, "password": {testkit.Password}}.Encode()
	end := beside(t, dir, "BEGIN IMMEDIATE")

	token := "Authorization: Bearer " + p.access
	var wg sync.WaitGroup
	for _, c := range []struct {
		method, path, body string
		headers            []string
		busy               bool
	}{
		{http.MethodPost, "/signup", "email=jane@example.com&password=" + url.QueryEscape(testkit.Password), []string{asForm}, true},
		{http.MethodPost, "/login", login, []string{asForm}, true},
		{http.MethodPost, "/token/refresh", "refresh_token=" + p.refresh, []string{asForm}, true},
		{http.MethodPost, "/logout", "", []string{token}, true},
		{http.MethodPatch, "/user", `{"data":{}}`, []string{token, asJSON}, true},
		{http.MethodDelete, "/user", "", []string{token}, true},
		{http.MethodGet, "/user", "", []string{token}, false},
		{http.MethodGet, "/user/profile", "", []string{token}, false},
		{http.MethodGet, "/readyz", "", nil, false},
		{http.MethodGet, "/.well-known/countersign/revocations", "", nil, false},
	} {
		wg.Go(func() {
			res := s.Do(t, s.Request(t, c.method, c.path, c.body, c.headers...))
			switch {
			case !c.busy && res.Status != http.StatusOK:
				t.Errorf("%s %s: %d %s", c.method, c.path, res.Status, res.Body)
			case c.busy && (res.Status != http.StatusServiceUnavailable || res.Code() != "database_busy" || res.Header.Get("Retry-After") != "1"):
				t.Errorf("%s %s: %d %v %s", c.method, c.path, res.Status, res.Header, res.Body)
			}
		})
	}
	wg.Wait()
	end()
	wantAlive(t, s, p, "what could not be ended")
	logIn(t, s, "mike@example.com")
}
