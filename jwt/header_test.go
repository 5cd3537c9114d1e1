package jwt

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// TestKnownHeaderVouchesForNothing: that a header has been met in a good token says nothing of the next one.
func TestKnownHeaderVouchesForNothing(t *testing.T) {
	t.Parallel()
	k := secretKey(t)
	x := testExpect()
	x.Type = []string{"JWT"}
	v := verifier(t, x, k)
	const header = `{"alg":"HS256","typ":"JWT"}`
	good := forge(t, k, header, goodClaims)
	for range 3 {
		if tok := accepted(t, v, good); tok.Header != (Header{Algorithm: "HS256", Type: "JWT"}) {
			t.Fatalf("%+v", tok.Header)
		}
	}
	if v.headers.find(b64(header)) == nil {
		t.Fatal("the header is not known")
	}
	parts := strings.Split(good, ".")
	other := must(NewSecretKey(HS256, []byte(strings.Repeat("x", 32)), KeyOptions{}))
	refused(t, v, forge(t, other, header, goodClaims), ErrSignature)
	refused(t, v, parts[0]+"."+parts[1]+"."+parts[2][:len(parts[2])-4]+"AAAA", ErrSignature)
	refused(t, v, forge(t, k, header, with("exp", "1")), ErrExpired)
	refused(t, v, parts[0]+"."+parts[1]+"=."+parts[2], ErrMalformed)
	refused(t, v, parts[0]+".!."+parts[2], ErrMalformed)
	for _, h := range []string{
		`{"alg":"none","typ":"JWT"}`, `{"alg":"HS512","typ":"JWT"}`,
	} {
		refused(t, v, forge(t, k, h, goodClaims), ErrAlgorithm)
	}
	refused(t, v, forge(t, k, `{"alg":"HS256","typ":"JWS"}`, goodClaims), ErrType)
	refused(t, v, forge(t, k, header[:len(header)-1]+`,"crit":["x"]}`, goodClaims), ErrCritical)
	refused(t, v, forge(t, k, header[:len(header)-1]+`,"typ":"JWT"}`, goodClaims), ErrMalformed)
	// The last character of the header has bits to spare: 27 bytes have none, so one more is put in.
	spaced := b64(header + " ")
	loose := spaced[:len(spaced)-1] + string(spaced[len(spaced)-1]+1)
	refused(t, v, loose+"."+parts[1]+"."+parts[2], ErrMalformed)
}

// TestKnownHeaderChanges: headers that come by turns are each read as they are.
func TestKnownHeaderChanges(t *testing.T) {
	t.Parallel()
	a, b := must(NewSecretKey(HS256, []byte(strings.Repeat("a", 32)), KeyOptions{ID: "a"})), must(NewSecretKey(HS256, []byte(strings.Repeat("b", 32)), KeyOptions{ID: "b"}))
	v := verifier(t, testExpect(), a, b)
	tokens := map[string]string{
		"a": forge(t, a, `{"alg":"HS256","kid":"a"}`, goodClaims), "b": forge(t, b, `{"alg":"HS256","kid":"b"}`, goodClaims),
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 300 {
				for id, token := range tokens {
					if tok, err := v.Verify(t.Context(), token); err != nil || tok.Header.KeyID != id || tok.Key.ID() != id {
						t.Errorf("%v %v", tok, err)
					}
				}
			}
		})
	}
	all.Wait()
	for id, token := range tokens {
		if tok, err := checkBoth(t, v, token); err != nil || tok.Header.KeyID != id {
			t.Errorf("%v %v", tok, err)
		}
	}
}

// TestTokenKeepsItsText: what a token says does not change when others are verified after it in the same memory.
func TestTokenKeepsItsText(t *testing.T) {
	t.Parallel()
	k := secretKey(t)
	v := verifier(t, testExpect(), k)
	var tokens []*Token
	for i := range 50 {
		tokens = append(tokens, accepted(t, v, forge(t, k, `{"alg":"HS256"}`, with("jti", `"`+strings.Repeat(string(rune('a'+i%26)), i+1)+`"`))))
	}
	for i, tok := range tokens {
		want := strings.Repeat(string(rune('a'+i%26)), i+1)
		if got, _ := tok.String("jti"); got != want || tok.ID != want || tok.Header.Algorithm != "HS256" || !strings.Contains(string(tok.Payload()), want) {
			t.Errorf("%d: %q, %q, %s", i, got, tok.ID, tok.Payload())
		}
	}
}

// TestTokensKeepWhatTheySay holds on to many tokens of many goroutines, while others are verified and refused in the same
// memory, and then looks at all that they hand out.
func TestTokensKeepWhatTheySay(t *testing.T) {
	t.Parallel()
	k := secretKey(t)
	v := verifier(t, testExpect(), k)
	claims := func(i int) string {
		aud := `"` + testAudience + `"`
		if i%2 == 0 {
			aud = fmt.Sprintf(`["a%d",%s]`, i, aud)
		}
		return fmt.Sprintf(`{"iss":%q,"aud":%s,"exp":%d,"sub":"s%[4]d","jti":"%[5]s","roles":["r%[4]d","\u0072%[4]d"],"user":{"_id":"u%[4]d"},"auth_time":%[4]d}`,
			testIssuer, aud, testNow+900+i, i+1, strings.Repeat(string(rune('a'+i%26)), 1+i%300))
	}
	const workers, each = 4, 300
	tokens := make([]*Token, workers*each)
	bad := forge(t, k, `{"alg":"HS256"}`, strings.Repeat(" ", 4000)+`{"iss":"`+strings.Repeat("x", 1000)+`"}`)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := w * each; i < (w+1)*each; i++ {
				tok, err := v.Verify(t.Context(), forge(t, k, fmt.Sprintf(`{"alg":"HS256","cty":"c%d"}`, i), claims(i)))
				if err != nil {
					t.Error(err)
					return
				}
				tokens[i] = tok
				if _, err := v.Verify(t.Context(), bad); err == nil {
					t.Error("the bad one is accepted")
				}
			}
		})
	}
	all.Wait()
	for i, tok := range tokens {
		if tok == nil {
			t.Fatal("not verified")
		}
		n := strconv.Itoa(i + 1)
		roles, _ := tok.Strings("roles")
		user, _ := tok.String("user", "_id")
		at, _ := tok.Time("auth_time")
		wantAud := []string{testAudience}
		if i%2 == 0 {
			wantAud = []string{fmt.Sprintf("a%d", i), testAudience}
		}
		if tok.Subject != "s"+n || tok.ID != strings.Repeat(string(rune('a'+i%26)), 1+i%300) || tok.Issuer != testIssuer || !slices.Equal(tok.Audience, wantAud) ||
			tok.Header.ContentType != fmt.Sprintf("c%d", i) || tok.ExpiresAt.Unix() != int64(testNow+900+i) || !slices.Equal(roles, []string{"r" + n, "r" + n}) ||
			user != "u"+n || at.Unix() != int64(i+1) || string(tok.Payload()) != claims(i) || !strings.Contains(tok.Compact(), b64(claims(i))) {
			t.Fatalf("%d: %+v, %q, %q, %v, %s", i, tok, roles, user, at, tok.Payload())
		}
		tok.Payload()[0], roles[0] = 'x', "x" // copies, which are the caller's
		if again, _ := tok.Strings("roles"); again[0] != "r"+n || tok.Payload()[0] != '{' {
			t.Fatalf("%d: %q, %s", i, again, tok.Payload())
		}
	}
}
