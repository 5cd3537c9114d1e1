package bearer_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/bearer"
)

func Example() {
	key, err := jwt.NewSecretKey(jwt.HS256, []byte("a secret of at least 32 bytes ..."), jwt.KeyOptions{})
	if err != nil {
		panic(err)
	}
	verifier, err := jwt.NewVerifier(jwt.StaticKeys{key}, jwt.Expect{Issuer: issuer, Audience: audience})
	if err != nil {
		panic(err)
	}
	find := func(_ context.Context, tok *jwt.Token) (*user, bool, error) {
		return &user{tok.Subject}, true, nil // ask a database here
	}
	tokens, err := bearer.NewStrategy(verifier, find, bearer.Options{
		Realm:   "api",
		Extract: bearer.First(bearer.Header(), bearer.Cookie("token")),
	})
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
	profile := guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, _ := passport.UserFrom[*user](r.Context())
		fmt.Fprintln(w, u.ID)
	}))
	good, err := jwt.Sign(key, "JWT", jwt.Claims{Issuer: issuer, Audience: []string{audience}, Subject: "u-1", ExpiresAt: time.Now().Add(time.Minute)})
	if err != nil {
		panic(err)
	}
	for _, header := range []string{"Bearer " + good, "Bearer forged"} {
		r, w := httptest.NewRequest("GET", "/profile", nil), httptest.NewRecorder()
		r.Header.Set("Authorization", header)
		profile.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Header()["Www-Authenticate"])
	}
	// Output:
	// 200 []
	// 401 [Bearer realm="api", error="invalid_token", error_description="The token is not valid."]
}
