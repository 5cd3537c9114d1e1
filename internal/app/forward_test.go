package app_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/countersign-auth/countersign/internal/testkit"
)

const proxyRules = `rules:
  - {path: /health, allow: public}
  - {path: /static/**, methods: [GET], allow: public}
  - {host: app.example.com, path: /admin/**, role: admin, fresh: 10m}
  - {host: app.example.com, path: /reports/*, scope: reports:read}
  - {host: app.example.com, path: /**, audience: app}
  - {host: "*.api.example.com", path: /v1/**}
`

// withRules starts a server that answers proxies on this machine by rules.
func withRules(t testing.TB, rules string, settings ...string) *testkit.Server {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	return testkit.Start(t, append(settings, "rules_file="+file, "trusted_proxies=127.0.0.1", "limits.insecure_disabled=true")...)
}

// asks sends what a proxy asks about a request.
func asks(t testing.TB, s *testkit.Server, method, host, uri string, headers ...string) *testkit.Response {
	t.Helper()
	return s.Do(t, s.Request(t, http.MethodGet, "/forward-auth", "", append(headers,
		"X-Forwarded-Proto: https", "X-Forwarded-Method: "+method, "X-Forwarded-Host: "+host, "X-Forwarded-Uri: "+uri)...))
}

func TestForwardAuth(t *testing.T) {
	t.Parallel()
	s := withRules(t, proxyRules)
	token := "Authorization: Bearer " + s.SignUpAndLogIn(t, "mike@example.com")
	for _, tt := range []struct {
		method, host, uri, header string
		status                    int
		code                      string
	}{
		{"GET", "anything.example", "/health", "X-None: 1", 200, ""},
		{"GET", "anything.example", "/health", "Authorization: Bearer rubbish", 200, ""},
		{"HEAD", "anything.example", "/static/a.css?v=2", "X-None: 1", 200, ""},
		{"POST", "anything.example", "/static/a.css", "X-None: 1", 403, "no_rule"},
		{"GET", "app.example.com", "/", "X-None: 1", 401, "unauthorized"},
		{"GET", "app.example.com", "/", token, 200, ""},
		{"GET", "APP.example.com.:443", "/", token, 200, ""},
		{"GET", "app.example.com", "/admin/users", token, 403, "insufficient_role"},
		{"GET", "app.example.com", "/Admin/users", token, 403, "insufficient_role"},
		{"GET", "app.example.com", "/%61dmin", token, 403, "insufficient_role"},
		{"GET", "app.example.com", "/reports/1", token, 403, "insufficient_scope"},
		{"GET", "app.example.com", "/x//y", token, 403, "path_not_plain"},
		{"get", "app.example.com", "/", token, 403, "method_not_plain"},
		{"GET", "x.api.example.com", "/v1", token, 200, ""},
		{"GET", "api.example.com", "/v1", token, 403, "no_rule"},
		{"GET", "app.example.com", "/", "Authorization: Bearer rubbish", 401, "invalid_token"},
	} {
		res := asks(t, s, tt.method, tt.host, tt.uri, tt.header)
		if res.Status != tt.status || res.Code() != tt.code {
			t.Errorf("%s %s%s: %d %s, want %d %s", tt.method, tt.host, tt.uri, res.Status, res.Code(), tt.status, tt.code)
		}
	}
}
