package jwt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestExpect(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*Expect)
		header string // extra members
		claims string
		want   error // nil: accepted
		by     time.Duration
	}{
		{name: "as it is", claims: goodClaims},
		{name: "typ JWT", header: `,"typ":"JWT"`, claims: goodClaims},
		{name: "typ at+jwt, not asked for", header: `,"typ":"at+jwt"`, claims: goodClaims, want: ErrType},
		{name: "typ at+jwt", change: func(x *Expect) { x.Type = []string{"at+jwt"} }, header: `,"typ":"at+jwt"`, claims: goodClaims},
		{name: "typ missing", change: func(x *Expect) { x.Type = []string{"at+jwt"} }, claims: goodClaims, want: ErrType},
		{name: "typ may be missing", change: func(x *Expect) { x.Type = []string{"at+jwt", ""} }, claims: goodClaims},
		{name: "any typ", change: func(x *Expect) { x.InsecureAnyType = true }, header: `,"typ":"x"`, claims: goodClaims},

		{name: "no exp", claims: with("exp", ""), want: ErrClaim},
		{name: "no exp, allowed", change: func(x *Expect) { x.InsecureAllowNoExpiry = true }, claims: with("exp", "")},
		{name: "exp past, no exp allowed", change: func(x *Expect) { x.InsecureAllowNoExpiry = true }, claims: with("exp", "1"), want: ErrExpired, by: (testNow - 1) * time.Second},
		{name: "exp odd, no exp allowed", change: func(x *Expect) { x.InsecureAllowNoExpiry = true }, claims: with("exp", `null`), want: ErrClaim},
		{name: "exp within leeway", change: leeway, claims: with("exp", "1699999941")},
		{name: "exp at the end of leeway", change: leeway, claims: with("exp", "1699999940"), want: ErrExpired, by: time.Minute},
		{name: "nbf now", claims: with("nbf", "1700000000")},
		{name: "nbf within leeway", change: leeway, claims: with("nbf", "1700000060")},
		{name: "nbf past leeway", change: leeway, claims: with("nbf", "1700000061"), want: ErrNotYetValid, by: 61 * time.Second},
		{name: "iat within leeway", change: leeway, claims: with("iat", "1700000060")},
		{name: "iat past leeway", change: leeway, claims: with("iat", "1700000061"), want: ErrIssuedInFuture, by: 61 * time.Second},

		{name: "age", change: maxAge, claims: with("iat", "1699996400")},
		{name: "age over", change: maxAge, claims: with("iat", "1699996397"), want: ErrTooOld, by: 3 * time.Second},
		{name: "age within leeway", change: func(x *Expect) { maxAge(x); leeway(x) }, claims: with("iat", "1699996340")},
		{name: "age unknown", change: maxAge, claims: with("iat", ""), want: ErrClaim},

		{name: "no iss, allowed", change: func(x *Expect) { x.InsecureAllowNoIssuer = true }, claims: with("iss", "")},
		{name: "other iss, none allowed", change: func(x *Expect) { x.InsecureAllowNoIssuer = true }, claims: with("iss", `"x"`), want: ErrIssuer},
		{name: "any iss", change: anyIssuer, claims: with("iss", `"x"`)},
		{name: "any iss, not even one", change: anyIssuer, claims: with("iss", "")},
		{name: "any iss, odd", change: anyIssuer, claims: with("iss", "1"), want: ErrClaim},
		{name: "no aud, allowed", change: func(x *Expect) { x.InsecureAllowNoAudience = true }, claims: with("aud", "")},
		{name: "other aud, none allowed", change: func(x *Expect) { x.InsecureAllowNoAudience = true }, claims: with("aud", `["x"]`), want: ErrAudience},
		{name: "any aud", change: anyAudience, claims: with("aud", `"x"`)},
		{name: "any aud, odd", change: anyAudience, claims: with("aud", "{}"), want: ErrClaim},

		{name: "sub", change: func(x *Expect) { x.Subject = "u1" }, claims: goodClaims},
		{name: "other sub", change: func(x *Expect) { x.Subject = "U1" }, claims: goodClaims, want: ErrSubject},
		{name: "no sub", change: func(x *Expect) { x.Subject = "u1" }, claims: with("sub", ""), want: ErrSubject},
		{name: "jti", change: func(x *Expect) { x.ID = "j" }, claims: with("jti", `"j"`)},
		{name: "other jti", change: func(x *Expect) { x.ID = "j" }, claims: with("jti", `"J"`), want: ErrClaim},
		{name: "short limit", change: func(x *Expect) { x.MaxBytes = 100 }, claims: goodClaims, want: ErrTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			x := testExpect()
			if tt.change != nil {
				tt.change(&x)
			}
			k := secretKey(t)
			v, token := verifier(t, x, k), forge(t, k, `{"alg":"HS256"`+tt.header+`}`, tt.claims)
			if tt.want == nil {
				accepted(t, v, token)
				return
			}
			if e := refused(t, v, token, tt.want); e.By != tt.by {
				t.Errorf("by %v, want %v", e.By, tt.by)
			}
		})
	}
}

