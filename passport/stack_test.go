package passport_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/basic"
	"github.com/countersign-auth/countersign/passport/bearer"
	"github.com/countersign-auth/countersign/passport/local"
)

const (
	trapIssuer   = "https://issuer.example"
	trapAudience = "https://api.example"
)

// stack is a registry with the three strategies, and the key of its tokens.
type stack struct {
	*passport.Registry[*user]
	key *jwt.Key
}

func newStack(t testing.TB, alg jwt.Algorithm, keys jwt.KeySet) stack {
	t.Helper()
	key, err := jwt.GenerateKey(alg, jwt.KeyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if keys == nil {
		keys = jwt.StaticKeys{key}
	}
	v, err := jwt.NewVerifier(keys, jwt.Expect{Issuer: trapIssuer, Audience: trapAudience})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err1 := bearer.NewStrategy(v, func(_ context.Context, tok *jwt.Token) (*user, bool, error) { return &user{tok.Subject}, true, nil }, bearer.Options{Realm: "api"})
	form, err2 := local.New(func(_ context.Context, c local.Credentials) (*user, bool, error) {
		return &user{c.Username}, c.Password == c.Username+"-secret", nil
	}, local.Config{})
	header, err3 := basic.New(func(_ context.Context, c basic.Credentials) (*user, bool, error) {
		return &user{c.Username}, c.Password == c.Username+"-secret", nil
	}, basic.Config{Realm: "api"})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	reg, err := passport.NewRegistry(passport.Named[*user]{Name: "bearer", Strategy: tokens}, passport.Named[*user]{Name: "local", Strategy: form}, passport.Named[*user]{Name: "basic", Strategy: header})
	if err != nil {
		t.Fatal(err)
	}
	return stack{reg, key}
}

func (s stack) sign(t testing.TB, change func(*jwt.Claims)) string {
	t.Helper()
	c := jwt.Claims{Issuer: trapIssuer, Audience: []string{trapAudience}, Subject: "alice", IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Minute)}
	if change != nil {
		change(&c)
	}
	tok, err := jwt.Sign(s.key, "JWT", c)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func (s stack) handler(t testing.TB, names ...string) http.Handler {
	t.Helper()
	g, err := s.Any(options{Logger: quiet}, names...)
	if err != nil {
		t.Fatal(err)
	}
	return g.Handler(whoami)
}

func post(media, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/login", strings.NewReader(body))
	r.Header.Set("Content-Type", media)
	return r
}

const formType = "application/x-www-form-urlencoded"
