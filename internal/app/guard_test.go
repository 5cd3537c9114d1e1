package app_test

import (
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/internal/testkit/snippet"
)

const guardPage = "guard.md"

func TestX(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	id := s.SignUp(t, "mike@example.com")
	token := s.LogIn(t, "mike@example.com")
	for _, file := range []string{"express-keys.mjs", "jose.mjs", "orders.py"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			api := snippet.Run(t, file, snippet.Text(t, guardPage, file), snippet.Scene{Issuer: s.URL})
			if got := api.ByHeader(t, "/orders", token); got.Status != 200 || !strings.Contains(got.Body, id) {
				t.Errorf("%v", got)
			}
			if got := api.Get(t, "/orders"); got.Status != 401 || got.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%v", got)
			}
		})
	}
}
