// Package exampletest tries an API of examples/ against the server, each in a process of its own.
//
// It imports public packages alone, so that the go.mod of an example lists what the example needs, and not what the server does.
package exampletest

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/bearer"
)

// Guard is what an example puts before its routes.
type Guard = passport.Guard[*passport.Principal]

// Example is an API in the folder of the test.
type Example struct {
	// Routes returns the routes of the example, and three more for the test, guarded like the others for people: GET /probe calls
	// ran, GET /panics calls it and panics, GET /fails calls it and fails as handlers of the framework do.
	Routes func(people, programs *Guard, ran func()) http.Handler
	// Panics and Fails are the statuses that the framework makes of these two; 0 is a connection that ends without an answer.
	Panics, Fails int
}

// Run tries the example: as a program, with what clients send, and its routes for what becomes of handlers.
func Run(t *testing.T, e Example) {
	t.Parallel()
	s := startServer(t)
	s.signUp(t, "mike@example.com")
	t.Run("program", func(t *testing.T) { s.tryProgram(t) })
	t.Run("handlers", func(t *testing.T) { s.tryHandlers(t, e) })
}

// proxied is the name that the example has at its proxy.
const proxied = "api.example.com"

// tryProgram starts the example as a user would.
func (s *server) tryProgram(t *testing.T) {
	api := start(t, build(t, "."), "-issuer", s.url, "-listen", "127.0.0.1:0", "-origin", "https://"+proxied)
	person, admin := s.logIn(t, "mike@example.com"), s.logIn(t, adminAddress)
	apiKey := s.run(t, "", "apikey", "create", adminAddress, "--name", "warehouse", "--scope", "orders:ship")
	program := s.assertion(t, "X-API-Key: "+apiKey)
	token := func(token string) string { return "Authorization: Bearer " + token }
	for name, tt := range map[string]struct {
		request, header string
		status          int
		says            string // a part of the body
	}{
		"public":                              {"GET /status", "", 200, ""},
		"public, with a bad token":            {"GET /status", token(tampered(person)), 200, ""},
		"no token":                            {"GET /orders", "", 401, `"unauthorized"`},
		"another scheme":                      {"GET /orders", "Authorization: Basic " + person, 401, `"unauthorized"`},
		"a token":                             {"GET /orders", token(person), 200, "mike@example.com"},
		"a token of somebody else":            {"GET /orders", token(admin), 200, adminAddress},
		"a signature that is not the token's": {"GET /orders", token(tampered(person)), 401, `"invalid_token"`},
		"without the role":                    {"GET /orders/all", token(person), 403, `"insufficient_role"`},
		"with the role":                       {"GET /orders/all", token(admin), 200, ""},
		"a login of now":                      {"DELETE /orders/7", token(admin), 204, ""},
		"a login of an hour ago":              {"DELETE /orders/7", token(s.stale(t, admin)), 401, `"insufficient_user_authentication"`},
		"a login of now, without the role":    {"DELETE /orders/7", token(person), 403, `"insufficient_role"`},
		"a program":                           {"POST /orders/7/shipment", "X-User-Assertion: " + program, 200, `"7"`},
		"a program without the scope":         {"POST /orders/7/shipment", "X-User-Assertion: " + s.assertion(t, token(person)), 403, `"insufficient_scope"`},
		"a program that nobody vouches for":   {"POST /orders/7/shipment", "X-API-Key: " + apiKey, 401, `"unauthorized"`},
		"a token in an assertion's place":     {"POST /orders/7/shipment", "X-User-Assertion: " + person, 401, `"invalid_token"`},
		"an assertion in a token's place":     {"GET /orders", token(program), 401, `"invalid_token"`},
		"no such route":                       {"GET /nothing", token(person), 404, ""},
	} {
		got := send(t, api.url, tt.request, tt.header)
		if got.status != tt.status || !strings.Contains(got.body, tt.says) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
		if tt.status == 401 || tt.status == 403 {
			got.mustRefuse(t, name)
		}
	}
	if got := send(t, s.url, "POST /logout", token(person)); got.status != 204 {
		t.Fatalf("logout: %d %s", got.status, got.body)
	}
	for deadline := time.Now().Add(20 * time.Second); send(t, api.url, "GET /orders", token(person)).status != 401; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the token of a session that has ended is taken")
		}
	}
	if got := send(t, api.url, "GET /orders", token(admin)); got.status != 200 {
		t.Errorf("a session that goes on: %d %s", got.status, got.body)
	}
	api.stop(t)
}

