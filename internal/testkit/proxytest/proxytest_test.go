//go:build unix

package proxytest_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/internal/testkit/hostile"
	"github.com/countersign-auth/countersign/internal/testkit/proxytest"
)

// TestProxies puts nginx and Caddy, with the files of the examples, before one server and two sites.
func TestProxies(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	t.Run("together", func(t *testing.T) {
		for name, f := range map[string]func(*testing.T, *proxytest.Proxy){
			"rules": s.rules, "spellings": s.spellings, "identity": s.identity, "spoofed": s.spoofed, "login page": s.loginPage,
			"prefix": s.prefix, "logout": s.logout, "keys": s.keys,
		} {
			each(t, s.proxies, name, f)
			each(t, s.secure, name+" by HTTP/2", f)
		}
		each(t, s.proxies, "hostile", s.hostile)
		each(t, s.proxies, "hosts", s.hosts)
		each(t, s.proxies, "bodies", s.bodies)
		each(t, s.proxies, "upgrade", s.upgrade)
		each(t, s.secure, "forged by HTTP/2", s.forged2)
	})
	if log := s.proxies["nginx"].AccessLog(t); strings.Contains(log, s.target.Good[:40]) || !strings.Contains(log, "api.example.com/orders/7") {
		t.Errorf("the access log:\n%.2000s", log)
	}
	t.Run("expiry", func(t *testing.T) { s.expiry(t) })
	t.Run("down", func(t *testing.T) { s.down(t) })
}

// hostile sends the whole list of attacks to a guarded path of the API.
func (s *stage) hostile(t *testing.T, p *proxytest.Proxy) {
	target := s.target
	target.Addr = p.Addr
	if p == s.proxies["nginx"] {
		target.Invalid = []int{400, 401, 403}
	}
	hostile.Run(t, target)
}

// rules asks for what the rules of the example say.
func (s *stage) rules(t *testing.T, p *proxytest.Proxy) {
	for _, c := range []struct {
		host, line string
		// what nobody gets, somebody of a login long ago, a user, and an admin
		nobody, stale, user, admin int
	}{
		{proxytest.APIHost, "GET /status", 200, 200, 200, 200},
		{proxytest.APIHost, "GET /", 401, 200, 200, 200},
		{proxytest.APIHost, "GET /orders/7", 401, 200, 200, 200},
		{proxytest.APIHost, "POST /orders/7", 401, 200, 200, 200},
		{proxytest.APIHost, "DELETE /orders/7", 401, 403, 403, 200},
		{proxytest.APIHost, "OPTIONS /orders/7", 401, 403, 403, 200},
		{proxytest.APIHost, "GET /admin/users", 401, 403, 403, 200},
		{proxytest.APIHost, "HEAD /admin/users", 401, 403, 403, 200},
		{proxytest.APIHost, "GET /reports/1", 401, 403, 403, 403},
		{proxytest.APIHost, "GET /transfers/1", 401, 401, 401, 401}, // all logged in a while ago
		{proxytest.AppHost, "GET /assets/x.css", 200, 200, 200, 200},
		{proxytest.AppHost, "GET /admin/users", 401, 200, 200, 200},
	} {
		for i, want := range []int{c.nobody, c.stale, c.user, c.admin} {
			headers := []string{"Content-Length: 0"}
			if token := []string{"", s.stale, s.target.Good, s.admin}[i]; token != "" {
				headers = append(headers, bearer(token))
			}
			a := ask(t, p, c.host, c.line, headers...)
			if a.Status != want {
				t.Errorf("%s %s by %d: %d, want %d: %s", c.host, c.line, i, a.Status, want, a.Body)
			}
			if challenge := a.Header.Get("WWW-Authenticate"); a.Status == 401 && i > 0 && !strings.Contains(challenge, `error="insufficient_user_authentication"`) {
				t.Errorf("%s: the challenge is %q", c.line, challenge)
			}
			if n := len(a.Header.Values("WWW-Authenticate")); a.Status == 401 && n != 1 {
				t.Errorf("%s: %d challenges", c.line, n)
			}
		}
	}
	fresh := s.server.LogIn(t, "target@example.com")
	if a := ask(t, p, proxytest.APIHost, "GET /transfers/1", bearer(fresh)); a.Status != 200 {
		t.Errorf("after a login: %d %s", a.Status, a.Body)
	}
	for _, header := range []string{"X-HTTP-Method-Override: DELETE", "X-HTTP-Method: DELETE", "X-Method-Override: DELETE", "X_HTTP_Method_Override: DELETE", "X.HTTP.Method.Override: DELETE", "SCRIPT_NAME: /admin", "X-Original-URL: /admin/users",
		"X-Rewrite-URL: /admin/users", "X-Forwarded-Prefix: /admin", "X-Forwarded-Uri: /admin/users", "X-Forwarded-Method: DELETE", "Forwarded: host=evil.example"} {
		a := ask(t, p, proxytest.APIHost, "POST /orders/7", bearer(s.target.Good), header, "Content-Length: 0")
		name, value, _ := strings.Cut(header, ": ")
		if got := got(a); got != nil && strings.Contains(fmt.Sprint(got.Header), value) {
			t.Errorf("%s reaches the site: %v", name, got.Header)
		} else if got == nil && a.Status != http.StatusForbidden {
			t.Errorf("%s: %d", name, a.Status)
		}
	}
}

