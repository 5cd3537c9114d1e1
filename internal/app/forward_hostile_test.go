package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/internal/testkit"
)

const forwarded = "X-Forwarded-Method: GET|X-Forwarded-Host: app.example.com|X-Forwarded-Uri: /a|X-Forwarded-Proto: https"

func TestForwardAuthOfHeadersThatAreWrong(t *testing.T) {
	t.Parallel()
	s := withRules(t, "rules:\n  - {path: /public, allow: public}\n  - {path: /**}\n")
	token := s.SignUpAndLogIn(t, "mike@example.com")
	for _, tt := range []struct {
		headers string
		status  int
		code    string
	}{
		{forwarded, 200, ""},
		{strings.Replace(forwarded, "X-Forwarded-Method", "X-None", 1), 400, "forwarded_headers_missing"},
		{strings.Replace(forwarded, "X-Forwarded-Host", "X-None", 1), 400, "forwarded_headers_missing"},
		{strings.Replace(forwarded, "X-Forwarded-Uri", "X-None", 1), 400, "forwarded_headers_missing"},
		{strings.Replace(forwarded, "X-Forwarded-Proto", "X-None", 1), 200, ""},
		{strings.Replace(forwarded, "Uri: /a", "Uri: ", 1), 400, "forwarded_headers_missing"},
		{forwarded + "|X-Forwarded-Uri: /public", 403, "forwarded_headers_invalid"},
		{forwarded + "|X-Forwarded-Uri: /a", 403, "forwarded_headers_invalid"},
		{forwarded + "|X-Forwarded-Host: app.example.com", 403, "forwarded_headers_invalid"},
		{forwarded + "|X-Forwarded-Method: GET", 403, "forwarded_headers_invalid"},
		{forwarded + "|X-Forwarded-Proto: https", 403, "forwarded_headers_invalid"},
		{strings.Replace(forwarded, "https", "javascript", 1), 403, "forwarded_headers_invalid"},
		{strings.Replace(forwarded, "https", "https, http", 1), 403, "forwarded_headers_invalid"},
		{strings.Replace(forwarded, "app.example.com", "app.example.com, evil", 1), 403, "forwarded_headers_invalid"},
		{strings.Replace(forwarded, "app.example.com", "evil@app.example.com", 1), 403, "forwarded_headers_invalid"},
		{strings.Replace(forwarded, "app.example.com", "app.example.com/x", 1), 403, "forwarded_headers_invalid"},
		{strings.Replace(forwarded, "Uri: /a", "Uri: http://x/public", 1), 403, "path_not_plain"},
		{strings.Replace(forwarded, "Method: GET", "Method: Get", 1), 403, "method_not_plain"},
		{forwarded + "|X-HTTP-Method-Override: DELETE", 403, "method_not_plain"},
		{forwarded + "|X-HTTP-Method: DELETE", 403, "method_not_plain"},
		{forwarded + "|X-Method-Override: GET|X-Method-Override: DELETE", 403, "method_not_plain"},
		{forwarded + "|X-HTTP-Method-Override: GET", 200, ""},
		{forwarded + "|X_User_Id: root", 403, "header_not_plain"},
		{forwarded + "|X-User_roles: root", 403, "header_not_plain"},
		{forwarded + "|X_HTTP_Method_Override: DELETE", 403, "header_not_plain"},
		{forwarded + "|X_Other: 1", 200, ""},
		{forwarded + "|X.User-Id: root", 403, "header_not_plain"}, // as PHP reads it
		{forwarded + "|x-user.roles: root", 403, "header_not_plain"},
		{forwarded + "|X.HTTP.Method.Override: DELETE", 403, "header_not_plain"},
		{forwarded + "|X.Forwarded-For: 10.0.0.1", 403, "header_not_plain"},
		{forwarded + "|SCRIPT_NAME: /a", 403, "header_not_plain"}, // as Gunicorn reads it
		{forwarded + "|PATH_INFO: /a", 403, "header_not_plain"},
		{forwarded + "|Script-Name: /a", 200, ""},
		{forwarded + "|X.Other: 1", 200, ""},
		{forwarded + "|Upgrade: h2c", 403, "header_not_plain"},
		{forwarded + "|Upgrade: websocket, h2c", 403, "header_not_plain"},
		{forwarded + "|Upgrade: websocket|Upgrade: h2c", 403, "header_not_plain"},
		{forwarded + "|Upgrade: WebSocket", 200, ""},
		{forwarded + "|X-Original-URL: /public", 403, "header_not_plain"},
		{forwarded + "|X-Rewrite-URL: /a|X-Rewrite-URL: /public", 403, "header_not_plain"},
		{forwarded + "|X_Original_URL: /a", 403, "header_not_plain"},
		{forwarded + "|X-Original-URL: https://app.example.com/a|X-Rewrite-URL: /a", 200, ""},
		{forwarded + "|Cookie: " + accessCookie + "=" + token, 400, "invalid_request"},
		{forwarded + "|Authorization: Bearer " + token, 400, "invalid_request"},
		{forwarded + "|X-API-Key: csk_x", 400, "invalid_request"},
	} {
		for _, nginx := range []bool{false, true} {
			path, want := "/forward-auth", tt.status
			if nginx {
				if path += "?for=nginx"; want == 400 && tt.code != "forwarded_headers_missing" {
					want = 403
				}
			}
			headers := append(strings.Split(tt.headers, "|"), "Authorization: Bearer "+token)
			res := s.Do(t, s.Request(t, http.MethodGet, path, "", headers...))
			if res.Status != want || res.Code() != tt.code {
				t.Errorf("%s by %s: %d %s, want %d %s", path, tt.headers, res.Status, res.Code(), want, tt.code)
			}
		}
	}
}

