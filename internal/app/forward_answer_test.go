package app_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/forward"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/internal/token"
	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/jwt/jwk"
)

// minted returns the Authorization header of a token for a user as it may have been imported.
func minted(t *testing.T, s *testkit.Server, u store.User, authAt time.Time) string {
	t.Helper()
	u.Epoch = "4f1c2a9be8d04c6fa1b2c3d4e5f60718"
	access, err := s.App.Tokens.Mint(token.Grant{User: u, Session: "0190f0a2-5b1c-7c1e-9d53-9b7f6f6b6a02", AuthAt: authAt})
	if err != nil {
		t.Fatal(err)
	}
	return "Authorization: Bearer " + access.Token
}

// identityOf returns what an answer says of the caller, without the assertion.
func identityOf(t *testing.T, res *testkit.Response) string {
	t.Helper()
	var all []string
	for _, name := range []string{"X-User-Id", "X-User-Email", "X-User-Roles", "X-User-Scopes"} {
		values := res.Header.Values(name)
		if len(values) != 1 {
			t.Errorf("%s is there %d times", name, len(values))
		}
		all = append(all, strings.Join(values, "|"))
	}
	if len(res.Header.Values("X-User-Assertion")) != 1 {
		t.Error("X-User-Assertion is not there once")
	}
	return strings.Join(all, " | ")
}

func TestForwardAuthTellsWhoItIs(t *testing.T) {
	t.Parallel()
	s := withRules(t, "rules:\n  - {path: /public, allow: public}\n  - {path: /**}\n")
	now := s.Clock.Now()
	seen := map[string]store.User{}
	for _, tt := range []struct {
		user store.User
		want string
	}{
		{store.User{ID: "0198-a", Email: "mike@example.com", Roles: []string{"admin", "editor"}}, "0198-a | mike@example.com | admin,editor | "},
		{store.User{ID: "a b", Email: "jürgen@example.com"}, "a%20b | j%C3%BCrgen@example.com |  | "},
		{store.User{ID: "a%20b"}, "a%2520b |  |  | "},
		{store.User{ID: " a"}, "%20a |  |  | "},
		{store.User{ID: "a\r\nX-User-Roles: admin"}, "a%0D%0AX-User-Roles:%20admin |  |  | "},
		{store.User{ID: "a,b"}, "a%2Cb |  |  | "},
		{store.User{ID: "é"}, "%C3%A9 |  |  | "},
		{store.User{ID: "e\u0301"}, "e%CC%81 |  |  | "},
	} {
		for _, path := range []string{"/orders", "/public"} {
			res := asks(t, s, "GET", "app.example.com", path, minted(t, s, tt.user, now), "X-User-Id: root", "X-User-Roles: root", "X-User-Assertion: x")
			got := identityOf(t, res)
			if res.Status != http.StatusOK || got != tt.want || res.Header.Get("X-User-Assertion") == "" {
				t.Errorf("%q at %s: %d %q, want %q", tt.user.ID, path, res.Status, got, tt.want)
			}
			if res.Header.Get("Cache-Control") != "no-store" || !strings.Contains(res.Header.Get("Vary"), "Cookie") {
				t.Errorf("a cache may keep the answer: %v", res.Header)
			}
			if other, ok := seen[got]; ok && other.ID != tt.user.ID {
				t.Errorf("%q and %q look the same", other.ID, tt.user.ID)
			}
			seen[got] = tt.user
		}
	}
	for _, header := range []string{"X-None: 1", "Authorization: Bearer rubbish", "X-User-Id: root"} {
		res := asks(t, s, "GET", "app.example.com", "/public", header)
		if got := identityOf(t, res); res.Status != http.StatusOK || got != " |  |  | " || res.Header.Get("X-User-Assertion") != "" {
			t.Errorf("nobody, by %q: %d %q", header, res.Status, got)
		}
	}
}

