//go:build unix

package proxytest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/apikey"
	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/internal/testkit/proxytest"
)

// prefix uses Countersign by its paths below /auth/, on each host.
func (s *stage) prefix(t *testing.T, p *proxytest.Proxy) {
	for _, host := range []string{proxytest.APIHost, proxytest.AppHost} {
		body := fmt.Sprintf(`{"email":"target@example.com","password":%q,"session":"cookie"}`, testkit.Password)
		a := ask(t, p, host, "POST /auth/login", "Content-Type: application/json", fmt.Sprint("Content-Length: ", len(body)), "\n"+body)
		cookies := (&http.Response{Header: a.Header}).Cookies()
		if a.Status != http.StatusOK || len(cookies) == 0 {
			t.Errorf("login at %s: %d %s", host, a.Status, a.Body)
			continue
		}
		var all []string
		for _, c := range cookies {
			all = append(all, c.Name+"="+c.Value)
		}
		cookie := "Cookie: " + strings.Join(all, "; ")
		if got := got(ask(t, p, host, "GET /orders/7", cookie)); got == nil || got.Header.Get("X-User-Id") != s.user {
			t.Errorf("%s does not know the cookie of its login: %+v", host, got)
		}
		// A form of another site brings the cookie along, and must not do anything.
		if a := ask(t, p, host, "POST /orders/7", cookie, "Content-Length: 0", "Origin: https://evil.example", "Sec-Fetch-Site: cross-site"); a.Status != http.StatusForbidden {
			t.Errorf("a request from another site at %s: %d", host, a.Status)
		}
	}
	for _, line := range []string{"GET /auth/forward-auth", "GET /auth/forward-auth?for=nginx", "GET /auth/forward-auth/orders/7", "GET /auth/%66orward-auth", "GET /auth//forward-auth", "GET /auth/./forward-auth",
		"GET /auth/admin/api/users", "GET /AUTH/forward-auth", "GET /auth/x/../admin/api/users", "GET /auth/%61dmin/api/users", "GET /forward-auth"} {
		if a := ask(t, p, proxytest.APIHost, line, "X-Forwarded-Uri: /status", "X-Forwarded-Method: GET", "X-Forwarded-Host: "+proxytest.APIHost); a.Status < 400 || a.Status >= 500 || strings.Contains(a.Body, `"request_id"`) && !strings.Contains(a.Body, `"unauthorized"`) {
			t.Errorf("%s: %d, by Countersign? %s", line, a.Status, a.Body)
		}
	}
	if a := ask(t, p, proxytest.APIHost, "GET /auth/healthz"); a.Status != http.StatusOK {
		t.Errorf("healthz: %d", a.Status)
	}
}

// hosts asks one site by the name of the other, and of none.
func (s *stage) hosts(t *testing.T, p *proxytest.Proxy) {
	for _, c := range []struct{ host, line, site string }{
		{proxytest.AppHost, "GET http://api.example.com/status", "api"}, // the request line wins (RFC 9112, section 3.2.2)
		{proxytest.APIHost, "GET http://app.example.com/login", "app"},
		{"API.Example.Com", "GET /status", "api"},
		{"api.example.com:443", "GET /status", "api"},
	} {
		got := got(ask(t, p, c.host, c.line))
		if got == nil || got.Site != c.site {
			t.Errorf("%s at %s: %+v", c.line, c.host, got)
		}
	}
	for _, host := range []string{"evil.example", "api.example.com.evil.example", "evil.example#api.example.com", "api.example.com@evil.example", "127.0.0.1", "", "x api.example.com"} {
		if got := got(ask(t, p, host, "GET /status")); got != nil {
			t.Errorf("host %q: %+v", host, got)
		}
	}
	for _, c := range []struct{ host, line string }{ // public at the one, and guarded at the other
		{proxytest.APIHost, "GET /login"}, {proxytest.AppHost, "GET /status"}, {proxytest.AppHost, "GET http://api.example.com/login"}, {proxytest.APIHost, "GET http://app.example.com/status"},
		{proxytest.APIHost + "\r\nX-Forwarded-Host: " + proxytest.AppHost, "GET /login"}, {proxytest.APIHost + "\r\nHost: " + proxytest.AppHost, "GET /login"},
		{proxytest.AppHost + "\r\nHost: " + proxytest.APIHost, "GET /login"},
	} {
		if got := got(ask(t, p, c.host, c.line)); got != nil && !(got.Site == "app" && got.Target == "/login") {
			t.Errorf("%s at %q: %+v", c.line, c.host, got)
		}
	}
}

