package bearer_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport/bearer"
)

// TestWitness: whoever configures the wrong audience reads so in the log, once, and forged tokens say nothing there.
func TestWitness(t *testing.T) {
	t.Parallel()
	s, other := newIssuerServer(t), newIssuerServer(t)
	var said syncLog
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

func TestConfigDoesNotPrintItsSecret(t *testing.T) {
	t.Parallel()
	cfg := bearer.Config{Issuer: "https://auth.example", Audience: audience, Secret: secret}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		for _, printed := range []string{fmt.Sprintf(verb, cfg), fmt.Sprintf(verb, &cfg), fmt.Sprintf(verb, []bearer.Config{cfg})} {
			if strings.Contains(printed, "Secret") || strings.Contains(printed, fmt.Sprint(secret[0], " ", secret[1])) || strings.Contains(printed, string(secret[:8])) || !strings.Contains(printed, "auth.example") {
				t.Errorf("%s: %s", verb, printed)
			}
		}
	}
}