func TestAssertions(t *testing.T) {
	t.Parallel()
	s := withRules(t, "rules:\n  - {path: /orders/**, audience: orders}\n  - {path: /**}\n")
	keys, err := jwk.ParseSet([]byte(strings.TrimSpace(s.Do(t, s.Request(t, http.MethodGet, "/.well-known/jwks.json", "")).Body)), jwk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	verify := func(assertion, audience string) *jwt.Token {
		t.Helper()
		v, err := jwt.NewVerifier(keys, jwt.Expect{Issuer: s.URL, Audience: audience, Type: []string{forward.AssertionType}, Now: s.Clock.Now})
		if err != nil {
			t.Fatal(err)
		}
		tok, err := v.Verify(t.Context(), assertion)
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	begun := s.Clock.Now()
	s.Clock.Advance(time.Minute - time.Duration(begun.Second())*time.Second) // a whole minute begins
	begun = s.Clock.Now()
	header := minted(t, s, store.User{ID: "u1", Email: "mike@example.com", Roles: []string{"admin"}}, begun)
	ask := func(host, uri string) string {
		t.Helper()
		return asks(t, s, "GET", host, uri, header).Header.Get("X-User-Assertion")
	}

	first := ask("app.example.com", "/orders/7")
	tok := verify(first, "orders")
	var claims []string
	for _, name := range []string{"email", "roles", "sid", "auth_time", "scope", "user", "epoch"} {
		raw, _ := tok.Claim(name)
		claims = append(claims, string(raw))
	}
	want := fmt.Sprintf(`"mike@example.com" ["admin"] "0190f0a2-5b1c-7c1e-9d53-9b7f6f6b6a02" %d   `, begun.Unix())
	if got := strings.Join(claims, " "); tok.Subject != "u1" || got != want || tok.ExpiresAt.Unix()-begun.Unix() != 120 {
		t.Errorf("%s for %v: %s", tok.Subject, tok.ExpiresAt.Sub(begun), got)
	}
	if again := ask("app.example.com", "/orders/8"); again != first {
		t.Error("signed anew for the same token, audience and minute")
	}
	other := ask("app.example.com:8443", "/")
	verify(other, "https://app.example.com:8443")
	verify(ask("b.example.com", "/"), "https://b.example.com")
	s.Clock.Advance(time.Minute)
	if next := ask("app.example.com", "/orders/8"); next == first {
		t.Error("the assertion of a minute ago")
	}
	s.Clock.Advance(13*time.Minute + 30*time.Second) // the token has half a minute left
	last := verify(ask("app.example.com", "/orders/8"), "orders")
	if left := last.ExpiresAt.Sub(begun); left > 15*time.Minute {
		t.Errorf("the assertion ends %v after the token was made, and the token after 15m", left)
	}

	begun = s.Clock.Now()
	key := makeKey(t, s, s.SignUpAndLogIn(t, "anna@example.com"), `{"name":"x","expires_in":60}`)
	byKey := verify(asks(t, s, "GET", "app.example.com", "/orders/8", "X-API-Key: "+key.APIKey).Header.Get("X-User-Assertion"), "orders")
	if left := byKey.ExpiresAt.Sub(begun); left > time.Minute {
		t.Errorf("the assertion ends %v after the key was made, and the key after 1m", left)
	}
}

func TestForwardAuthEndsWithTheSession(t *testing.T) {
	t.Parallel()
	s := withRules(t, "rules:\n  - {path: /**}\n")
	header := "Authorization: Bearer " + s.SignUpAndLogIn(t, "mike@example.com")
	for range 3 { // so that every cache knows it
		if res := asks(t, s, "GET", "app.example.com", "/", header); res.Status != http.StatusOK {
			t.Fatalf("%d %s", res.Status, res.Body)
		}
	}
	if res := s.Do(t, s.Request(t, http.MethodPost, "/logout", "", header)); res.Status != http.StatusNoContent {
		t.Fatalf("logout: %d", res.Status)
	}
	if res := asks(t, s, "GET", "app.example.com", "/", header); res.Status != http.StatusUnauthorized || res.Header.Get("X-User-Assertion") != "" {
		t.Errorf("after the logout: %d", res.Status)
	}
}

func TestForwardAuthSendsBrowsersToLogIn(t *testing.T) {
	t.Parallel()
	const rules = "rules:\n  - {host: app.example.com, path: /fresh, fresh: 10m}\n  - {host: app.example.com, path: /admin, role: admin}\n  - {path: /**}\n"
	for _, tt := range []struct {
		login, method, host, uri, headers string
		status                            int
		location                          string
	}{
		{"/auth/login", "GET", "app.example.com", "/a?b=c&d", "Sec-Fetch-Mode: navigate", 302, "https://app.example.com/auth/login?return_to=" + url.QueryEscape("https://app.example.com/a?b=c&d")},
		{"/auth/login", "HEAD", "app.example.com:8443", "/a", "Accept: text/html,*/*", 302, "https://app.example.com:8443/auth/login?return_to=" + url.QueryEscape("https://app.example.com:8443/a")},
		{"https://auth.example.com/in?x=1", "GET", "app.example.com", "/a", "Accept: text/html", 302, "https://auth.example.com/in?x=1&return_to=" + url.QueryEscape("https://app.example.com/a")},
		// A host that no rule names may be anybody's.
		{"https://auth.example.com/in", "GET", "evil.example", "/a", "Accept: text/html", 302, "https://auth.example.com/in?return_to=%2Fa"},
		{"/auth/login", "GET", "evil.example", "/a", "Accept: text/html", 302, "/auth/login?return_to=%2Fa"},
		{"/auth/login", "GET", "app.example.com", "/" + strings.Repeat("a", 3000), "Accept: text/html", 302, "https://app.example.com/auth/login"},
		{"/auth/login", "GET", "app.example.com", "/auth/login", "Accept: text/html", 401, ""},
		{"https://app.example.com/in?x=1", "GET", "app.example.com", "/in", "Accept: text/html", 401, ""},
		{"/auth/login", "GET", "app.example.com", "/a", "Sec-Fetch-Mode: cors|Accept: text/html", 401, ""},
		{"/auth/login", "GET", "app.example.com", "/a", "Accept: application/json", 401, ""},
		{"/auth/login", "POST", "app.example.com", "/a", "Sec-Fetch-Mode: navigate", 401, ""},
		{"/auth/login", "GET", "app.example.com", "/a", "Accept: text/html|Authorization: Bearer rubbish", 401, ""},
		{"/auth/login", "GET", "app.example.com", "/a", "Accept: text/html|Cookie: " + accessCookie + "=expired", 302, "https://app.example.com/auth/login?return_to=" + url.QueryEscape("https://app.example.com/a")},
		{"/auth/login", "GET", "app.example.com", "/fresh", "Accept: text/html|COOKIE", 302, "https://app.example.com/auth/login?return_to=" + url.QueryEscape("https://app.example.com/fresh")},
		{"/auth/login", "GET", "app.example.com", "/fresh", "TOKEN", 401, ""},
		{"/auth/login", "GET", "app.example.com", "/admin", "Accept: text/html|COOKIE", 403, ""},
	} {
		t.Run(tt.method+" "+tt.host+tt.uri[:min(12, len(tt.uri))], func(t *testing.T) {
			t.Parallel()
			s := withRules(t, rules, "login_url="+tt.login)
			tok := strings.TrimPrefix(minted(t, s, store.User{ID: "u1"}, s.Clock.Now().Add(-time.Hour)), "Authorization: Bearer ")
			headers := strings.NewReplacer("COOKIE", "Cookie: "+accessCookie+"="+tok, "TOKEN", "Authorization: Bearer "+tok).Replace(tt.headers)
			res := asks(t, s, tt.method, tt.host, tt.uri, strings.Split(headers, "|")...)
			if res.Status != tt.status || res.Header.Get("Location") != tt.location {
				t.Errorf("%d %q, want %d %q", res.Status, res.Header.Get("Location"), tt.status, tt.location)
			}
			if challenge := res.Header.Get("WWW-Authenticate"); tt.uri == "/fresh" && tt.status == 401 &&
				(!strings.Contains(challenge, `error="insufficient_user_authentication"`) || !strings.Contains(challenge, `max_age="600"`)) {
				t.Errorf("challenge %q", challenge)
			}
		})
	}
}

func TestForwardAuthByAPIKey(t *testing.T) {
	t.Parallel()
	s := withRules(t, "rules:\n  - {path: /reports, scope: reports:read}\n  - {path: /fresh, fresh: 10m}\n  - {path: /admin, role: admin}\n  - {path: /**}\n",
		"api_keys.scopes=reports:read,more", "login_url=/auth/login")
	id := s.SignUp(t, "mike@example.com")
	token := s.LogIn(t, "mike@example.com")
	cookie := "Cookie: " + accessCookie + "=" + token
	key := makeKey(t, s, token, `{"name":"a","scopes":["reports:read","more"]}`)
	plain := makeKey(t, s, token, `{"name":"b","scopes":["more"]}`)
	for _, tt := range []struct {
		uri, headers string
		status       int
	}{
		{"/reports", "X-API-Key: " + key.APIKey, 200},
		{"/reports", "Authorization: Bearer " + key.APIKey, 200},
		{"/reports", "X-API-Key: " + plain.APIKey, 403},
		{"/", "X-API-Key: " + plain.APIKey, 200},
		{"/admin", "X-API-Key: " + key.APIKey, 403},
		{"/fresh", "Accept: text/html|X-API-Key: " + key.APIKey, 401},
		{"/", "Accept: text/html|X-API-Key: csk_rubbish", 401},
		{"/?api_key=" + key.APIKey, "Accept: text/plain", 401},
		{"/", "X-API-Key: " + key.APIKey + "|X-API-Key: " + key.APIKey, 400},
		{"/", "X-API-Key: " + key.APIKey + "|Authorization: Bearer " + key.APIKey, 400},
		{"/", "X-API-Key: " + key.APIKey + "|Authorization: Bearer " + token, 400},
		{"/", "X-API-Key: " + key.APIKey + "|" + cookie, 400},
		{"/", "Authorization: Bearer " + key.APIKey + "|" + cookie, 400},
		{"/", "Authorization: Bearer " + key.APIKey + "|Authorization: Bearer " + token, 400},
		{"/", "Authorization: Basic eDp5|X-API-Key: " + key.APIKey, 200}, // which is for the server behind the proxy
	} {
		res := asks(t, s, "GET", "app.example.com", tt.uri, strings.Split(tt.headers, "|")...)
		if res.Status != tt.status {
			t.Errorf("%s by %d headers: %d %s, want %d", tt.uri, strings.Count(tt.headers, "|")+1, res.Status, res.Code(), tt.status)
		}
	}
	for _, k := range []newKey{key, plain} { // of one user, and not the same
		res := asks(t, s, "GET", "app.example.com", "/", "X-API-Key: "+k.APIKey)
		if got, want := identityOf(t, res), id+" | mike@example.com |  | "+strings.Join(k.Key.Scopes, " "); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if res := by(t, s, token, http.MethodDelete, "/user/keys/"+key.Key.ID, ""); res.Status != http.StatusNoContent {
		t.Fatalf("revoke: %d %s", res.Status, res.Body)
	}
	if res := asks(t, s, "GET", "app.example.com", "/reports", "X-API-Key: "+key.APIKey); res.Status != http.StatusUnauthorized {
		t.Errorf("a key that was revoked: %d", res.Status)
	}
}