func leeway(x *Expect)      { x.Leeway = time.Minute }
func maxAge(x *Expect)      { x.MaxAge = time.Hour }
func anyIssuer(x *Expect)   { x.Issuer, x.InsecureAnyIssuer = "", true }
func anyAudience(x *Expect) { x.Audience, x.InsecureAnyAudience = "", true }

func TestNewVerifierRefuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Expect){
		"no issuer":             func(x *Expect) { x.Issuer = "" },
		"no audience":           func(x *Expect) { x.Audience = "" },
		"issuer and any":        func(x *Expect) { x.InsecureAnyIssuer = true },
		"audience and any":      func(x *Expect) { x.InsecureAnyAudience = true },
		"type and any":          func(x *Expect) { x.Type, x.InsecureAnyType = []string{"JWT"}, true },
		"any issuer and none":   func(x *Expect) { anyIssuer(x); x.InsecureAllowNoIssuer = true },
		"any audience and none": func(x *Expect) { anyAudience(x); x.InsecureAllowNoAudience = true },
		"leeway over a minute":  func(x *Expect) { x.Leeway = time.Minute + 1 },
		"leeway negative":       func(x *Expect) { x.Leeway = -1 },
		"age negative":          func(x *Expect) { x.MaxAge = -1 },
		"limit negative":        func(x *Expect) { x.MaxBytes = -1 },
		"limit over a mebibyte": func(x *Expect) { x.MaxBytes = 1<<20 + 1 },
	} {
		x := testExpect()
		change(&x)
		if _, err := NewVerifier(StaticKeys{secretKey(t)}, x); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	twice := must(NewSecretKey(HS256, []byte(strings.Repeat("x", 32)), KeyOptions{ID: "a"}))
	for name, keys := range map[string]KeySet{
		"nil": nil, "no keys": StaticKeys{}, "a nil key": StaticKeys{nil}, "an empty key": StaticKeys{{}}, "an ID twice": StaticKeys{twice, twice},
	} {
		if _, err := NewVerifier(keys, testExpect()); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// J9: a token that is badly signed is nothing else, however expired it is.
func TestBadSignatureHidesTheRest(t *testing.T) {
	t.Parallel()
	other := must(NewSecretKey(HS256, []byte(strings.Repeat("x", 32)), KeyOptions{}))
	v := verifier(t, testExpect(), secretKey(t))
	for _, claims := range []string{with("exp", "1"), with("exp", ""), with("iss", "1"), `not JSON`, with("nbf", "1800000000")} {
		_, err := checkBoth(t, v, forge(t, other, `{"alg":"HS256","typ":"other"}`, claims))
		if !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", claims, err)
		}
		for _, not := range []error{ErrExpired, ErrClaim, ErrIssuer, ErrMalformed, ErrType, ErrNotYetValid} {
			if errors.Is(err, not) {
				t.Errorf("%s: the error is also %v", claims, not)
			}
		}
	}
}

type keysFunc func(context.Context, Header) ([]*Key, error)

func (f keysFunc) Keys(ctx context.Context, h Header) ([]*Key, error) { return f(ctx, h) }

func TestKeySets(t *testing.T) {
	t.Parallel()
	a := must(NewSecretKey(HS256, []byte(strings.Repeat("a", 32)), KeyOptions{ID: "a"}))
	b := must(NewSecretKey(HS256, []byte(strings.Repeat("b", 32)), KeyOptions{ID: "b"}))
	anonymous := must(NewSecretKey(HS256, []byte(strings.Repeat("c", 32)), KeyOptions{}))
	header := func(kid string) string { return fmt.Sprintf(`{"alg":"HS256","kid":%q}`, kid) }
	v := verifier(t, testExpect(), a, b, anonymous)
	for _, tt := range []struct {
		name  string
		token string
		want  error
		key   *Key
	}{
		{"by kid", forge(t, b, header("b"), goodClaims), nil, b},
		{"without kid", forge(t, b, `{"alg":"HS256"}`, goodClaims), nil, b},
		{"under another's kid", forge(t, b, header("a"), goodClaims), ErrSignature, nil},
		{"unknown kid, key without an ID", forge(t, anonymous, header("z"), goodClaims), nil, anonymous},
		{"unknown kid, key with an ID", forge(t, a, header("z"), goodClaims), ErrSignature, nil},
		{"known kid, key without an ID", forge(t, anonymous, header("a"), goodClaims), ErrSignature, nil},
	} {
		got, err := checkBoth(t, v, tt.token)
		if !errors.Is(err, tt.want) || tt.want == nil && (err != nil || got.Key != tt.key) {
			t.Errorf("%s: %v, %v", tt.name, got, err)
		}
	}

	down := errors.New("connection refused")
	v = must(NewVerifier(keysFunc(func(context.Context, Header) ([]*Key, error) { return nil, down }), testExpect()))
	e := refused(t, v, forge(t, a, header("a"), goodClaims), ErrKeysUnavailable)
	if !errors.Is(e, down) || errors.Is(e, ErrUnknownKey) || errors.Is(e, ErrSignature) {
		t.Errorf("%v", e)
	}
	// A set that returns more than it was asked for does not loosen anything.
	careless := keysFunc(func(context.Context, Header) ([]*Key, error) { return []*Key{nil, {}, b, a}, nil })
	v = must(NewVerifier(careless, testExpect()))
	refused(t, v, forge(t, b, header("a"), goodClaims), ErrSignature)
	refused(t, v, forge(t, b, header("z"), goodClaims), ErrUnknownKey)
	refused(t, v, forge(t, b, `{"alg":"HS512","kid":"b"}`, goodClaims), ErrAlgorithm)
	accepted(t, v, forge(t, b, header("b"), goodClaims))
	// The number of signatures that one token can ask for is bounded.
	many := keysFunc(func(context.Context, Header) ([]*Key, error) {
		keys := make([]*Key, maxCandidates+1)
		for i := range keys {
			keys[i] = anonymous
		}
		return keys, nil
	})
	v = must(NewVerifier(many, testExpect()))
	refused(t, v, forge(t, anonymous, header("a"), goodClaims), ErrUnknownKey)
}

func TestKeySetIsNotAskedForNothing(t *testing.T) {
	t.Parallel()
	asked := 0
	v := must(NewVerifier(keysFunc(func(context.Context, Header) ([]*Key, error) { asked++; return nil, nil }), testExpect()))
	k := secretKey(t)
	for _, header := range []string{`{"alg":"none"}`, `{"alg":"HS257"}`, `{"alg":"HS256","kid":1}`, `x`} {
		if _, err := v.Verify(t.Context(), forge(t, k, header, goodClaims)); err == nil || asked != 0 {
			t.Errorf("%s: %v, asked %d times", header, err, asked)
		}
	}
}

// One verifier and one key serve many goroutines; -race watches.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	for _, alg := range []Algorithm{HS256, ES256, EdDSA} {
		k := anyKey(t, alg, KeyOptions{})
		v := verifier(t, testExpect(), k)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				sub := fmt.Sprint("user", i)
				for range 50 {
					c := testClaims()
					c.Subject = sub
					token, err := Sign(k, "JWT", c)
					if err != nil {
						t.Error(err)
						return
					}
					if tok, err := v.Verify(t.Context(), token); err != nil || tok.Subject != sub {
						t.Errorf("%v, %v", tok, err)
					}
					if v.Explain(t.Context(), token[:len(token)-6]+"AAAAAA").Valid() {
						t.Error("a changed signature is valid")
					}
				}
			})
		}
		wg.Wait()
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	k := secretKey(t)
	v := verifier(t, testExpect(), k)
	claims := with("user", `{"_id":"7","email":"a\u0040b.example","n":1,"deep":{"x":"y"}}`, "aud", `["a","`+testAudience+`"]`, "jti", `"j"`, "User", `{"_id":"8"}`)
	tok := accepted(t, v, forge(t, k, `{"alg":"HS256","typ":"JWT","cty":"c"}`, claims))
	for _, tt := range []struct {
		path []string
		want string
		ok   bool
	}{
		{[]string{"user", "_id"}, "7", true}, {[]string{"user", "email"}, "a@b.example", true}, {[]string{"user", "deep", "x"}, "y", true},
		{[]string{"sub"}, "u1", true}, {[]string{"User", "_id"}, "8", true}, {[]string{"user", "_ID"}, "", false}, {[]string{"USER", "_id"}, "", false},
		{[]string{"user", "n"}, "", false}, {[]string{"user"}, "", false}, {[]string{"exp"}, "", false}, {[]string{"sub", "x"}, "", false}, {nil, "", false},
	} {
		if got, ok := tok.String(tt.path...); got != tt.want || ok != tt.ok {
			t.Errorf("%q is %q, %v", tt.path, got, ok)
		}
	}
	lists := accepted(t, v, forge(t, k, `{"alg":"HS256"}`, with("roles", `["a","\u0062", "c,]\"" ]`, "mixed", `["a",1]`, "nested", `[["a"]]`, "none", `[ ]`, "in", `{"l":["x"],"t":1.5}`)))
	for _, tt := range []struct {
		path []string
		want []string
		ok   bool
	}{
		{[]string{"roles"}, []string{"a", "b", `c,]"`}, true}, {[]string{"none"}, []string{}, true}, {[]string{"in", "l"}, []string{"x"}, true},
		{[]string{"mixed"}, nil, false}, {[]string{"nested"}, nil, false}, {[]string{"sub"}, nil, false}, {[]string{"exp"}, nil, false},
		{[]string{"in"}, nil, false}, {[]string{"Roles"}, nil, false}, {[]string{"roles", "0"}, nil, false}, {nil, nil, false},
	} {
		if got, ok := lists.Strings(tt.path...); !slices.Equal(got, tt.want) || ok != tt.ok {
			t.Errorf("%q is %q, %v", tt.path, got, ok)
		}
	}
	for _, tt := range []struct {
		path []string
		want time.Time
	}{
		{[]string{"iat"}, clock().UTC()}, {[]string{"in", "t"}, time.Unix(1, 5e8).UTC()}, {[]string{"sub"}, time.Time{}}, {[]string{"in"}, time.Time{}}, {nil, time.Time{}},
	} {
		if got, ok := lists.Time(tt.path...); got != tt.want || ok == tt.want.IsZero() {
			t.Errorf("%q is %v, %v", tt.path, got, ok)
		}
	}
	compact := tok.Compact()
	if compact != forge(t, k, `{"alg":"HS256","typ":"JWT","cty":"c"}`, claims) || (&Token{}).Compact() != "" {
		t.Errorf("compact is %q", compact)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if text := fmt.Sprintf(verb+verb, tok, struct{ inner *Token }{tok}); strings.Contains(text, compact[len(compact)-20:]) {
			t.Errorf("%s prints the token: %s", verb, text)
		}
	}
	if raw, ok := tok.Claim("user"); !ok || !strings.HasPrefix(string(raw), `{"_id":"7"`) {
		t.Errorf("user is %s", raw)
	}
	if _, ok := tok.Claim("nothing"); ok || string(tok.Payload()) != claims {
		t.Error("claims that are not there")
	}
	tok.Payload()[0] = 'x'
	if tok.Payload()[0] != '{' || tok.ID != "j" || len(tok.Audience) != 2 || tok.Header.ContentType != "c" || tok.Key != k ||
		!tok.ExpiresAt.Equal(time.Unix(testNow+900, 0)) || !tok.IssuedAt.Equal(clock()) || !tok.NotBefore.IsZero() {
		t.Errorf("%+v", tok)
	}
	u := must(DecodeUnverified(forge(t, k, `{"alg":"none","crit":["x"]}`, with("exp", "1"))))
	if raw, ok := u.Claim("exp"); !ok || string(raw) != "1" || u.Header.Algorithm != "none" {
		t.Errorf("%s, %+v", raw, u)
	}
	if s, ok := u.String("sub"); !ok || s != "u1" {
		t.Errorf("%q", s)
	}
}

