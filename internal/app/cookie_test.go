package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/testkit"
)

const (
	accessCookie  = "__Host-countersign-token"
	refreshCookie = "__Host-countersign-refresh"
)

// browser keeps the cookies of a server as a browser does, without asking for TLS.
type browser struct {
	s       *testkit.Server
	cookies map[string]string
}

// send sends a request with the cookies and keeps those of the answer.
func (b *browser) send(t *testing.T, method, path, body string, headers ...string) *testkit.Response {
	t.Helper()
	if body != "" {
		headers = append(headers, "Content-Type: application/x-www-form-urlencoded")
	}
	for name, value := range b.cookies {
		headers = append(headers, "Cookie: "+name+"="+value)
	}
	req := b.s.Request(t, method, path, body, headers...)
	res := b.s.Do(t, req)
	for _, c := range (&http.Response{Header: res.Header}).Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	return res
}

// browse logs a new user in by cookie.
func browse(t *testing.T, s *testkit.Server, email, more string) (*browser, *testkit.Response) {
	t.Helper()
	s.SignUp(t, email)
	b := &browser{s, map[string]string{}}
	res := b.send(t, http.MethodPost, "/login", "session=cookie&email="+email+"&password="+strings.ReplaceAll(testkit.Password, " ", "+")+more)
	if res.Status != http.StatusOK {
		t.Fatalf("login: %d %s", res.Status, res.Body)
	}
	return b, res
}

func TestBrowserSession(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	b, res := browse(t, s, "mike@example.com", "")
	set := strings.Join(res.Header.Values("Set-Cookie"), "\n")
	for _, name := range []string{accessCookie, refreshCookie} {
		value := b.cookies[name]
		if value == "" || strings.Contains(res.Body, value) {
			t.Fatalf("%s: not set, or in the body too: %s", name, res.Body)
		}
		want := "; HttpOnly; Secure; SameSite=Lax"
		if !strings.Contains(set, name+"="+value+"; Path=/; Max-Age=") || strings.Count(set, want) < 2 || strings.Contains(set, "Domain") {
			t.Errorf("%s:\n%s", name, set)
		}
	}
	if strings.Contains(res.Body, `"token"`) || strings.Contains(res.Body, "refresh_token") {
		t.Errorf("tokens in the body as well: %s", res.Body)
	}

	profile := b.send(t, http.MethodGet, "/user/profile", "")
	if profile.Status != http.StatusOK || profile.Get("user", "email") != "mike@example.com" {
		t.Fatalf("profile: %d %s", profile.Status, profile.Body)
	}
	if strings.Contains(profile.Body, b.cookies[accessCookie]) || strings.Contains(profile.Body, `"token"`) {
		t.Error("the profile shows scripts the token that the cookie keeps from them")
	}

	s.Clock.Advance(time.Hour)
	if res := b.send(t, http.MethodGet, "/user/profile", ""); res.Status != http.StatusUnauthorized {
		t.Errorf("an expired token: %d", res.Status)
	}
	old := b.cookies[refreshCookie]
	res = b.send(t, http.MethodPost, "/token/refresh", "")
	if res.Status != http.StatusOK || b.cookies[refreshCookie] == old || strings.Contains(res.Body, "token") && strings.Contains(res.Body, "csr_") {
		t.Fatalf("refresh: %d %s", res.Status, res.Body)
	}
	if res := b.send(t, http.MethodGet, "/user/profile", ""); res.Status != http.StatusOK {
		t.Errorf("profile: %d %s", res.Status, res.Body)
	}
	kept := b.cookies[accessCookie]
	if res := b.send(t, http.MethodPost, "/logout", ""); res.Status != http.StatusNoContent || b.cookies[accessCookie] != "" || b.cookies[refreshCookie] != "" {
		t.Errorf("logout: %d, cookies %v", res.Status, b.cookies)
	}
	b.cookies[accessCookie] = kept
	if res := b.send(t, http.MethodGet, "/user/profile", ""); res.Status != http.StatusUnauthorized {
		t.Errorf("the cookie that was kept: %d", res.Status)
	}
}

func TestBrowserSessionThatIsNotRemembered(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	_, res := browse(t, s, "mike@example.com", "&remember=off")
	for _, set := range res.Header.Values("Set-Cookie") {
		if strings.Contains(set, "__Host-") && (strings.Contains(set, "Max-Age") || strings.Contains(set, "Expires")) {
			t.Errorf("outlives the browser: %s", set)
		}
	}
}

func TestLogoutOfABrowserWhoseTokenHasExpired(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	b, _ := browse(t, s, "mike@example.com", "")
	refreshToken := b.cookies[refreshCookie]
	s.Clock.Advance(time.Hour)
	if res := b.send(t, http.MethodPost, "/logout", ""); res.Status != http.StatusNoContent {
		t.Fatalf("%d %s", res.Status, res.Body)
	}
	wantNoTokens(t, s, refreshToken, "logged out")
}

