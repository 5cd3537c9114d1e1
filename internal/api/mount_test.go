package api_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/countersign-auth/countersign/internal/api"
)

// A mount is inside of what every answer has, and outside of what protects the routes.
func TestMount(t *testing.T) {
	t.Parallel()
	text := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery == "panic" {
				panic("here")
			}
			_, _ = io.WriteString(w, s+" "+r.RequestURI)
		}
	}
	h, err := api.Wrap(api.Config{
		Log: slog.New(slog.DiscardHandler), Origins: []string{"https://a.example"}, Beside: &api.Mount{Path: "/ask", Handler: text("mount")},
	}, text("route"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		method, target, origin string
		status                 int
		body                   string
	}{
		{"GET", "/ask", "", 200, "mount /ask"},
		{"GET", "/ask?x=1", "", 200, "mount /ask?x=1"},
		{"GET", "/ask//a/../b%2f", "", 200, "mount /ask//a/../b%2f"},
		{"OPTIONS", "/ask/a", "https://a.example", 200, "mount /ask/a"},
		{"OPTIONS", "/x", "https://a.example", 204, ""},
		{"POST", "/ask/a", "https://evil.example", 200, "mount /ask/a"},
		{"POST", "/x", "https://evil.example", 403, ""},
		{"GET", "/asking", "", 200, "route /asking"},
		{"GET", "/Ask", "", 200, "route /Ask"},
		{"GET", "/%61sk", "", 200, "route /%61sk"},
		{"GET", "/x/../ask", "", 200, "route /x/../ask"},
		{"GET", "/ask?panic", "", 500, ""},
	} {
		r := httptest.NewRequest(tt.method, tt.target, nil)
		if tt.origin != "" {
			r.Header.Set("Origin", tt.origin)
			r.Header.Set("Access-Control-Request-Method", "POST")
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.status || tt.body != "" && w.Body.String() != tt.body || w.Header().Get("X-Request-Id") == "" {
			t.Errorf("%s %s: %d %q, want %d %q", tt.method, tt.target, w.Code, w.Body, tt.status, tt.body)
		}
	}
}
