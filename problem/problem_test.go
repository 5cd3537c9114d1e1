package problem_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign-auth/countersign/problem"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		err    error
		status int
		header http.Header
		body   string
	}{
		{
			name:   "all members",
			err:    problem.New(422, "invalid_field", "Some fields are not valid.").WithFields(problem.Field{Name: "email", Code: "format", Detail: "Not an address."}),
			status: 422,
			body:   `{"title":"Unprocessable Entity","status":422,"code":"invalid_field","detail":"Some fields are not valid.","errors":[{"field":"email","code":"format","detail":"Not an address."}]}`,
		},
		{
			name:   "several challenges are several header lines, in order",
			err:    problem.New(401, "unauthorized", "Log in.").WithChallenges(problem.Bearer("api"), problem.Basic("api")),
			status: 401,
			header: http.Header{"Www-Authenticate": {`Bearer realm="api"`, `Basic realm="api", charset="UTF-8"`}},
			body:   `{"title":"Unauthorized","status":401,"code":"unauthorized","detail":"Log in."}`,
		},
		{
			name:   "seconds to wait are rounded up",
			err:    problem.New(429, "slow_down", "Wait.").WithRetryAfter(1500 * time.Millisecond),
			status: 429,
			header: http.Header{"Retry-After": {"2"}},
			body:   `{"title":"Too Many Requests","status":429,"code":"slow_down","detail":"Wait."}`,
		},
		{
			name:   "a foreign error tells nothing",
			err:    fmt.Errorf("pq: relation %q at db.internal", "users"),
			status: 500,
			body:   `{"title":"Internal Server Error","status":500,"code":"internal","detail":"Something went wrong on the server. The log has it under this request id."}`,
		},
		{
			name:   "a wrapped error is found, its cause is not sent",
			err:    fmt.Errorf("signup: %w", problem.New(409, "email_taken", "Taken.").WithCause(errors.New("unique index"))),
			status: 409,
			body:   `{"title":"Conflict","status":409,"code":"email_taken","detail":"Taken."}`,
		},
		{
			name:   "a body over the limit",
			err:    fmt.Errorf("read: %w", &http.MaxBytesError{Limit: 1}),
			status: 413,
			body:   `{"title":"Request Entity Too Large","status":413,"code":"body_too_large","detail":"The request body is larger than this server takes."}`,
		},
		{
			name:   "a status that is no error",
			err:    problem.New(200, "odd", "Odd."),
			status: 500,
			body:   `{"title":"Internal Server Error","status":500,"code":"odd","detail":"Odd."}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			problem.Write(w, tt.err)
			if w.Code != tt.status {
				t.Errorf("status %d, want %d", w.Code, tt.status)
			}
			if got := strings.TrimSpace(w.Body.String()); got != tt.body {
				t.Errorf("body\n got %s\nwant %s", got, tt.body)
			}
			want := http.Header{"Content-Type": {problem.ContentType}, "Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"}}
			for name, values := range tt.header {
				want[name] = values
			}
			if diff := cmp.Diff(want, w.Header()); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRequestIDIsRepeated(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	w.Header().Set("X-Request-Id", "r-1")
	problem.Write(w, problem.New(404, "not_found", "No."))
	var doc map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || doc["request_id"] != "r-1" {
		t.Errorf("request_id = %v (%v)", doc["request_id"], err)
	}
}

func TestChallengeCannotEndTheHeader(t *testing.T) {
	t.Parallel()
	c := problem.BearerError("a\"b\\c", "invalid_token", "x\r\nSet-Cookie: y\x00é")
	want := `Bearer realm="a\"b\\c", error="invalid_token", error_description="x  Set-Cookie: y   "`
	if got := c.String(); got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestRespondNegotiates(t *testing.T) {
	t.Parallel()
	const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	tests := []struct {
		accept []string
		html   bool
	}{
		{nil, false},
		{[]string{"*/*"}, false},
		{[]string{"application/json"}, false},
		{[]string{"text/html, application/json"}, false},
		{[]string{"text/html;q=0.5, application/problem+json;q=0.9"}, false},
		{[]string{"text/html;q=x"}, false},
		{[]string{"TEXT/HTML"}, true},
		{[]string{"application/json;q=0.1", "text/html;Q=0.2"}, true},
		{[]string{browser}, true},
	}
	for _, tt := range tests {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Accept"] = tt.accept
		w := httptest.NewRecorder()
		problem.Respond(w, r, problem.New(401, "unauthorized", "<b>Log in.</b>").WithChallenges(problem.Bearer("api")))
		isHTML := strings.HasPrefix(w.Header().Get("Content-Type"), "text/html")
		if isHTML != tt.html || w.Code != 401 || w.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("Accept %q: html %v, status %d, header %v", tt.accept, isHTML, w.Code, w.Header())
		}
		if isHTML && !strings.Contains(w.Body.String(), "&lt;b&gt;Log in.") {
			t.Errorf("page does not carry the escaped detail:\n%s", w.Body)
		}
	}
}

func TestIsComparesCodes(t *testing.T) {
	t.Parallel()
	taken := problem.New(409, "email_taken", "Taken.")
	if !errors.Is(fmt.Errorf("x: %w", taken.WithCause(errors.New("y"))), taken) {
		t.Error("a copy with a cause is not found")
	}
	if errors.Is(problem.New(409, "other", ""), taken) {
		t.Error("another code is found")
	}
}

func ExampleWrite() {
	w := httptest.NewRecorder()
	problem.Write(w, problem.New(http.StatusUnauthorized, "invalid_token", "The token has expired.").
		WithChallenges(problem.BearerError("api", "invalid_token", "The token has expired.")))
	fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
	fmt.Print(w.Body)
	// Output:
	// 401 Bearer realm="api", error="invalid_token", error_description="The token has expired."
	// {"title":"Unauthorized","status":401,"code":"invalid_token","detail":"The token has expired."}
}

func FuzzPrefersHTML(f *testing.F) {
	for _, s := range []string{"text/html", "*/*", "application/json;q=0.5, text/html;q=1", ";q=,", "text/html;q=NaN"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Accept"] = []string{accept}
		if problem.PrefersHTML(r) && !strings.Contains(strings.ToLower(accept), "html") {
			t.Errorf("%q does not name HTML", accept)
		}
	})
}