// bodies sends what a site must get as it was sent.
func (s *stage) bodies(t *testing.T, p *proxytest.Proxy) {
	body := strings.Repeat("a=%2F&b=\u00e9\x01", 40_000) // more than is kept in memory
	for name, headers := range map[string][]string{
		"length":  {fmt.Sprint("Content-Length: ", len(body)), "\n" + body},
		"chunked": {"Transfer-Encoding: chunked", fmt.Sprintf("\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)},
		"expect":  {fmt.Sprint("Content-Length: ", len(body)), "\n" + body, "X-Kind: large"},
	} {
		a := ask(t, p, proxytest.APIHost, "POST /orders/7", append(headers, bearer(s.target.Good), "Content-Type: text/plain")...)
		if got := got(a); got == nil || got.Method != "POST" || got.Body != strings.ToValidUTF8(body, "\ufffd") {
			t.Errorf("%s: %d, a body of another form: %.200s", name, a.Status, a.Body)
		}
	}
	if a := ask(t, p, proxytest.APIHost, "POST /orders/7", fmt.Sprint("Content-Length: ", len(body)), "\n"+body); a.Status != http.StatusUnauthorized && a.Status != 0 {
		t.Errorf("by nobody: %d", a.Status)
	}
	// The question must not be put into the body of the one that is asked about.
	if a := ask(t, p, proxytest.APIHost, "POST /admin/users", bearer(s.target.Good), "Content-Length: 5", "\nhello"); a.Status != http.StatusForbidden {
		t.Errorf("a body with what is refused: %d", a.Status)
	}
}

// upgrade opens WebSockets, and nothing else.
func (s *stage) upgrade(t *testing.T, p *proxytest.Proxy) {
	open := func(headers ...string) string {
		conn, err := net.Dial("tcp", p.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "GET /orders/feed HTTP/1.1\r\nHost: "+proxytest.APIHost+"\r\n"+strings.Join(headers, "\r\n")+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(conn)
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusSwitchingProtocols {
			return res.Status
		}
		hello, err := r.Peek(len("hello"))
		if err != nil {
			t.Error(err)
		}
		if protocol := res.Header.Get("Upgrade"); protocol != "websocket" {
			return "upgraded to " + protocol
		}
		return string(hello)
	}
	handshake := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}
	if said := open(append(handshake, bearer(s.target.Good))...); said != "hello" {
		t.Errorf("with a token: %s", said)
	}
	if said := open(append(handshake, "Cookie: "+s.target.Cookie+"="+s.target.Good, "Origin: https://"+proxytest.APIHost, "Sec-Fetch-Site: same-origin")...); said != "hello" {
		t.Errorf("with a cookie: %s", said)
	}
	if said := open(append(handshake, "Cookie: "+s.target.Cookie+"="+s.target.Good, "Origin: https://evil.example", "Sec-Fetch-Site: cross-site")...); !strings.HasPrefix(said, "403") {
		t.Errorf("with a cookie, from a page of another site: %s", said)
	}
	if said := open(handshake...); !strings.HasPrefix(said, "401") {
		t.Errorf("without a token: %s", said)
	}
	for _, protocol := range []string{"h2c", "TLS/1.0", "websocket, h2c", "h2c, websocket"} {
		if said := open("Connection: Upgrade, HTTP2-Settings", "Upgrade: "+protocol, "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", bearer(s.target.Good)); said == "hello" || strings.HasPrefix(said, "upgraded") {
			t.Errorf("%s is let through", protocol)
		}
	}
	// Beside another one, nginx takes the first for the only one, and Caddy is told which.
	for _, first := range []string{"h2c", "TLS/1.0"} {
		if said := open("Connection: Upgrade, HTTP2-Settings", "Upgrade: "+first, "Upgrade: websocket", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", bearer(s.target.Good)); strings.HasPrefix(said, "upgraded") {
			t.Errorf("%s is let through beside a WebSocket", first)
		}
	}
}

// logout ends a session, whose token is refused from then on.
func (s *stage) logout(t *testing.T, p *proxytest.Proxy) {
	token := s.server.LogIn(t, "target@example.com")
	if a := ask(t, p, proxytest.APIHost, "GET /orders/7", bearer(token)); a.Status != http.StatusOK {
		t.Errorf("before: %d", a.Status)
	}
	if a := ask(t, p, proxytest.APIHost, "POST /auth/logout", bearer(token), "Content-Length: 0"); a.Status != http.StatusNoContent {
		t.Errorf("logout: %d %s", a.Status, a.Body)
	}
	if a := ask(t, p, proxytest.APIHost, "GET /orders/7", bearer(token)); a.Status != http.StatusUnauthorized {
		t.Errorf("afterwards: %d", a.Status)
	}
}

// keys uses an API key, which has a scope and no role, and ends with its owner's wish.
func (s *stage) keys(t *testing.T, p *proxytest.Proxy) {
	made, key, err := s.server.App.APIKeys.Create(t.Context(), s.user, apikey.Wish{Name: "reports", Scopes: []string{"reports"}}, audit.By{Actor: audit.CLI})
	if err != nil {
		t.Fatal(err)
	}
	text := key.Reveal()
	invalid := []int{http.StatusBadRequest, http.StatusForbidden} // whichever the proxy has
	for _, c := range []struct {
		line    string
		headers []string
		want    []int
	}{
		{"GET /reports/1", []string{"X-API-Key: " + text}, []int{200}},
		{"GET /reports/1", []string{bearer(text)}, []int{200}},
		{"GET /orders/7", []string{"X-API-Key: " + text}, []int{200}},
		{"GET /admin/users", []string{"X-API-Key: " + text}, []int{403}},
		{"GET /transfers/1", []string{"X-API-Key: " + text}, []int{401}}, // nobody has logged in
		{"GET /reports/1", []string{"X-API-Key: " + text[:len(text)-1] + "x"}, []int{401}},
		{"GET /reports/1?api_key=" + text, nil, []int{401}},
		{"GET /reports/1", []string{"X-API-Key: " + text, bearer(s.target.Good)}, invalid},
		{"GET /reports/1", []string{"X-API-Key: " + text, "Cookie: " + s.target.Cookie + "=" + s.target.Good}, invalid},
	} {
		a := ask(t, p, proxytest.APIHost, c.line, c.headers...)
		if !slices.Contains(c.want, a.Status) {
			t.Errorf("%s with %.12q: %d, want %v: %s", c.line, c.headers, a.Status, c.want, a.Body)
		}
		if got := got(a); got != nil && (got.Header.Get("X-User-Scopes") != "reports" || got.Header.Get("X-User-Roles") != "" || got.Header.Get("X-User-Id") != s.user) {
			t.Errorf("%s: %v", c.line, got.Header)
		}
	}
	if err := s.server.App.APIKeys.Revoke(t.Context(), s.user, made.ID, audit.By{Actor: audit.CLI}); err != nil {
		t.Fatal(err)
	}
	if a := ask(t, p, proxytest.APIHost, "GET /reports/1", "X-API-Key: "+text); a.Status != http.StatusUnauthorized {
		t.Errorf("a key that was revoked: %d", a.Status)
	}
}

// expiry moves the clock until no token is good.
func (s *stage) expiry(t *testing.T) {
	s.server.Clock.Advance(2 * time.Hour)
	for name, p := range s.proxies {
		if a := ask(t, p, proxytest.APIHost, "GET /orders/7", bearer(s.target.Good)); a.Status != http.StatusUnauthorized || !strings.Contains(a.Header.Get("WWW-Authenticate"), "invalid_token") {
			t.Errorf("%s: %d %v", name, a.Status, a.Header)
		}
	}
}

// down ends Countersign: nothing is let through any more that needs somebody to be known.
func (s *stage) down(t *testing.T) {
	s.server.Stop()
	for name, p := range s.proxies {
		for _, line := range []string{"GET /orders/7", "POST /orders/7", "HEAD /orders/7", "GET /status", "GET /admin/users", "GET /auth/healthz"} {
			for _, headers := range [][]string{nil, {bearer(s.target.Good)}, {bearer(s.admin), "X-User-Id: u1"}} {
				a := ask(t, p, proxytest.APIHost, line, append(headers, "Content-Length: 0")...)
				if a.Status < 500 || got(a) != nil {
					t.Errorf("%s: %s: %d %s", name, line, a.Status, a.Body)
				}
				if name == "nginx" && !strings.HasPrefix(line, "GET /auth") && (a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "") {
					t.Errorf("%s: %s: %d %v", name, line, a.Status, a.Header)
				}
			}
		}
	}
}
