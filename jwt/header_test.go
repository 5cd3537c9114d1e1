package jwt

import (
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
