package testkit

import (
	"net/http"
	"testing"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/testkit/hostile"
	"github.com/countersign-auth/countersign/jwt"
)

// Target returns the route of the profile as a target of hostile requests, with a new user's good token and tokens of
// other users that were good once. A server without a shared secret signs by a new key from now on. The limits of the
// server must be off.
func (s *Server) Target(t testing.TB) hostile.Target {
	t.Helper()
	key := s.signingKey(t)
	return hostile.Target{
		Addr: s.Addr, Path: "/user/profile", Query: "secret_token", Cookie: "__Host-countersign-token",
		Good: s.SignUpAndLogIn(t, "target@example.com"), Key: key, Former: s.formerTokens(t),
	}
}

// signingKey returns the key that signs, and gives s one that the test knows unless it has.
func (s *Server) signingKey(t testing.TB) *jwt.Key {
	t.Helper()
	if s.App.Tokens.Shared() {
		key, err := jwt.NewSecretKey(jwt.HS256, []byte(Secret), jwt.KeyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	key, err := jwt.GenerateKey(jwt.ES256, jwt.KeyOptions{ID: "known"})
	if err == nil {
		_, err = s.App.Tokens.Import(t.Context(), key, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// formerTokens returns tokens that the server let through, by what ended them.
func (s *Server) formerTokens(t testing.TB) map[string]string {
	t.Helper()
	asks := func(method, path, token string) {
		if res := s.Do(t, s.Request(t, method, path, "", "Authorization: Bearer "+token)); res.Status != http.StatusNoContent {
			t.Fatalf("%s %s: %d %s", method, path, res.Status, res.Body)
		}
	}
	tokens := map[string]string{}
	for name, end := range map[string]func(id, token string){
		"logout":  func(_, token string) { asks(http.MethodPost, "/logout", token) },
		"deleted": func(_, token string) { asks(http.MethodDelete, "/user", token) },
		"disabled": func(id, _ string) {
			disable := func(u *store.User) error {
				u.DisabledAt = s.Clock.Now()
				return nil
			}
			if _, err := s.App.Sessions.EndAll(t.Context(), id, disable); err != nil {
				t.Fatal(err)
			}
		},
	} {
		id, token := s.SignUp(t, name+"@example.com"), s.LogIn(t, name+"@example.com")
		if res := s.Profile(t, token); res.Status != http.StatusOK {
			t.Fatalf("%s: %d before", name, res.Status)
		}
		end(id, token)
		tokens[name] = token
	}
	return tokens
}