func TestForwardAuthIsForTrustedProxies(t *testing.T) {
	t.Parallel()
	for _, proxies := range []string{"", "10.0.0.0/8"} {
		s := testkit.Start(t, "trusted_proxies="+proxies)
		token := s.SignUpAndLogIn(t, "mike@example.com")
		for _, path := range []string{"/forward-auth", "/forward-auth?for=nginx", "/forward-auth/a"} {
			headers := append(strings.Split(forwarded, "|"), "Authorization: Bearer "+token, "X-Forwarded-For: 10.0.0.1")
			if res := s.Do(t, s.Request(t, http.MethodGet, path, "", headers...)); res.Status != 403 || res.Code() != "untrusted_proxy" || res.Header.Get("X-User-Id") != "" {
				t.Errorf("%q %s: %d %s", proxies, path, res.Status, res.Code())
			}
		}
	}
}

// line sends a request line as it is, which no client of net/http would.
func line(t *testing.T, s *testkit.Server, method, target string, headers ...string) *http.Response {
	t.Helper()
	answers, _ := raw(t, s, fmt.Sprintf("%s %s HTTP/1.1\r\nConnection: close\r\n%s\r\n\r\n", method, target, strings.Join(headers, "\r\n")))
	if len(answers) != 1 {
		t.Fatalf("%s %s: %d answers", method, target, len(answers))
	}
	return answers[0]
}

