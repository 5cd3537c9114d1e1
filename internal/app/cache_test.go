package app_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/testkit"
)

// warm has a token come until it is known, and fails if it never is.
func warm(t *testing.T, s *testkit.Server, token string) {
	t.Helper()
	before := s.App.Guard.Cache().Stats().Hits
	for range 4 {
		if res := s.Profile(t, token); res.Status != http.StatusOK || res.Get("token") != token {
			t.Fatalf("%d %s", res.Status, res.Body)
		}
	}
	if hits := s.App.Guard.Cache().Stats().Hits - before; hits < 2 {
		t.Fatalf("%d of 4 requests were hits", hits)
	}
}

// TestKnownTokensEnd: that a token has been let in before lets it in no more once its session has ended.
func TestKnownTokensEnd(t *testing.T) {
	t.Parallel()
	const email = "mike@example.com"
	for name, end := range map[string]func(t *testing.T, s *testkit.Server, user string, p pair){
		"logout": func(t *testing.T, s *testkit.Server, _ string, p pair) {
			by(t, s, p.access, http.MethodPost, "/logout", "{}")
		},
		"logout elsewhere": func(t *testing.T, s *testkit.Server, _ string, _ pair) {
			by(t, s, logIn(t, s, email).access, http.MethodPost, "/logout", `{"scope":"all"}`)
		},
		"password change": func(t *testing.T, s *testkit.Server, _ string, _ pair) {
			body := fmt.Sprintf(`{"current_password":%q,"new_password":%q}`, testkit.Password, testkit.Password+" new")
			if res := by(t, s, logIn(t, s, email).access, http.MethodPost, "/user/password", body); res.Status != http.StatusNoContent {
				t.Fatalf("%d %s", res.Status, res.Body)
			}
		},
		"disabled": func(t *testing.T, s *testkit.Server, user string, _ pair) {
			if _, err := s.App.Sessions.EndAll(t.Context(), user, func(u *store.User) error { u.DisabledAt = s.Clock.Now(); return nil }); err != nil {
				t.Fatal(err)
			}
		},
		"deleted": func(t *testing.T, s *testkit.Server, _ string, p pair) {
			if res := by(t, s, p.access, http.MethodDelete, "/user", ""); res.Status != http.StatusNoContent {
				t.Fatalf("%d %s", res.Status, res.Body)
			}
		},
		"reuse of a refresh token": func(t *testing.T, s *testkit.Server, _ string, p pair) {
			for next, i := p, 0; i < 3; i++ {
				next = refreshed(t, s, next.refresh)
			}
			wantNoTokens(t, s, p.refresh, "an old one")
		},
		"expired": func(_ *testing.T, s *testkit.Server, _ string, _ pair) { s.Clock.Advance(16 * time.Minute) },
	} {
		for _, setting := range []string{"jwt.secret=" + testkit.Secret, "jwt.algorithm=ES256"} {
			t.Run(name+" "+setting[:10], func(t *testing.T) {
				t.Parallel()
				s := testkit.Start(t, setting)
				user := s.SignUp(t, email)
				s.SignUp(t, "jane@example.com")
				p, jane := logIn(t, s, email), logIn(t, s, "jane@example.com")
				warm(t, s, p.access)
				warm(t, s, jane.access)
				end(t, s, user, p)
				for range 2 {
					if res := s.Profile(t, p.access); res.Status != http.StatusUnauthorized || res.Code() != "invalid_token" {
						t.Errorf("%d %s", res.Status, res.Body)
					}
				}
				if name != "expired" {
					warm(t, s, jane.access)
				}
			})
		}
	}
}

// TestWhatIsLookedUpIsNotRemembered: tokens that carry nothing by which they can end are asked for in the database each time.
func TestWhatIsLookedUpIsNotRemembered(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "legacy")
	if err := os.WriteFile(file, []byte("TOP_SECRET"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := testkit.Start(t, "jwt.secret="+testkit.Secret, "jwt.legacy_secret_file="+file, "jwt.accept_legacy_until=2099-01-01")
	id, now := s.SignUp(t, "mike@example.com"), s.Clock.Now().Unix()
	tokens := []string{
		testkit.Forge("TOP_SECRET", `{"alg":"HS256","typ":"JWT"}`, fmt.Sprintf(`{"user":{"_id":%q,"email":"mike@example.com"}}`, id)),
		testkit.Forge(testkit.Secret, `{"alg":"HS256","typ":"JWT"}`, fmt.Sprintf(`{"iss":%q,"aud":%[1]q,"sub":%q,"exp":%d}`, s.URL, id, now+900)),
	}
	for _, token := range tokens {
		for range 3 {
			if res := s.Profile(t, token); res.Status != http.StatusOK {
				t.Fatalf("%d %s", res.Status, res.Body)
			}
		}
	}
	if stats := s.App.Guard.Cache().Stats(); stats.Entries != 0 || stats.Hits != 0 {
		t.Errorf("%+v", stats)
	}
	change(t, s, id, func(u *store.User) { u.DisabledAt = s.Clock.Now() })
	for _, token := range tokens {
		if res := s.Profile(t, token); res.Status != http.StatusUnauthorized {
			t.Errorf("%d %s", res.Status, res.Body)
		}
	}
}

// TestKnownTokensAreTakenWhereTheyAreTaken: what the profile takes in the query, no other route does for having seen it.
func TestKnownTokensAreTakenWhereTheyAreTaken(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	token := s.SignUpAndLogIn(t, "mike@example.com")
	warm(t, s, token)
	if res := s.Do(t, s.Request(t, http.MethodGet, "/user/profile?secret_token="+token, "")); res.Status != http.StatusOK ||
		res.Header.Get("Referrer-Policy") != "no-referrer" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", res.Status, res.Header)
	}
	if res := s.Do(t, s.Request(t, http.MethodGet, "/user?secret_token="+token, "")); res.Status != http.StatusUnauthorized {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	cookie := s.Do(t, s.Request(t, http.MethodGet, "/user/profile", "", "Cookie: __Host-countersign-token="+token))
	if cookie.Status != http.StatusOK || strings.Contains(cookie.Body, "token") {
		t.Errorf("%d %s", cookie.Status, cookie.Body)
	}
	if res := s.Do(t, s.Request(t, http.MethodGet, "/user/profile", "", "Cookie: __Host-countersign-token="+token, "Authorization: Bearer "+token)); res.Status != http.StatusBadRequest {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

// TestKnownTokensEndWithTheirKey: a key that was retired opens nothing, not even what it has opened a moment ago.
func TestKnownTokensEndWithTheirKey(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.SignUp(t, "mike@example.com")
	old := logIn(t, s, "mike@example.com")
	tok, err := s.App.Tokens.Verify(t.Context(), old.access)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.App.Tokens.Rotate(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	young := logIn(t, s, "mike@example.com")
	warm(t, s, old.access)
	warm(t, s, young.access)
	if err := s.App.Tokens.Retire(t.Context(), tok.Key.ID()); err != nil {
		t.Fatal(err)
	}
	if res := s.Profile(t, old.access); res.Status != http.StatusUnauthorized || res.Code() != "invalid_token" {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	warm(t, s, young.access)
}