// spellings asks for a path that needs a role, in all spellings, without it.
func (s *stage) spellings(t *testing.T, p *proxytest.Proxy) {
	for _, path := range []string{"/admin/users", "/orders/7"} {
		for _, target := range hostile.Spellings(proxytest.APIHost, path) {
			for _, method := range []string{"DELETE", "PUT"} {
				a := ask(t, p, proxytest.APIHost, method+" "+target, bearer(s.target.Good), "Content-Length: 0")
				if got := got(a); got != nil && leads(got, path) || a.Status >= 500 {
					t.Errorf("%s %q: %d %s", method, target, a.Status, a.Body)
				}
			}
			a := ask(t, p, proxytest.APIHost, "GET "+target)
			thrownAway := p.TLS && a.Status == 0 // by HTTP/2 such a request need not be answered
			if got := got(a); got != nil || a.Status >= 500 || a.Status < 300 && !thrownAway {
				t.Errorf("GET %q by nobody: %d %s", target, a.Status, a.Body)
			}
		}
	}
}

// leads reports whether any server at all could take the target that a site got for the path.
func leads(got *seen, path string) bool {
	target, _, _ := strings.Cut(got.Target, "?")
	for range 3 {
		if decoded, err := url.PathUnescape(target); err == nil {
			target = decoded
		}
	}
	target = strings.ToLower(strings.ToUpper(target))         // which makes one of letters that are variants
	if strings.HasPrefix(target, "/"+proxytest.APIHost+"/") { // what Traefik makes of two slashes before it asks; with one, that is no host
		return false
	}
	first, rest, _ := strings.Cut(path[1:], "/")
	return strings.Contains(target, first) && strings.Contains(target, rest)
}

// identity looks at what a site gets to know.
func (s *stage) identity(t *testing.T, p *proxytest.Proxy) {
	for name, credential := range map[string]string{"bearer": bearer(s.target.Good), "cookie": "Cookie: big=" + strings.Repeat("x", 7000) + "; " + s.target.Cookie + "=" + s.target.Good} {
		got := got(ask(t, p, proxytest.APIHost, "GET /orders/a%2Cb%C3%A9?a=%2F&b", credential))
		if got == nil {
			t.Errorf("%s: is not let through", name)
			continue
		}
		if got.Header.Get("X-User-Id") != s.user || got.Header.Get("X-User-Email") != "target@example.com" || got.Header.Get("X-User-Roles") != "" {
			t.Errorf("%s: %v", name, got.Header)
		}
		if got.Target != "/orders/a%2Cb%C3%A9?a=%2F&b" || got.Host != proxytest.APIHost || got.Header.Get("X-Forwarded-Host") != proxytest.APIHost || got.Header.Get("X-Forwarded-For") != "127.0.0.1" {
			t.Errorf("%s: %+v", name, got)
		}
		parts := strings.Split(got.Header.Get("X-User-Assertion"), ".")
		claims, err := base64.RawURLEncoding.DecodeString(parts[len(parts)/2])
		if err != nil || !strings.Contains(string(claims), `"sub":"`+s.user+`"`) || !strings.Contains(string(claims), `://api.example.com"`) {
			t.Errorf("%s: the assertion has %s (%v)", name, claims, err)
		}
	}
	if got := got(ask(t, p, proxytest.APIHost, "GET /admin/users", bearer(s.admin))); got == nil || got.Header.Get("X-User-Roles") != "admin" {
		t.Errorf("an admin: %+v", got)
	}
}

