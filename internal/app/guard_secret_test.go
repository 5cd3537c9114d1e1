package app_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/internal/testkit/snippet"
)

// foundingGuard returns an API behind the guard of the founding application, with its login for whoever WHO says, both as they
// stand there: GET /token answers as its POST /login does once the password has been found right.
func foundingGuard(t *testing.T) string {
	t.Helper()
	return `import express from 'express';
import jwt from 'jsonwebtoken';
import passport from 'passport';
import { ExtractJwt, Strategy as JwtStrategy } from 'passport-jwt';
const { JWT_SECRET, WHO } = process.env;
` + fromFounding(t, "const tokenOf = ", "const app = express();") + `
const app = express();
app.get('/orders', passport.authenticate('jwt', { session: false }), (req, res) => res.json({ user: req.user }));
const login = ` + strings.TrimPrefix(fromFounding(t, foundingLogin, ");\n\napp."), foundingLogin) + `;
app.get('/token', (req, res) => login(Object.assign(req, { user: JSON.parse(WHO) }), res));
app.listen(4000, '127.0.0.1');
`
}

// foundingLogin is what stands before the founding application's handler of POST /login.
const foundingLogin = "app.post('/login', passport.authenticate('login', { session: false }), "

// fromFounding returns the founding application's text from start until end, which is left out.
func fromFounding(t *testing.T, start, end string) string {
	t.Helper()
	app, err := os.ReadFile("../../bench/express/app.mjs")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(app), start)
	text, _, ended := strings.Cut(text, end)
	if !found || !ended {
		t.Fatalf("bench/express/app.mjs has nothing from %q until %q", start, end)
	}
	return start + text
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

// The founding application and the server run side by side with one secret, and each takes the tokens of the other: the server
// those of before for as long as it is told to.
func TestTokensBothWays(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(testkit.Secret), 0o600); err != nil {
		t.Fatal(err)
	}
	const until = 48 * time.Hour
	s := testkit.Start(t, "jwt.secret_file="+file, "jwt.legacy_secret_file="+file, "jwt.accept_legacy_until="+time.Now().Add(until).Format(time.RFC3339))
	id := s.SignUp(t, "mike@example.com")
	founding := snippet.Run(t, "founding.mjs", foundingGuard(t), snippet.Scene{Issuer: s.URL, Environ: []string{
		"JWT_SECRET=" + testkit.Secret, `WHO={"_id":"` + id + `","email":"mike@example.com","password":"$2b$10$"}`,
	}})
	s.Clock.Advance(time.Since(s.Clock.Now())) // Node's has not stood still
	var made struct{ Token string }
	if err := json.Unmarshal([]byte(founding.Get(t, "/token").Body), &made); err != nil {
		t.Fatal(err)
	}
	if claims := claimsOf(t, made.Token); !strings.HasPrefix(claims, `{"user":{"_id":"`+id+`","email":"mike@example.com"},"iat":`) || strings.Count(claims, ":") != 4 {
		t.Fatalf("the founding application's claims are %s", claims)
	}
	inQuery := func(token string) *testkit.Response {
		return s.Do(t, s.Request(t, http.MethodGet, "/user/profile?secret_token="+token, ""))
	}
	for name, token := range map[string]string{"of the founding application": made.Token, "of the server": s.LogIn(t, "mike@example.com")} {
		for place, res := range map[string]*testkit.Response{"header": s.Profile(t, token), "query": inQuery(token)} {
			if res.Status != http.StatusOK || res.Get("user", "_id") != id {
				t.Errorf("%s, to the server, in the %s: %d %s", name, place, res.Status, res.Body)
			}
		}
		opens(t, founding, id, map[string]string{name: token})
		if got := founding.ByQuery(t, "/orders", token); got.Status != http.StatusOK {
			t.Errorf("%s, to the founding application, in the query: %d %s", name, got.Status, got.Body)
		}
	}
	s.Clock.Advance(until)
	if res := s.Profile(t, made.Token); res.Status != http.StatusUnauthorized {
		t.Errorf("after the time for tokens of before: %d %s", res.Status, res.Body)
	}
	if res := testkit.Start(t, "jwt.secret_file="+file).Profile(t, made.Token); res.Status != http.StatusUnauthorized {
		t.Errorf("to a server that is not told to take them: %d %s", res.Status, res.Body)
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