// No error text repeats anything out of a token.
func TestErrorsRepeatNothing(t *testing.T) {
	t.Parallel()
	k := secretKey(t)
	v := verifier(t, testExpect(), k)
	const canary = "CANARY"
	for _, token := range []string{
		canary, canary + "." + canary + "." + canary, forge(t, k, `{"alg":"CANARY"}`, goodClaims), forge(t, k, `{"alg":"HS256","kid":"CANARY"}`, `CANARY`),
		forge(t, k, `{"alg":"HS256","CANARY":1,"CANARY":1}`, goodClaims), forge(t, k, `{"alg":"HS256","typ":"CANARY"}`, goodClaims),
		forge(t, k, `{"alg":"HS256","crit":["CANARY"]}`, goodClaims), forge(t, k, `{"alg":"HS256"}`, with("iss", `"CANARY"`)),
		forge(t, k, `{"alg":"HS256"}`, with("aud", `"CANARY"`)), forge(t, k, `{"alg":"HS256"}`, with("exp", `"CANARY"`)),
	} {
		_, err := checkBoth(t, v, token)
		if err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%v", err)
		}
		for _, c := range v.Explain(t.Context(), token).Checks {
			if strings.Contains(c.Reason, canary) {
				t.Errorf("%+v", c)
			}
		}
	}
}