func TestBrowserSessionsRefuseOtherSites(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	b, _ := browse(t, s, "mike@example.com", "")
	for _, from := range []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: https://evil.example"} {
		for _, path := range []string{"/logout", "/token/refresh", "/login"} {
			if res := b.send(t, http.MethodPost, path, "a=b", from); res.Status != http.StatusForbidden || res.Code() != "cross_origin" {
				t.Errorf("%s from %s: %d %s", path, from, res.Status, res.Body)
			}
		}
	}
	if res := b.send(t, http.MethodGet, "/user/profile", ""); res.Status != http.StatusOK {
		t.Errorf("the session: %d %s", res.Status, res.Body)
	}
}

func TestNeverTwoTokensInSilence(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	b, _ := browse(t, s, "mike@example.com", "")
	other := logIn(t, s, "mike@example.com")
	for name, res := range map[string]*testkit.Response{
		"header and cookie":            b.send(t, http.MethodGet, "/user/profile", "", "Authorization: Bearer "+other.access),
		"query and cookie":             b.send(t, http.MethodGet, "/user/profile?secret_token="+other.access, ""),
		"the same in both":             b.send(t, http.MethodGet, "/user/profile", "", "Authorization: Bearer "+b.cookies[accessCookie]),
		"refresh, body and cookie":     b.send(t, http.MethodPost, "/token/refresh", "refresh_token="+other.refresh),
		"logout, header and cookie":    b.send(t, http.MethodPost, "/logout", "", "Authorization: Bearer "+other.access),
		"cookie twice":                 b.send(t, http.MethodGet, "/user/profile", "", "Cookie: "+accessCookie+"=x"),
		"a login that wants nonsense":  b.send(t, http.MethodPost, "/login", "session=both&email=a&password=b"),
		"a login that wants both":      b.send(t, http.MethodPost, "/login", "session=cookie&session=token&email=a&password=b"),
		"a login that forgets badly":   b.send(t, http.MethodPost, "/login", "remember=perhaps&email=a&password=b"),
		"a refresh of two cookies":     b.send(t, http.MethodPost, "/token/refresh", "", "Cookie: "+refreshCookie+"=x"),
		"a logout by header and token": b.send(t, http.MethodPost, "/logout", "refresh_token="+other.refresh, "Authorization: Bearer "+other.access),
	} {
		if res.Status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}
}

// The fields that a login knows beside its credentials are optional, and everything else is nobody's business: so the
// founding clients see no difference.
func TestLoginIgnoresWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.SignUp(t, "mike@example.com")
	for _, more := range []string{"&tag=a&tag=b", "&remember=on", "&csrf=%00", "&filter[a]=1&filter[b]=2"} {
		body := "email=mike%40example.com&password=" + strings.ReplaceAll(testkit.Password, " ", "+") + more
		res := s.Do(t, s.Request(t, http.MethodPost, "/login", body, "Content-Type: application/x-www-form-urlencoded"))
		if res.Status != http.StatusOK || res.Get("token") == "" {
			t.Errorf("%s: %d %s", more, res.Status, res.Body)
		}
	}
}

// A browser is in one session at a time: a login replaces the one before, and where the tokens are to come in the answer, it
// takes the cookies away, which no script could.
func TestLoginReplacesTheSessionOfTheBrowser(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	b, _ := browse(t, s, "mike@example.com", "")
	phone := logIn(t, s, "mike@example.com")
	credentials := "email=mike@example.com&password=" + strings.ReplaceAll(testkit.Password, " ", "+")
	before := b.cookies[refreshCookie]
	if res := b.send(t, http.MethodPost, "/login", credentials+"&session=cookie"); res.Status != http.StatusOK {
		t.Fatalf("%d %s", res.Status, res.Body)
	}
	wantNoTokens(t, s, before, "the session before")
	if res := b.send(t, http.MethodGet, "/user/profile", ""); res.Status != http.StatusOK {
		t.Errorf("the new one: %d %s", res.Status, res.Body)
	}
	before = b.cookies[refreshCookie]
	res := b.send(t, http.MethodPost, "/login", credentials)
	if res.Get("token") == "" || b.cookies[accessCookie] != "" || b.cookies[refreshCookie] != "" {
		t.Fatalf("the cookies stay: %v %s", b.cookies, res.Body)
	}
	wantNoTokens(t, s, before, "the session of the cookies")
	if res := b.send(t, http.MethodGet, "/user/profile", "", "Authorization: Bearer "+res.Get("token")); res.Status != http.StatusOK {
		t.Errorf("the tokens of the answer: %d %s", res.Status, res.Body)
	}
	refreshed(t, s, phone.refresh)
}

// The answer to a refresh may come after that to a login, whose cookies it must not delete.
func TestLateRefusalKeepsTheCookies(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	res := s.Do(t, s.Request(t, http.MethodPost, "/token/refresh", "", "Cookie: "+refreshCookie+"=csr_old"))
	if res.Status != http.StatusUnauthorized || len(res.Header.Values("Set-Cookie")) > 0 {
		t.Errorf("%d %v", res.Status, res.Header)
	}
}
