package app_test

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/internal/testkit/snippet"
)

// foundingGuard returns an API behind the guard of the founding application, as it stands there.
func foundingGuard(t *testing.T) string {
	t.Helper()
	app, err := os.ReadFile("../../bench/express/app.mjs")
	if err != nil {
		t.Fatal(err)
	}
	_, guard, found := strings.Cut(string(app), "const tokenOf = ")
	guard, _, ended := strings.Cut(guard, "const app = express();")
	if !found || !ended {
		t.Fatal("bench/express/app.mjs has its guard elsewhere")
	}
	return `import express from 'express';
import passport from 'passport';
import { ExtractJwt, Strategy as JwtStrategy } from 'passport-jwt';
const JWT_SECRET = process.env.JWT_SECRET;
const tokenOf = ` + guard + `
const app = express();
app.get('/orders', passport.authenticate('jwt', { session: false }), (req, res) => res.json({ user: req.user }));
app.listen(4000, '127.0.0.1');
`
}

// An API in Node that verifies with the old secret takes the server's tokens as it is.
func TestGuardWithTheOldSecret(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "jwt.secret="+testkit.Secret)
	id := s.SignUp(t, "mike@example.com")
	token := s.LogIn(t, "mike@example.com")
	for file, text := range map[string]string{
		"express-secret.mjs": snippet.Text(t, guardPage, "express-secret.mjs"), "founding.mjs": foundingGuard(t),
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			api := snippet.Run(t, file, text, snippet.Scene{Issuer: s.URL, Environ: []string{"JWT_SECRET=" + testkit.Secret}})
			opens(t, api, id, map[string]string{"of a login": token})
			if got := api.ByQuery(t, "/orders", token); got.Status != http.StatusOK {
				t.Errorf("in the query: %d %s", got.Status, got.Body)
			}
			for name, bad := range map[string]string{
				"no token": "", "cut": token[:len(token)-4], "another secret": testkit.Forge(strings.Repeat("x", 32), `{"alg":"HS256"}`, `{"user":{"_id":"`+id+`"}}`),
				"no algorithm": testkit.Forge("", `{"alg":"none"}`, `{"user":{"_id":"`+id+`"}}`),
			} {
				if got := api.ByHeader(t, "/orders", bad); got.Status != http.StatusUnauthorized {
					t.Errorf("%s: %d %s", name, got.Status, got.Body)
				}
			}
		})
	}
}

// The program in Go: roles and freshness are asked, and a logout is one there too.
func TestGuardPageInGo(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	id := s.SignUp(t, "mike@example.com")
	token := s.LogIn(t, "mike@example.com")
	api := guardedBy(t, "orders.go", s.URL)
	opens(t, api, id, map[string]string{"of a login": token})
	if got := api.Get(t, "/orders"); got.Status != http.StatusUnauthorized || got.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("without a token: %d", got.Status)
	}
	if got := api.ByHeader(t, "/orders", token[:len(token)-4]); got.Status != http.StatusUnauthorized {
		t.Errorf("a token that was cut: %d", got.Status)
	}
}
