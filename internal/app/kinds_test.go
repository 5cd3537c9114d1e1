package app_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/revocation"
	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/jwt"
)

// Every kind of token that the server makes or takes, in every place that takes one: it is good in its own alone.
func TestKindsOfTokensNeverStandInForOneAnother(t *testing.T) {
	t.Parallel()
	const legacySecret = "the founding app's secret of old"
	file := filepath.Join(t.TempDir(), "legacy")
	if err := os.WriteFile(file, []byte(legacySecret), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, settings := range map[string][]string{
		"ES256":         nil,
		"HS256":         {"jwt.algorithm=HS256"},
		"shared secret": {"jwt.secret=" + testkit.Secret},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testkit.Start(t, append(settings, "limits.insecure_disabled=true", "trusted_proxies=127.0.0.1", "jwt.legacy_secret_file="+file,
				"jwt.accept_legacy_until="+time.Now().AddDate(1, 0, 0).Format(time.DateOnly))...)
			kinds := tokensOf(t, s, legacySecret)
			for place, send := range placesOf(s) {
				good := 0
				for kind, token := range kinds {
					status := send(t, token)
					switch own := ownPlace(kind, place); {
					case own && status == http.StatusOK:
						good++
					case own:
						t.Errorf("%s as %s: %d", kind, place, status)
					case status != http.StatusUnauthorized && status != http.StatusBadRequest:
						t.Errorf("%s as %s: %d, must be refused", kind, place, status)
					}
				}
				if good == 0 {
					t.Errorf("%s: takes nothing at all", place)
				}
			}
		})
	}
}

func ownPlace(kind, place string) bool {
	switch kind {
	case "access", "legacy":
		return strings.HasPrefix(place, "access")
	default:
		return kind == place
	}
}

// tokensOf returns a good token of each kind, and some that never are.
func tokensOf(t *testing.T, s *testkit.Server, legacySecret string) map[string]string {
	t.Helper()
	id := s.SignUp(t, "mike@example.com")
	login := s.Form(t, "/login", "email", "mike@example.com", "password", testkit.Password)
	device := (&http.Response{Header: login.Header}).Cookies()[0].Value
	now := s.Clock.Now()
	feed := s.Do(t, s.Request(t, http.MethodGet, feedPath, ""))
	feedToken := strings.TrimSpace(feed.Body)
	if feed.Status == http.StatusNotFound { // as it would be
		var err error
		if feedToken, err = s.App.Tokens.SignFor(revocation.Type, jwt.Claims{Issuer: s.URL, Audience: []string{revocation.Audience}, IssuedAt: now, ExpiresAt: now.Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
	}
	other, err := s.App.Tokens.SignFor("reset+jwt", jwt.Claims{ // as later kinds will be made
		Issuer: s.URL, Audience: []string{s.URL}, Subject: id, IssuedAt: now, ExpiresAt: now.Add(time.Hour),
		Extra: map[string]any{"user": map[string]string{"_id": id, "email": "mike@example.com"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	assertion := asks(t, s, "GET", strings.TrimPrefix(s.URL, "http://"), "/", "Authorization: Bearer "+login.Get("token")).Header.Get("X-User-Assertion")
	if strings.Count(assertion, ".") != 2 {
		t.Fatalf("no assertion: %q", assertion)
	}
	return map[string]string{
		"access":    login.Get("token"),
		"assertion": assertion,
		"refresh":   login.Get("refresh_token"),
		"device":    device,
		"feed":      feedToken,
		"reset":     other,
		"legacy":    testkit.Forge(legacySecret, `{"alg":"HS256","typ":"JWT"}`, `{"user":{"_id":"`+id+`","email":"mike@example.com"},"iat":1700000000}`),
		"JWE":       "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA",
	}
}

// placesOf returns how a token is sent in each place.
func placesOf(s *testkit.Server) map[string]func(*testing.T, string) int {
	get := func(path, header string) func(*testing.T, string) int {
		return func(t *testing.T, token string) int {
			return s.Do(t, s.Request(t, http.MethodGet, strings.ReplaceAll(path, "$", token), "", strings.ReplaceAll(header, "$", token))).Status
		}
	}
	return map[string]func(*testing.T, string) int{
		"access in the header": get("/user/profile", "Authorization: Bearer $"),
		"access in the query":  get("/user/profile?secret_token=$", "X-None: 1"),
		"access in the cookie": get("/user/profile", "Cookie: "+accessCookie+"=$"),
		"access by a proxy": func(t *testing.T, token string) int {
			return asks(t, s, "GET", "app.example.com", "/", "Authorization: Bearer "+token).Status
		},
		"access in the cookie, by a proxy": func(t *testing.T, token string) int {
			return asks(t, s, "GET", "app.example.com", "/", "Cookie: "+accessCookie+"="+token).Status
		},
		"refresh": func(t *testing.T, token string) int {
			return refresh(t, s, token).Status
		},
	}
}