// mustRefuse checks the form of a refusal: problem+json, and with a 401 a challenge (RFC 9110, section 11.6.1).
func (a answer) mustRefuse(t *testing.T, name string) {
	t.Helper()
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("%s: the refusal is %q: %s", name, got, a.body)
	}
	if got := a.header.Values("WWW-Authenticate"); a.status == 401 && (len(got) != 1 || !strings.HasPrefix(got[0], "Bearer")) {
		t.Errorf("%s: the challenge is %q", name, got)
	}
}

// tryHandlers counts how often a handler runs, and looks at what the framework makes of one that goes wrong.
func (s *server) tryHandlers(t *testing.T, e Example) {
	people, err := bearer.New(bearer.Config{Issuer: s.url, Audience: s.url, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(people.Close)
	var ran atomic.Int64
	api := httptest.NewUnstartedServer(e.Routes(people.Guard(), people.Guard(), func() { ran.Add(1) }))
	api.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	api.Start()
	t.Cleanup(api.Close)

	person := s.logIn(t, "mike@example.com")
	for _, route := range []string{"GET /probe", "GET /panics", "GET /fails"} {
		for name, header := range map[string]string{"no token": "", "a bad token": "Authorization: Bearer " + tampered(person)} {
			got := send(t, api.URL, route, header)
			if got.status != 401 {
				t.Errorf("%s with %s: %d %s", route, name, got.status, got.body)
			}
			got.mustRefuse(t, route+" with "+name)
			if !strings.HasSuffix(strings.TrimSpace(got.body), "}") || strings.Count(got.body, `"status"`) != 1 {
				t.Errorf("%s with %s: something stands behind the refusal: %s", route, name, got.body)
			}
		}
	}
	if n := ran.Load(); n != 0 {
		t.Errorf("handlers ran %d times for those who were refused", n)
	}
	for i, tt := range []struct {
		request string
		status  int
	}{{"GET /probe", 200}, {"GET /panics", e.Panics}, {"GET /fails", e.Fails}, {"GET /probe", 200}} {
		if got := send(t, api.URL, tt.request, "Authorization: Bearer "+person); got.status != tt.status {
			t.Errorf("%s: %d, not %d: %s", tt.request, got.status, tt.status, got.body)
		}
		if n := ran.Load(); n != int64(i+1) {
			t.Errorf("after %s, handlers have run %d times, not %d", tt.request, n, i+1)
		}
	}
}

// answer is what an API said; its status is 0 if it ended the connection instead.
type answer struct {
	status int
	header http.Header
	body   string
}

var client = &http.Client{
	Timeout: time.Minute,
	// net/http repeats a GET on a new connection when one that it had open ends; here each request is to be sent once.
	Transport: &http.Transport{DisableKeepAlives: true},
}

// send sends a request, such as "GET /orders", with headers as name: value, of which empty ones do not count.
func send(t *testing.T, base, request string, headers ...string) answer {
	t.Helper()
	return exchange(t, base, request, nil, headers...)
}

func exchange(t *testing.T, base, request string, body io.Reader, headers ...string) answer {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	req, err := http.NewRequestWithContext(t.Context(), method, base+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range headers {
		if name, value, ok := strings.Cut(line, ": "); ok {
			req.Header.Add(name, value)
		}
	}
	res, err := client.Do(req)
	if err != nil {
		return answer{body: err.Error()}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{body: err.Error()}
	}
	return answer{res.StatusCode, res.Header, string(text)}
}
