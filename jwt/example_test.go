package jwt_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/countersign-auth/countersign/jwt"
)

func Example() {
	ctx := context.Background()
	key, err := jwt.GenerateKey(jwt.ES256, jwt.KeyOptions{ID: "2026-01"})
	if err != nil {
		panic(err)
	}
	token, err := jwt.Sign(key, "at+jwt", jwt.Claims{
		Issuer: "https://auth.example", Audience: []string{"https://api.example"}, Subject: "u1",
		IssuedAt: time.Now(), ExpiresAt: time.Now().Add(15 * time.Minute),
		Extra: map[string]any{"user": map[string]string{"_id": "u1", "email": "ada@example.com"}},
	})
	if err != nil {
		panic(err)
	}

	// Whoever verifies needs the public half only.
	keys, err := jwt.NewStaticKeys(key.Public())
	if err != nil {
		panic(err)
	}
	verifier, err := jwt.NewVerifier(keys, jwt.Expect{
		Issuer: "https://auth.example", Audience: "https://api.example", Type: []string{"at+jwt"},
		Leeway: 30 * time.Second,
	})
	if err != nil {
		panic(err)
	}
	t, err := verifier.Verify(ctx, token)
	if err != nil {
		panic(err)
	}
	email, _ := t.String("user", "email")
	fmt.Println(t.Subject, email)
	// Output: u1 ada@example.com
}

func ExampleVerifier_Verify_errors() {
	key, verifier := exampleVerifier()
	token, _ := jwt.Sign(key, "JWT", jwt.Claims{
		Issuer: "https://auth.example", Audience: []string{"https://api.example"}, ExpiresAt: time.Unix(1_700_000_000, 0),
	})
	_, err := verifier.Verify(context.Background(), token)
	var e *jwt.Error
	switch {
	case errors.Is(err, jwt.ErrKeysUnavailable):
		fmt.Println("a fault of ours, not of the token")
	case errors.As(err, &e):
		fmt.Println(errors.Is(err, jwt.ErrExpired), e.Check, e.By)
	}
	fmt.Println(err)
	// Output:
	// true exp 1m0s
	// jwt: the token has expired: exp has passed by 1m0s
}

func ExampleVerifier_Explain() {
	key, verifier := exampleVerifier()
	token, _ := jwt.Sign(key, "JWT", jwt.Claims{
		Issuer: "https://auth.example", Audience: []string{"https://other.example"}, ExpiresAt: time.Unix(1_700_000_000, 0),
	})
	x := verifier.Explain(context.Background(), token)
	fmt.Println("valid:", x.Valid())
	for _, c := range x.Checks {
		if c.Status == jwt.Fail {
			fmt.Println(c.Name+":", c.Reason)
		}
	}
	// Output:
	// valid: false
	// exp: exp has passed by 1m0s
	// aud: aud names others only; expected ["https://api.example"]
}

func ExampleDecodeUnverified() {
	key, _ := exampleVerifier()
	token, _ := jwt.Sign(key, "JWT", jwt.Claims{Subject: "anybody", InsecureNoExpiry: true})
	u, err := jwt.DecodeUnverified(token)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s %s\n", u.RawHeader(), u.Payload())
	// Output: {"alg":"HS256","typ":"JWT"} {"sub":"anybody"}
}

// exampleVerifier has a clock that stands a minute after 1700000000.
func exampleVerifier() (*jwt.Key, *jwt.Verifier) {
	key, err := jwt.NewSecretKey(jwt.HS256, []byte("32 bytes from a file, not a word"), jwt.KeyOptions{})
	if err != nil {
		panic(err)
	}
	verifier, err := jwt.NewVerifier(jwt.StaticKeys{key}, jwt.Expect{
		Issuer: "https://auth.example", Audience: "https://api.example",
		Now: func() time.Time { return time.Unix(1_700_000_060, 0) },
	})
	if err != nil {
		panic(err)
	}
	return key, verifier
}