// Envoy sends the request on with a path before its own.
func TestForwardAuthByPath(t *testing.T) {
	t.Parallel()
	s := withRules(t, `rules:
  - {path: /, allow: public}
  - {host: app.example.com, path: /admin/**, methods: [DELETE], role: admin}
  - {host: app.example.com, path: /**}
`, "login_url=/auth/login")
	token := "Authorization: Bearer " + s.SignUpAndLogIn(t, "mike@example.com")
	for _, tt := range []struct {
		method, target, host string
		status               int
	}{
		{"GET", "/forward-auth/", "any", 200},
		{"GET", "/forward-auth/a/b?c=%zz", "app.example.com", 200},
		{"POST", "/forward-auth/admin/x", "app.example.com", 200},
		{"DELETE", "/forward-auth/admin/x", "app.example.com", 403},
		{"DELETE", "/forward-auth/%61DMIN/x", "app.example.com", 403},
		{"GET", "/forward-auth/a", "other.example.com", 403},
		{"GET", "/forward-auth//a", "app.example.com", 403},
		{"GET", "/forward-auth/a/../admin", "app.example.com", 403},
		{"GET", "/forward-auth/a%2f..%2fadmin", "app.example.com", 403},
		{"GET", `/forward-auth/a\b`, "app.example.com", 403},
		{"GET", "/forward-auth/..", "app.example.com", 403},
		{"OPTIONS", "/forward-auth/a", "app.example.com", 200},
		// Other spellings of the mount are not it.
		{"GET", "/forward-auth/../forward-auth/", "app.example.com", 403},
		{"GET", "//forward-auth/", "any", 404},
		{"GET", "/Forward-Auth/", "any", 404},
		{"GET", "/%66orward-auth/", "any", 404},
		{"GET", "/forward-authx", "any", 404},
		{"GET", "http://any/forward-auth/", "any", 404},
	} {
		res := line(t, s, tt.method, tt.target, "Host: "+tt.host, token, "X-Forwarded-Uri: /", "X-Forwarded-Method: GET", "X-Forwarded-Host: any", "X-Forwarded-Proto: http")
		if res.StatusCode != tt.status {
			t.Errorf("%s %s: %d, want %d", tt.method, tt.target, res.StatusCode, tt.status)
		}
	}
	res := line(t, s, "GET", "/forward-auth/a?b=c", "Host: app.example.com", "X-Forwarded-Proto: http", "Accept: text/html")
	if want := "http://app.example.com/auth/login?return_to=http%3A%2F%2Fapp.example.com%2Fa%3Fb%3Dc"; res.StatusCode != 302 || res.Header.Get("Location") != want {
		t.Errorf("login: %d %q", res.StatusCode, res.Header.Get("Location"))
	}
}

// T6 and attack 94: no spelling of a path, and no method, gets by a rule without a token.
func TestForwardAuthLetsNoSpellingThrough(t *testing.T) {
	t.Parallel()
	s := withRules(t, "rules:\n  - {path: /user/profile}\n  - {path: /**, allow: public}\n")
	for _, path := range []string{
		"/user/profile", "//user/profile", "/user//profile", "/user/./profile", "/./user/profile", "/user/x/../profile", "/USER/profile", "/User/Profile", "/user/profile/",
		"/%75ser/profile", "/user%2fprofile", "/user%2Fprofile", "/user/profile%00", "/user/profile%20", "/user/profile.", "/user/profile;x", "/user;x/profile", "/user/..;/user/profile",
		"/user/%70rofile", "/user/%2570rofile", `/user\profile`, "/user%5cprofile", "/user/profile.json", "/user/profile#x", "/u%C5%BFer/profile", "/user/prof%C4%B1le",
		"/user/profile?x", "/user/profile%3fx", "/%2e/user/profile", "/user/profile%0a", "/user/profile/.", "/user/profile/%2e%2e/profile", "/user/%EF%BD%90rofile",
	} {
		for _, method := range []string{"GET", "HEAD", "OPTIONS", "TRACE", "POST", "get", "PROPFIND"} {
			if res := asks(t, s, method, "any", path); res.Status == http.StatusOK {
				t.Errorf("%s %s passes without a token", method, path)
			}
		}
	}
	if res := asks(t, s, "GET", "any", "/user/profiles"); res.Status != http.StatusOK {
		t.Errorf("another path: %d", res.Status)
	}
}

