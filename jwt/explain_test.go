package jwt

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The whole text, as the command prints it and docs/jwt.md shows it.
func TestExplain(t *testing.T) {
	t.Parallel()
	k := must(NewSecretKey(HS256, []byte(strings.Repeat("x", 32)), KeyOptions{ID: "k1"}))
	v := verifier(t, testExpect(), k)
	got := v.Explain(t.Context(), forge(t, k, `{"alg":"HS256","typ":"JWT","kid":"k1"}`,
		`{"iss":"https://issuer.example","aud":"https://other.example","sub":"u1","exp":1699999900,"name":"\u0041\u001b`+"\u009b\u202e"+`"}`))
	want := `header: {
  "alg": "HS256",
  "typ": "JWT",
  "kid": "k1"
}
claims: {
  "iss": "https://issuer.example",
  "aud": "https://other.example",
  "sub": "u1",
  "exp": 1699999900,
  "name": "\u0041\u001b\u009b\u202e"
}
pass     size       not longer than allowed
pass     shape      three parts
pass     encoding   canonical, so the token has one spelling
pass     header     a JSON object without repeated names
pass     crit       no crit
pass     features   no key or address in the header, no encoding of its own
pass     alg        a supported signature algorithm
pass     key        a key is bound to the token's algorithm
pass     signature  made with the key
pass     claims     a JSON object without repeated names
pass     typ        an expected one
fail     exp        exp has passed by 1m40s
skipped  nbf        absent
skipped  iat        absent
skipped  age        not asked for: no MaxAge
pass     iss        the expected one
fail     aud        aud names others only; expected ["https://api.example"]
pass     sub        a string; no particular one is asked for
skipped  jti        absent, and not asked for
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Error(diff)
	}
	if got.Valid() || (Explanation{}).Valid() {
		t.Error("valid")
	}
}

// Explain goes on where it can, and says where it cannot.
func TestExplainGoesOn(t *testing.T) {
	t.Parallel()
	k := secretKey(t)
	other := must(NewSecretKey(HS256, []byte(strings.Repeat("x", 32)), KeyOptions{}))
	v := verifier(t, testExpect(), k)
	for _, tt := range []struct {
		name, token   string
		fails, passes string
		skipped       int
	}{
		{"signature and claims", forge(t, other, `{"alg":"HS256"}`, with("exp", "1", "iss", `"x"`)), "signature exp iss", "claims aud", 3},
		{"header only", forge(t, k, `{"alg":"HS256","alg":""}`, goodClaims), "header", "claims exp iss aud", 9},
		{"claims only", forge(t, k, `{"alg":"HS256"}`, `[]`), "claims", "header signature typ", 8},
		{"all of the header", forge(t, k, `{"alg":"none","crit":[],"jwk":{},"typ":"x"}`, goodClaims), "crit features alg typ", "claims exp", 5},
		{"shape", "a.b", "shape", "size", 17},
		{"size", strings.Repeat("a", 9000), "size", "", 18},
	} {
		x := v.Explain(t.Context(), tt.token)
		var fails []string
		passes, skipped := " ", 0
		for _, c := range x.Checks {
			switch c.Status {
			case Fail:
				fails = append(fails, c.Name)
			case Skipped:
				skipped++
			case Pass:
				passes += c.Name + " "
			}
		}
		if got := strings.Join(fails, " "); got != tt.fails || skipped != tt.skipped {
			t.Errorf("%s: fails %s, want %s; %d skipped, want %d\n%s", tt.name, got, tt.fails, skipped, tt.skipped, x)
		}
		for _, name := range strings.Fields(tt.passes) {
			if !strings.Contains(passes, " "+name+" ") {
				t.Errorf("%s: %s does not pass\n%s", tt.name, name, x)
			}
		}
		if (x.Header == nil) != (strings.Contains(passes, " header ") == false) || (x.Claims == nil) != (strings.Contains(passes, " claims ") == false) {
			t.Errorf("%s: header %s, claims %s", tt.name, x.Header, x.Claims)
		}
	}
}
