package bearer_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport/bearer"
)

// lines is what a log has said. It is safe for concurrent use.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestWitness: whoever configures the wrong audience reads so in the log, once, and forged tokens say nothing there.
func TestWitness(t *testing.T) {
	t.Parallel()
	s, other := newIssuerServer(t), newIssuerServer(t)
	var said lines
	r, err := bearer.New(bearer.Config{Issuer: s.URL, Audience: "orders", Logger: slog.New(slog.NewTextHandler(&said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	comesTo(t, r, s.token("alice", func(c *jwt.Claims) { c.Audience = []string{"orders"} }), http.StatusOK)
	for range 3 {
		for _, token := range []string{other.token("alice"), "a.b.c"} {
			comesTo(t, r, token, http.StatusUnauthorized)
		}
	}
	if text := said.String(); text != "" {
		t.Errorf("of tokens that anybody can make, the log says %s", text)
	}
	for range 3 {
		comesTo(t, r, s.token("alice"), http.StatusUnauthorized)
	}
	if text := said.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "another audience") || !strings.Contains(text, "audience=orders") {
		t.Errorf("the log says %q", text)
	}
}