// spoofed writes the headers that tell who somebody is, on guarded and on public paths.
func (s *stage) spoofed(t *testing.T, p *proxytest.Proxy) {
	for _, name := range []string{"X-User-Id", "X-User-Email", "X-User-Roles", "X-User-Scopes", "X-User-Assertion", "x-user-id", "X_User_Id", "X_USER_ROLES", "X-User_Roles", "X_User-Id", "X.User-Id", "X.User.Roles", "X-User.Id", "X.Forwarded.For",
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "X-Request-Id"} {
		for _, line := range []string{"GET /orders/7", "GET /status", "HEAD /orders/7", "GET /status?for=nginx"} {
			for _, headers := range [][]string{{name + ": forged"}, {name + ": forged", name + ": forged"}, {name + ": forged", bearer(s.target.Good)}, {"Connection: " + name, bearer(s.target.Good)},
				{name + ": forged", "Connection: X-User-Id, X-User-Roles, X-Forwarded-For", bearer(s.target.Good)}} {
				a := ask(t, p, proxytest.APIHost, line, headers...)
				if a.Status >= 500 {
					t.Errorf("%s %v: %d", line, headers, a.Status)
				}
				got := got(a)
				if got == nil {
					continue
				}
				delete(got.Header, "Connection")
				if text := fmt.Sprint(got.Header); strings.Contains(text, "forged") || strings.Contains(text, "{http") {
					t.Errorf("%s with %q: the site gets %v", line, headers, got.Header)
				}
				if id := got.Header.Get("X-User-Id"); id != "" && id != s.user || id == "" && line == "GET /orders/7" {
					t.Errorf("%s with %q: X-User-Id is %q", line, headers, id)
				}
			}
		}
	}
}

// loginPage is where browsers are sent, and nobody else.
func (s *stage) loginPage(t *testing.T, p *proxytest.Proxy) {
	scheme := "http"
	if p.TLS {
		scheme = "https"
	}
	want := "https://app.example.com/login?return_to=" + scheme + "%3A%2F%2Fapp.example.com%2Finbox%3Fa%3D1%26b"
	for _, headers := range [][]string{{"Accept: text/html,*/*"}, {"Sec-Fetch-Mode: navigate"}} {
		a := ask(t, p, proxytest.AppHost, "GET /inbox?a=1&b", headers...)
		if a.Status != http.StatusFound || a.Header.Get("Location") != want {
			t.Errorf("%v: %d to %q", headers, a.Status, a.Header.Get("Location"))
		}
	}
	for _, headers := range [][]string{{"Accept: application/json"}, {"Sec-Fetch-Mode: cors", "Accept: text/html"}, {"Accept: text/html", bearer("a.b.c")}} {
		a := ask(t, p, proxytest.AppHost, "GET /inbox", headers...)
		if a.Status != http.StatusUnauthorized || a.Header.Get("Location") != "" {
			t.Errorf("%v: %d to %q", headers, a.Status, a.Header.Get("Location"))
		}
	}
	if a := ask(t, p, proxytest.AppHost, "GET /login", "Accept: text/html"); got(a) == nil {
		t.Errorf("the login page: %d", a.Status)
	}
}
