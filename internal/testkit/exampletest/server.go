package exampletest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/jwt/jwk"
)

const (
	adminAddress = "admin@example.com"
	password     = "violet tandem 5b1f kettle"
)

// server is the server, with a user who has the role admin. It signs with a key that the test has too.
type server struct {
	binary  string
	environ []string
	url     string
	key     *jwt.Key
}

// startServer builds the server and runs it until the test ends.
func startServer(t *testing.T) *server {
	t.Helper()
	dir := t.TempDir()
	s := &server{binary: build(t, "./cmd/countersign")}
	s.environ = append(os.Environ(), "COUNTERSIGN_DATA="+filepath.Join(dir, "data"), "COUNTERSIGN_PASSWORD_BCRYPT_COST=4")
	s.run(t, password, "user", "create", adminAddress)
	s.run(t, "", "user", "role", "add", adminAddress, "admin")
	var err error
	if s.key, err = jwt.GenerateKey(jwt.ES256, jwt.KeyOptions{ID: "known-to-the-test"}); err != nil {
		t.Fatal(err)
	}
	text, err := jwk.MarshalPrivate(s.key)
	if err != nil {
		t.Fatal(err)
	}
	s.run(t, string(text), "key", "import", "-", "--now")

	serve := exec.Command(s.binary, "serve", "--listen", "127.0.0.1:0", "--trusted-proxies", "127.0.0.1")
	serve.Env = s.environ
	s.url = startCommand(t, serve).url
	return s
}

// run runs a command of the server, and returns what it says.
func (s *server) run(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command(s.binary, args...)
	cmd.Env, cmd.Stdin = s.environ, strings.NewReader(stdin)
	var said output
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("countersign %s: %v\n%s", strings.Join(args, " "), err, said.String())
	}
	return strings.TrimSpace(string(out))
}

// post sends a form with that address and the password.
func (s *server) post(t *testing.T, path, email string) string {
	t.Helper()
	form := url.Values{"email": {email}, "password": {password}}
	got := exchange(t, s.url, "POST "+path, strings.NewReader(form.Encode()), "Content-Type: application/x-www-form-urlencoded")
	if got.status != 200 {
		t.Fatalf("%s: %d %s", path, got.status, got.body)
	}
	return got.body
}

func (s *server) signUp(t *testing.T, email string) {
	t.Helper()
	s.post(t, "/signup", email)
}

// logIn returns a token.
func (s *server) logIn(t *testing.T, email string) string {
	t.Helper()
	var login struct{ Token string }
	if err := json.Unmarshal([]byte(s.post(t, "/login", email)), &login); err != nil {
		t.Fatal(err)
	}
	return login.Token
}

// assertion asks, as a proxy does, who sends a request with that header, and returns what the server vouches for.
func (s *server) assertion(t *testing.T, header string) string {
	t.Helper()
	got := send(t, s.url, "GET /forward-auth", header, "X-Forwarded-Proto: https", "X-Forwarded-Host: "+proxied,
		"X-Forwarded-Method: POST", "X-Forwarded-Uri: /orders/7/shipment")
	if got.status != 200 {
		t.Fatalf("forward auth: %d %s", got.status, got.body)
	}
	return got.header.Get("X-User-Assertion")
}

// stale returns a token as the server would make it for whoever logged in an hour ago and is still there.
func (s *server) stale(t *testing.T, token string) string {
	t.Helper()
	good, err := jwt.DecodeUnverified(token)
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(good.Payload(), &claims); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	claims["auth_time"] = now.Add(-time.Hour).Unix()
	text := func(name string) string { return fmt.Sprint(claims[name]) }
	made := jwt.Claims{
		Issuer: text("iss"), Audience: []string{text("aud")}, Subject: text("sub"), IssuedAt: now, ExpiresAt: now.Add(10 * time.Minute),
		Extra: map[string]any{},
	}
	for _, name := range []string{"user", "roles", "sid", "auth_time"} {
		made.Extra[name] = claims[name]
	}
	stale, err := jwt.Sign(s.key, "at+jwt", made)
	if err != nil {
		t.Fatal(err)
	}
	return stale
}

// tampered returns a token with another character in the middle of its signature.
func tampered(token string) string {
	b := []byte(token)
	at := len(b) - 40
	b[at] = map[bool]byte{true: 'B', false: 'A'}[b[at] == 'A']
	return string(b)
}

// root returns the folder of the repository.
func root() string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "..", "..", "..")
}
