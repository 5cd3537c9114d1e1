package jwt

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The moment at which all tests happen, and what their tokens are about.
const (
	testNow      = 1_700_000_000
	testIssuer   = "https://issuer.example"
	testAudience = "https://api.example"
)

func clock() time.Time { return time.Unix(testNow, 0) }

// goodClaims is a payload that testExpect accepts.
const goodClaims = `{"iss":"https://issuer.example","aud":"https://api.example","sub":"u1","exp":1700000900,"iat":1700000000}`

func testExpect() Expect { return Expect{Issuer: testIssuer, Audience: testAudience, Now: clock} }

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func secretKey(tb testing.TB) *Key {
	tb.Helper()
	return must(NewSecretKey(HS256, []byte("0123456789abcdef0123456789abcdef"), KeyOptions{}))
}

// pemKey reads a key from testdata. They were made with openssl for these tests and are used nowhere else.
func pemKey(tb testing.TB, alg Algorithm, opt KeyOptions) *Key {
	tb.Helper()
	name := map[family]string{rsaFamily: "rsa2048", pssFamily: "rsa2048", ed25519Family: "ed25519"}[alg.spec().family]
	if c := alg.spec().curve; c != nil {
		name = strings.ToLower(strings.ReplaceAll(c.Params().Name, "-", ""))
	}
	return must(ParsePEM(alg, readFile(tb, name+".pem"), opt))
}

func readFile(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// anyKey returns a key for the algorithm that is the same every time.
func anyKey(tb testing.TB, alg Algorithm, opt KeyOptions) *Key {
	tb.Helper()
	if alg.Symmetric() {
		return must(NewSecretKey(alg, []byte(strings.Repeat("s3cret-s3cret-s3", 4)), opt))
	}
	return pemKey(tb, alg, opt)
}

func allAlgorithms() []Algorithm {
	return []Algorithm{HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519}
}

func verifier(tb testing.TB, x Expect, keys ...*Key) *Verifier {
	tb.Helper()
	return must(NewVerifier(must(NewStaticKeys(keys...)), x))
}

// checkBoth verifies and explains a token, and fails the test unless the two agree to the letter.
func checkBoth(tb testing.TB, v *Verifier, token string) (*Token, error) {
	tb.Helper()
	got, err := v.Verify(tb.Context(), token)
	x := v.Explain(tb.Context(), token)
	if x.Valid() != (err == nil) {
		tb.Fatalf("Verify says %v, Explain says %v:\n%s", err, x.Valid(), x)
	}
	if len(x.Checks) != len(allChecks) {
		tb.Fatalf("%d checks explained, there are %d", len(x.Checks), len(allChecks))
	}
	if err == nil {
		return got, nil
	}
	var e *Error
	if !errors.As(err, &e) {
		tb.Fatalf("%v is a %T", err, err)
	}
	for _, c := range x.Checks {
		if c.Status != Fail {
			continue
		}
		if c.Name != e.Check {
			tb.Fatalf("Verify fails at %s, Explain first at %s:\n%s", e.Check, c.Name, x)
		}
		break
	}
	if i := strings.LastIndexByte(token, '.'); i >= 0 && len(token)-i > 20 && strings.Contains(err.Error()+x.String(), token[i+1:]) {
		tb.Fatal("the signature is shown")
	}
	return nil, err
}

// refused fails the test unless v refuses the token with this sentinel.
func refused(tb testing.TB, v *Verifier, token string, want error) *Error {
	tb.Helper()
	_, err := checkBoth(tb, v, token)
	if !errors.Is(err, want) {
		tb.Fatalf("%.200q: got error %v, want %v", token, err, want)
	}
	var e *Error
	errors.As(err, &e)
	return e
}

func accepted(tb testing.TB, v *Verifier, token string) *Token {
	tb.Helper()
	got, err := checkBoth(tb, v, token)
	if err != nil {
		tb.Fatalf("%.300q: %v", token, err)
	}
	return got
}

// forge signs any header and payload, whatever they are.
func forge(tb testing.TB, k *Key, header, payload string) string {
	tb.Helper()
	return must(signJWS(k, []byte(header), []byte(payload)))
}