func TestForwardAuthAndPagesOfOtherOrigins(t *testing.T) {
	t.Parallel()
	s := withRules(t, "rules:\n  - {path: /public, allow: public}\n  - {path: /**}\n", "cors.origins=https://friend.example")
	b, _ := browse(t, s, "mike@example.com", "")
	cookie := "Cookie: " + accessCookie + "=" + b.cookies[accessCookie]
	bearer := "Authorization: Bearer " + b.cookies[accessCookie]
	for _, tt := range []struct {
		method, headers string
		status          int
	}{
		{"POST", cookie + "|Sec-Fetch-Site: same-origin|Origin: https://app.example.com", 200},
		{"POST", cookie + "|Sec-Fetch-Site: cross-site|Origin: https://evil.example", 403},
		{"POST", cookie + "|Sec-Fetch-Site: same-site|Origin: https://b.example.com", 403},
		{"POST", cookie + "|Origin: https://evil.example", 403},
		{"POST", cookie + "|Origin: https://app.example.com", 200},
		{"POST", cookie + "|Origin: null", 403},
		{"POST", cookie + "|Sec-Fetch-Site: cross-site|Origin: https://friend.example", 200},
		{"POST", cookie, 200}, // no browser sends it so
		{"POST", bearer + "|Sec-Fetch-Site: cross-site|Origin: https://evil.example", 200},
		{"GET", cookie + "|Sec-Fetch-Site: cross-site|Origin: https://evil.example", 200},
		{"GET", cookie + "|Sec-Fetch-Site: cross-site|Origin: https://evil.example|Sec-WebSocket-Key: x", 403},
		{"GET", cookie + "|Sec-Fetch-Site: cross-site|Origin: https://evil.example|Sec-Fetch-Mode: websocket", 403},
		{"GET", cookie + "|Sec-Fetch-Site: same-origin|Origin: https://app.example.com|Sec-WebSocket-Key: x", 200},
		{"OPTIONS", "Origin: https://friend.example|Access-Control-Request-Method: POST", 401},
	} {
		res := asks(t, s, tt.method, "app.example.com", "/a", strings.Split(tt.headers, "|")...)
		if res.Status != tt.status || tt.status == 403 && res.Code() != "cross_origin" || res.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s by %q: %d %s, want %d", tt.method, strings.ReplaceAll(tt.headers, b.cookies[accessCookie], "…"), res.Status, res.Code(), tt.status)
		}
	}
	res := asks(t, s, "POST", "app.example.com", "/public", cookie, "Sec-Fetch-Site: cross-site")
	if res.Status != http.StatusOK || res.Header.Get("X-User-Id") != "" {
		t.Errorf("a public path, from another site: %d as %q", res.Status, res.Header.Get("X-User-Id"))
	}
}

func TestForwardAuthForNginx(t *testing.T) {
	t.Parallel()
	s := withRules(t, "rules:\n  - {host: app.example.com, path: /**}\n", "login_url=/auth/login")
	headers := append(strings.Split(forwarded, "|"), "Accept: text/html")
	res := s.Do(t, s.Request(t, http.MethodGet, "/forward-auth?for=nginx", "", headers...))
	if want := "https://app.example.com/auth/login?return_to=https%3A%2F%2Fapp.example.com%2Fa"; res.Status != 401 || res.Header.Get("X-Login-Url") != want || res.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("%d %v", res.Status, res.Header)
	}
	res = s.Do(t, s.Request(t, http.MethodGet, "/forward-auth?for=nginx", "", strings.Split(forwarded, "|")...))
	if res.Status != 401 || res.Header.Get("X-Login-Url") != "" {
		t.Errorf("a program is told of a login page: %d %v", res.Status, res.Header)
	}
}

// Caddy puts the client's query behind a question that has none. What is missing then, it would let through from the client,
// or take for what it is called.
func TestForwardAuthForNginxByTheClientsWish(t *testing.T) {
	t.Parallel()
	s := withRules(t, "rules:\n  - {path: /**, allow: public}\n")
	for uri, want := range map[string]bool{"/a?for=nginx": true, "/a": false} {
		res := s.Do(t, s.Request(t, http.MethodGet, "/forward-auth?for=nginx", "", "X-Forwarded-Method: GET", "X-Forwarded-Host: app.example.com", "X-Forwarded-Uri: "+uri))
		for _, name := range []string{"X-User-Id", "X-User-Email", "X-User-Roles", "X-User-Scopes", "X-User-Assertion"} {
			if _, has := res.Header[name]; res.Status != http.StatusOK || has != want {
				t.Errorf("%s: %d, has %s: %v, want %v", uri, res.Status, name, has, want)
			}
		}
	}
}

func TestForwardAuthLogsNoQuery(t *testing.T) {
	t.Parallel()
	s := withRules(t, "rules:\n  - {path: /**, allow: public}\n")
	asks(t, s, "GET", "app.example.com", "/a?secret_token="+testkit.Canary)
	line(t, s, "GET", "/forward-auth/a?secret_token="+testkit.Canary, "Host: app.example.com")
	if log := s.Log(); strings.Count(log, "/forward-auth") < 2 || strings.Contains(log, testkit.Canary) {
		t.Errorf("the log:\n%s", log)
	}
}