func TestValidUntil(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*Expect)
		claims string
		want   string // from testNow
	}{
		{"exp", nil, goodClaims, "15m"},
		{"exp and leeway", leeway, goodClaims, "16m"},
		{"exp with a fraction", nil, with("exp", "1700000000.5"), "500ms"},
		{"age", maxAge, with("exp", "1700009000"), "1h0m0.000000001s"},
		{"age and leeway", func(x *Expect) { maxAge(x); leeway(x) }, with("exp", "1700009000"), "1h1m0.000000001s"},
		{"exp before age", maxAge, goodClaims, "15m"},
		{"age without exp", func(x *Expect) { maxAge(x); x.InsecureAllowNoExpiry = true }, with("exp", ""), "1h0m0.000000001s"},
		{"nothing", func(x *Expect) { x.InsecureAllowNoExpiry = true }, with("exp", ""), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			x, now := testExpect(), clock()
			x.Now = func() time.Time { return now }
			if tt.change != nil {
				tt.change(&x)
			}
			v, token := verifier(t, x, secretKey(t)), forge(t, secretKey(t), `{"alg":"HS256"}`, tt.claims)
			tok := must(v.Verify(t.Context(), token))
			until := v.ValidUntil(tok)
			if tt.want == "" {
				if !until.IsZero() {
					t.Errorf("until %v, want for ever", until)
				}
				return
			}
			if want := clock().Add(must(time.ParseDuration(tt.want))); !until.Equal(want) {
				t.Errorf("until %v, want %v", until.UTC(), want.UTC())
			}
			now = until.Add(-1)
			if _, err := v.Verify(t.Context(), token); err != nil {
				t.Errorf("refused before: %v", err)
			}
			now = until
			if _, err := v.Verify(t.Context(), token); err == nil {
				t.Error("accepted after")
			}
		})
	}
}
