// Package testkit runs a whole server on a temporary SQLite file for tests at its HTTP edge.
//
// Every answer that its client gets is checked: against the server's own OpenAPI document, for the form that errors
// have, and for the canary that every test password carries and nothing may ever repeat. The log is searched for the
// canary too.
package testkit

import (
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/app"
	"github.com/countersign-auth/countersign/internal/config"
	"github.com/countersign-auth/countersign/internal/testkit/hostile"
)

// Canary stands in every password of the tests. It must come back in no answer and no log line.
const Canary = "cAnArY-5b1f"

// Password is a good password.
const Password = Canary + " correct horse"

// Secret is a good jwt.secret.
const Secret = "0123456789abcdef0123456789abcdef"

// Server is a server under test.
type Server struct {
	App   *app.App
	URL   string
	Addr  string
	Clock *Clock

	server *http.Server
	spec   *spec
	log    Log
}

// Start runs a server with these settings, each as key=value, until the test ends.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	environ := []string{"COUNTERSIGN_DATA=" + t.TempDir(), "COUNTERSIGN_PASSWORD_BCRYPT_COST=4"}
	for _, s := range settings {
		key, value, _ := strings.Cut(s, "=")
		environ = append(environ, "COUNTERSIGN_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_"))+"="+value)
	}
	cfg, _, err := config.Load(config.Sources{Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Addr: listener.Addr().String(), URL: "http://" + listener.Addr().String(), Clock: NewClock()}
	log := slog.New(slog.NewJSONHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if s.App, err = app.Open(t.Context(), cfg, s.Addr, log, s.Clock.Now); err != nil {
		t.Fatal(err)
	}
	if s.server, err = s.App.Server(t.Context()); err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.server.Serve(listener) }() // ends with Close
	stop := s.App.Start(t.Context())
	t.Cleanup(func() {
		s.Stop()
		stop()
		if err := s.App.Close(); err != nil {
			t.Error(err)
		}
		if strings.Contains(s.log.String(), Canary) {
			t.Errorf("a password stands in the log:\n%s", s.log.String())
		}
	})
	s.spec = loadSpec(t, s)
	return s
}

// Stop ends the listener and all connections, as the end of the process would.
func (s *Server) Stop() { _ = s.server.Close() }

// Log returns what the server has logged so far.
func (s *Server) Log() string { return s.log.String() }

// Response is an answer that has passed the checks of the package.
type Response struct {
	Status int
	Header http.Header
	Body   string
}

// Code returns the problem code of an error.
func (r *Response) Code() string {
	var doc struct{ Code string }
	_ = json.Unmarshal([]byte(r.Body), &doc)
	return doc.Code
}

// Get decodes the body and returns the string at that path of members; "" if there is none.
func (r *Response) Get(path ...string) string {
	var v any
	_ = json.Unmarshal([]byte(r.Body), &v)
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	s, _ := v.(string)
	return s
}

var client = &http.Client{
	Timeout:       time.Minute,
	Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Do sends a request and checks the answer.
func (s *Server) Do(t testing.TB, req *http.Request) *Response {
	t.Helper()
	res, err := s.Try(t, req)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL.Path, err)
	}
	return res
}

// Try is Do for a request that may fail to get an answer, such as one whose context ends.
func (s *Server) Try(t testing.TB, req *http.Request) (*Response, error) {
	t.Helper()
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	s.spec.check(t, req, res, body)
	return &Response{Status: res.StatusCode, Header: res.Header, Body: string(body)}, nil
}

// Request returns a request to the server. Headers come as name: value.
func (s *Server) Request(t testing.TB, method, path, body string, headers ...string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	return req
}

// Form posts a form.
func (s *Server) Form(t testing.TB, path string, pairs ...string) *Response {
	t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return s.Do(t, s.Request(t, http.MethodPost, path, form.Encode(), "Content-Type: application/x-www-form-urlencoded"))
}

// JSON posts a JSON document.
func (s *Server) JSON(t testing.TB, path, body string) *Response {
	t.Helper()
	return s.Do(t, s.Request(t, http.MethodPost, path, body, "Content-Type: application/json"))
}

// SignUp makes a user with [Password] and returns its id.
func (s *Server) SignUp(t testing.TB, email string) string {
	t.Helper()
	res := s.Form(t, "/signup", "email", email, "password", Password)
	if res.Status != http.StatusOK {
		t.Fatalf("signup: %d %s", res.Status, res.Body)
	}
	return res.Get("user", "_id")
}

// LogIn logs a user of [Password] in and returns the token.
func (s *Server) LogIn(t testing.TB, email string) string {
	t.Helper()
	res := s.Form(t, "/login", "email", email, "password", Password)
	if res.Status != http.StatusOK {
		t.Fatalf("login: %d %s", res.Status, res.Body)
	}
	return res.Get("token")
}

// SignUpAndLogIn makes a user, logs them in and returns the token.
func (s *Server) SignUpAndLogIn(t testing.TB, email string) string {
	t.Helper()
	s.SignUp(t, email)
	return s.LogIn(t, email)
}

// Profile asks for the profile with that token in the header.
func (s *Server) Profile(t testing.TB, token string) *Response {
	t.Helper()
	return s.Do(t, s.Request(t, http.MethodGet, "/user/profile", "", "Authorization: Bearer "+token))
}

// Forge returns a token of exactly this header and payload, signed by HMAC with SHA-256.
func Forge(secret, header, payload string) string {
	return hostile.HMAC([]byte(secret), header, payload)
}
