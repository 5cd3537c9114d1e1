package jwt

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func testClaims() Claims {
	return Claims{Issuer: testIssuer, Audience: []string{testAudience}, ExpiresAt: clock().Add(time.Hour)}
}

func TestSignAllAlgorithms(t *testing.T) {
	t.Parallel()
	for _, alg := range allAlgorithms() {
		k := anyKey(t, alg, KeyOptions{ID: "k"})
		token, err := Sign(k, "JWT", testClaims())
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		tok := accepted(t, verifier(t, testExpect(), k), token)
		want := Header{Algorithm: string(alg), Type: "JWT", KeyID: "k"}
		if diff := cmp.Diff(want, tok.Header); diff != "" {
			t.Errorf("%s: %s", alg, diff)
		}
		if public := k.Public(); public != nil {
			accepted(t, verifier(t, testExpect(), public), token)
			if _, err := Sign(public, "JWT", testClaims()); !errors.Is(err, ErrKey) {
				t.Errorf("%s: the public half signs: %v", alg, err)
			}
		}
	}
}

// What is signed is exactly this.
func TestSignWrites(t *testing.T) {
	t.Parallel()
	at := time.Unix(testNow, 999_999_999)
	full := Claims{
		Issuer: "i", Subject: "s", Audience: []string{"a", "b"}, ID: "j", ExpiresAt: at, NotBefore: at, IssuedAt: at,
		Extra: map[string]any{"user": map[string]string{"_id": "1", "email": "<a&b>\u2028é"}, "n": json.Number("1.0"), "nil": nil},
	}
	for _, tt := range []struct {
		typ, id, header, payload string
		claims                   Claims
	}{
		{"", "", `{"alg":"HS256"}`, `{"aud":"https://api.example","exp":1700003600,"iss":"https://issuer.example"}`, testClaims()},
		{"at+jwt", "k\"<", `{"alg":"HS256","typ":"at+jwt","kid":"k\"<"}`,
			`{"aud":["a","b"],"exp":1700000000,"iat":1700000000,"iss":"i","jti":"j","n":1.0,"nbf":1700000000,"nil":null,"sub":"s","user":{"_id":"1","email":"<a&b>\u2028é"}}`, full},
		{"JWT", "", `{"alg":"HS256","typ":"JWT"}`, `{}`, Claims{InsecureNoExpiry: true}},
	} {
		k := must(NewSecretKey(HS256, []byte(strings.Repeat("x", 32)), KeyOptions{ID: tt.id}))
		u := must(DecodeUnverified(must(Sign(k, tt.typ, tt.claims))))
		if diff := cmp.Diff([]string{tt.header, tt.payload}, []string{string(u.RawHeader()), string(u.Payload())}); diff != "" {
			t.Error(diff)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	t.Parallel()
	k := secretKey(t)
	deep := any(1)
	for range 20 {
		deep = []any{deep}
	}
	for name, c := range map[string]struct {
		change func(*Claims)
		want   error
	}{
		"no exp":               {func(c *Claims) { c.ExpiresAt = time.Time{} }, ErrClaim},
		"exp and no exp":       {func(c *Claims) { c.InsecureNoExpiry = true }, ErrClaim},
		"exp 1970":             {func(c *Claims) { c.ExpiresAt = time.Unix(0, 0) }, ErrClaim},
		"exp 10000":            {func(c *Claims) { c.ExpiresAt = time.Unix(maxDate+1, 0) }, ErrClaim},
		"iat before 1970":      {func(c *Claims) { c.IssuedAt = time.Unix(-1, 0) }, ErrClaim},
		"nbf far":              {func(c *Claims) { c.NotBefore = time.Unix(math.MaxInt64, 0) }, ErrClaim},
		"iss invalid":          {func(c *Claims) { c.Issuer = "\xff" }, ErrClaim},
		"sub with NUL":         {func(c *Claims) { c.Subject = "a\x00b" }, ErrClaim},
		"aud empty":            {func(c *Claims) { c.Audience = []string{"a", ""} }, ErrClaim},
		"aud invalid":          {func(c *Claims) { c.Audience = []string{"\xff"} }, ErrClaim},
		"Extra exp":            {func(c *Claims) { c.Extra = map[string]any{"exp": 1} }, ErrClaim},
		"Extra EXP":            {func(c *Claims) { c.Extra = map[string]any{"EXP": 1} }, ErrClaim},
		"Extra \u017fub":       {func(c *Claims) { c.Extra = map[string]any{"\u017fub": 1} }, ErrClaim},
		"Extra aud":            {func(c *Claims) { c.Extra = map[string]any{"aud": nil} }, ErrClaim},
		"NaN":                  {func(c *Claims) { c.Extra = map[string]any{"n": math.NaN()} }, ErrClaim},
		"Inf":                  {func(c *Claims) { c.Extra = map[string]any{"n": math.Inf(1)} }, ErrClaim},
		"channel":              {func(c *Claims) { c.Extra = map[string]any{"n": make(chan int)} }, ErrClaim},
		"invalid UTF-8":        {func(c *Claims) { c.Extra = map[string]any{"n": "\xff"} }, ErrClaim},
		"invalid UTF-8 inside": {func(c *Claims) { c.Extra = map[string]any{"n": []string{"\\\xff"}} }, ErrClaim},
		"invalid UTF-8 name":   {func(c *Claims) { c.Extra = map[string]any{"\xff": 1} }, ErrClaim},
		"raw, a name twice":    {func(c *Claims) { c.Extra = map[string]any{"n": json.RawMessage(`{"a":1,"a":2}`)} }, ErrClaim},
		"raw, lone surrogate":  {func(c *Claims) { c.Extra = map[string]any{"n": json.RawMessage(`"\ud800"`)} }, ErrClaim},
		"raw, no JSON":         {func(c *Claims) { c.Extra = map[string]any{"n": json.RawMessage(`{`)} }, ErrClaim},
		"deep":                 {func(c *Claims) { c.Extra = map[string]any{"n": deep} }, ErrClaim},
		"negative MaxBytes":    {func(c *Claims) { c.MaxBytes = -1 }, ErrClaim},
		"huge MaxBytes":        {func(c *Claims) { c.MaxBytes = maxMaxBytes + 1 }, ErrClaim},
		"long":                 {func(c *Claims) { c.Extra = map[string]any{"n": strings.Repeat("x", 8000)} }, ErrTooLarge},
	} {
		claims := testClaims()
		c.change(&claims)
		if token, err := Sign(k, "JWT", claims); !errors.Is(err, c.want) {
			t.Errorf("%s: %s, %v", name, token, err)
		}
	}
	for _, bad := range []*Key{nil, {}, {alg: HS256}, pemKey(t, ES256, KeyOptions{}).Public()} {
		if token, err := Sign(bad, "JWT", testClaims()); !errors.Is(err, ErrKey) {
			t.Errorf("%v: %s, %v", bad, token, err)
		}
	}
	if token, err := Sign(k, "\xff", testClaims()); !errors.Is(err, ErrClaim) {
		t.Errorf("%s, %v", token, err)
	}
	claims := testClaims()
	claims.Extra = map[string]any{"n": "\\ufffd and \ufffd"} // what only looks like a replacement
	if _, err := Sign(k, "JWT", claims); err != nil {
		t.Error(err)
	}
}

func TestSignLongDocument(t *testing.T) {
	t.Parallel()
	k := secretKey(t)
	c := testClaims()
	c.Extra = map[string]any{"n": strings.Repeat("x", 20_000)}
	c.MaxBytes = 20_000
	if _, err := Sign(k, "JWT", c); !errors.Is(err, ErrTooLarge) {
		t.Errorf("over its MaxBytes: %v", err)
	}
	c.MaxBytes = maxMaxBytes
	token, err := Sign(k, "JWT", c)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, verifier(t, testExpect(), k), token, ErrTooLarge)
	x := testExpect()
	x.MaxBytes = maxMaxBytes
	accepted(t, verifier(t, x, k), token)
}
