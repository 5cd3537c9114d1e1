package app_test

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/jwt/jwk"
	"github.com/countersign-auth/countersign/passport/bearer"
)

const feedPath = "/.well-known/countersign/revocations"

// TestFeedEndsTokensElsewhere logs in and out at a whole server, and has a verifier that knows nothing but the server's
// keys and its feed judge the tokens.
func TestFeedEndsTokensElsewhere(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string][]string{"keys of its own": nil, "shared secret": {"jwt.secret=" + testkit.Secret}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testkit.Start(t, settings...)
			tokenKeys, feedKeys := keysOf(t, s, settings != nil)
			feed, err := bearer.NewFeed(s.URL+feedPath, feedKeys, bearer.FeedConfig{
				Issuer: s.URL, Interval: 20 * time.Millisecond, MaxStale: time.Minute, Now: s.Clock.Now, Logger: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			go feed.Run(t.Context())
			verifier, err := jwt.NewVerifier(tokenKeys, jwt.Expect{Issuer: s.URL, Audience: s.URL, Type: []string{"at+jwt", "JWT"}, Now: s.Clock.Now})
			if err != nil {
				t.Fatal(err)
			}
			until := func(what, token string, want error) {
				t.Helper()
				tok, err := verifier.Verify(t.Context(), token)
				if err != nil {
					t.Fatal(err)
				}
				for start := time.Now(); !errors.Is(feed.Check(tok), want); time.Sleep(time.Millisecond) {
					if time.Since(start) > time.Second {
						t.Fatalf("%s: %v, not %v: %v", what, feed.Check(tok), want, feed)
					}
				}
			}
			first := s.SignUpAndLogIn(t, "mike@example.com")
			second := s.LogIn(t, "mike@example.com")
			until("logged in", first, nil)
			until("logged in", second, nil)
			logout := func(token, scope string) {
				t.Helper()
				res := s.Do(t, s.Request(t, http.MethodPost, "/logout", "scope="+scope, "Authorization: Bearer "+token,
					"Content-Type: application/x-www-form-urlencoded"))
				if res.Status != http.StatusNoContent {
					t.Fatalf("logout: %d %s", res.Status, res.Body)
				}
			}
			logout(first, "this")
			until("logged out", first, bearer.ErrSessionEnded)
			until("another session", second, nil)
			logout(second, "all")
			until("logged out everywhere", second, bearer.ErrSessionEnded)
			until("logged in again", s.LogIn(t, "mike@example.com"), nil)
		})
	}
}

// keysOf returns the keys of the server's tokens and of its feed.
func keysOf(t *testing.T, s *testkit.Server, shared bool) (tokens, feed jwt.KeySet) {
	t.Helper()
	if !shared {
		keys, err := jwk.ParseSet([]byte(strings.TrimSpace(s.Do(t, s.Request(t, http.MethodGet, "/.well-known/jwks.json", "")).Body)), jwk.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return keys, keys
	}
	key, err := jwt.NewSecretKey(jwt.HS256, []byte(testkit.Secret), jwt.KeyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	feed, err = bearer.FeedKeys([]byte(testkit.Secret))
	if err != nil {
		t.Fatal(err)
	}
	return jwt.StaticKeys{key}, feed
}

func TestNoFeed(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string][]string{
		"whoever asks can search for the secret": {"jwt.secret=top_secret", "jwt.insecure_allow_short_secret=true"},
		"nobody can verify it":                   {"jwt.algorithm=HS256"},
	} {
		s := testkit.Start(t, settings...)
		if res := s.Do(t, s.Request(t, http.MethodGet, feedPath, "")); res.Status != http.StatusNotFound {
			t.Errorf("%s: %d", name, res.Status)
		}
	}
	data, clock := t.TempDir(), testkit.NewClock()
	a := openTTL(t, data, clock, "15m")
	secret, err := jwt.GenerateKey(jwt.HS256, jwt.KeyOptions{})
	if err == nil {
		_, err = a.Tokens.Import(t.Context(), secret, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	server, err := openTTL(t, data, clock, "15m").Server(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	server.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, feedPath, nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("an imported secret signs: %d", w.Code)
	}
}
