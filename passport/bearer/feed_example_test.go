package bearer_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/jwt/jwk"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/bearer"
)

// A service verifies tokens on its own, and yet refuses those of a session that has ended at the server.
func ExampleNewFeed() {
	server := newExampleServer() // https://auth.example
	defer server.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	keys := fetchKeys(server.URL + "/.well-known/jwks.json")
	feed, err := bearer.NewFeed(server.URL+"/.well-known/countersign/revocations", keys, bearer.FeedConfig{Issuer: issuer})
	if err != nil {
		panic(err)
	}
	if err := feed.Poll(ctx); err != nil { // begin with what has been revoked so far
		panic(err)
	}
	go feed.Run(ctx) // and follow
	// expvar.Publish("revocations", feed) shows its numbers.

	verifier, err := jwt.NewVerifier(keys, jwt.Expect{Issuer: issuer, Audience: audience, Type: []string{"at+jwt"}})
	if err != nil {
		panic(err)
	}
	find := func(_ context.Context, tok *jwt.Token) (*user, bool, error) { return &user{tok.Subject}, true, nil }
	tokens, err := bearer.NewStrategy(verifier, find, bearer.Options{Revocations: feed})
	if err != nil {
		panic(err)
	}
	reg, err := passport.NewRegistry(passport.Named[*user]{Name: "bearer", Strategy: tokens})
	if err != nil {
		panic(err)
	}
	guard, err := reg.Any(passport.Options[*user]{}, "bearer")
	if err != nil {
		panic(err)
	}
	profile := guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the profile") }))
	ask := func(token string) {
		r, w := httptest.NewRequest("GET", "/profile", nil), httptest.NewRecorder()
		r.Header.Set("Authorization", "Bearer "+token)
		profile.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Header()["Www-Authenticate"])
	}

	token := server.login("session-1")
	ask(token)
	server.logout("session-1")
	_ = feed.Poll(ctx) // Run does so within half a second
	ask(token)
	// Output:
	// 200 []
	// 401 [Bearer error="invalid_token", error_description="The session has ended."]
}

// fetchKeys reads the public keys of the server, once.
func fetchKeys(url string) jwt.KeySet {
	res, err := http.Get(url)
	if err != nil {
		panic(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, 256<<10))
	if err != nil {
		panic(err)
	}
	keys, err := jwk.ParseSet(data, jwk.Options{})
	if err != nil {
		panic(err)
	}
	return keys
}

// exampleServer stands for a Countersign server.
type exampleServer struct {
	*feedServer
	key *jwt.Key
}

func newExampleServer() *exampleServer {
	s := &exampleServer{feedServer: &feedServer{}, key: feedKey()}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/jwks.json", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(must(jwk.MarshalSet(s.key))) })
	mux.HandleFunc("/.well-known/countersign/revocations", func(w http.ResponseWriter, r *http.Request) { (*s.answer.Load())(w, r) })
	s.Server = httptest.NewServer(mux)
	s.logout()
	return s
}

func (s *exampleServer) login(session string) string {
	return must(jwt.Sign(s.key, "at+jwt", jwt.Claims{
		Issuer: issuer, Audience: []string{audience}, Subject: "mike", IssuedAt: time.Now(), ExpiresAt: time.Now().Add(15 * time.Minute),
		Extra: map[string]any{"sid": session},
	}))
}

func (s *exampleServer) logout(sessions ...string) {
	s.serves(must(jwt.Sign(s.key, "revocations+jwt", feedClaims(time.Now(), sessions...))), "")
}
