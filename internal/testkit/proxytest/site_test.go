//go:build unix

package proxytest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/internal/testkit/hostile"
	"github.com/countersign-auth/countersign/internal/testkit/proxytest"
)

// seen is what a site behind a proxy got, as it answers it.
type seen struct {
	Site, Method, Target, Host, Body string
	Header                           http.Header
}

// site is a server that answers what it got, and takes part in WebSockets as far as to say hello.
func site(t *testing.T, name string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: "+r.Header.Get("Upgrade")+"\r\nConnection: Upgrade\r\n\r\nhello")
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("%s: the body: %v", name, err)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(seen{Site: name, Method: r.Method, Target: r.RequestURI, Host: r.Host, Body: string(body), Header: r.Header})
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// stage is Countersign, two sites, and the proxies before them.
type stage struct {
	server  *testkit.Server
	proxies map[string]*proxytest.Proxy // without TLS, by HTTP/1.1
	secure  map[string]*proxytest.Proxy // by HTTP/2
	target  hostile.Target              // with what a user sends who has no role
	user    string                      // whose id it is
	admin   string                      // a token
	stale   string                      // a token of a login that is long ago
}

func newStage(t *testing.T) *stage {
	t.Helper()
	rules, err := filepath.Abs("../../../examples/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{server: testkit.Start(t, "trusted_proxies=127.0.0.1", "rules_file="+rules, "login_url=https://app.example.com/login", "limits.insecure_disabled=true", "jwt.access_ttl=1h")}
	behind := proxytest.Servers{Countersign: s.server.Addr, API: site(t, "api"), App: site(t, "app")}
	s.proxies = map[string]*proxytest.Proxy{"nginx": proxytest.Nginx(t, behind), "caddy": proxytest.Caddy(t, behind)}
	s.secure = map[string]*proxytest.Proxy{"nginx": proxytest.NginxTLS(t, behind), "caddy": proxytest.CaddyTLS(t, behind)}
	if bin := os.Getenv("COUNTERSIGN_TEST_TRAEFIK"); bin != "" { // not one of the tools that the tests need
		s.proxies["traefik"], s.secure["traefik"] = proxytest.Traefik(t, bin, behind), proxytest.TraefikTLS(t, bin, behind)
	}
	s.target = s.server.Target(t)
	s.target.Host, s.target.Path, s.target.Query, s.target.Plain = proxytest.APIHost, "/orders/7", "", true
	s.user = s.server.Profile(t, s.target.Good).Get("user", "_id")
	id := s.server.SignUp(t, "admin@example.com")
	admin, err := s.server.App.Store.User(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	admin.Roles = []string{"admin"}
	if err := s.server.App.Store.UpdateUser(t.Context(), admin); err != nil {
		t.Fatal(err)
	}
	s.admin = s.server.LogIn(t, "admin@example.com")
	s.stale = s.server.SignUpAndLogIn(t, "stale@example.com")
	s.server.Clock.Advance(20 * time.Minute)
	return s
}

// each runs f as a parallel subtest before each of these proxies.
func each(t *testing.T, proxies map[string]*proxytest.Proxy, name string, f func(t *testing.T, p *proxytest.Proxy)) {
	for proxy, p := range proxies {
		t.Run(name+"/"+proxy, func(t *testing.T) {
			t.Parallel()
			f(t, p)
		})
	}
}

// ask sends a request over a connection of its own, by HTTP/2 to a proxy with TLS. Headers come as name: value.
func ask(t *testing.T, p *proxytest.Proxy, host, line string, headers ...string) hostile.Answer {
	t.Helper()
	if p.TLS {
		return ask2(t, p, host, line, headers...)
	}
	raw := line + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n"
	body := ""
	if i := slices.IndexFunc(headers, func(h string) bool { return strings.HasPrefix(h, "\n") }); i >= 0 {
		body, headers = headers[i][1:], slices.Delete(slices.Clone(headers), i, i+1)
	}
	for _, h := range headers {
		raw += h + "\r\n"
	}
	a, err := hostile.Send(p.Addr, raw+"\r\n"+body)
	if err != nil {
		t.Errorf("%s %s: %v", host, line, err)
	}
	return a
}

// got decodes the answer of a site; nil when it is of somebody else.
func got(a hostile.Answer) *seen {
	var s seen
	if a.Status != http.StatusOK || json.Unmarshal([]byte(a.Body), &s) != nil || s.Site == "" {
		return nil
	}
	return &s
}

func bearer(token string) string { return "Authorization: Bearer " + token }
