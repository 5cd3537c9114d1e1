package jwt

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

// with returns goodClaims with some members replaced, left out (an empty value) or added.
func with(pairs ...string) string {
	members := map[string]string{
		"iss": `"` + testIssuer + `"`, "aud": `"` + testAudience + `"`, "sub": `"u1"`,
		"exp": fmt.Sprint(testNow + 900), "iat": fmt.Sprint(testNow),
	}
	for i := 0; i < len(pairs); i += 2 {
		members[pairs[i]] = pairs[i+1]
	}
	var b strings.Builder
	for name, value := range members {
		if value != "" {
			fmt.Fprintf(&b, `,%q:%s`, name, value)
		}
	}
	return "{" + strings.TrimPrefix(b.String(), ",") + "}"
}

// Row 84: JSON that has two readings, or is none.
func TestHostileJSON(t *testing.T) {
	t.Parallel()
	v, sign := bySecret(t)
	const header = `{"alg":"HS256"}`
	var wide bytes.Buffer
	for _, u := range utf16.Encode([]rune(goodClaims)) {
		wide.Write([]byte{byte(u), byte(u >> 8)})
	}
	for name, claims := range map[string]string{
		"exp twice":                   strings.Replace(goodClaims, `{`, `{"exp":9999999999,`, 1),
		"exp twice, escaped":          strings.Replace(goodClaims, `{`, `{"\u0065xp":9999999999,`, 1),
		"a nested member twice":       with("user", `{"_id":"a","_id":"b"}`),
		"twice within a list":         with("list", `[[{"a":1,"a":1}]]`),
		"byte order mark":             "\ufeff" + goodClaims,
		"UTF-16":                      wide.String(),
		"invalid UTF-8 in a value":    with("name", "\"\xff\""),
		"invalid UTF-8 in a name":     strings.Replace(goodClaims, `{`, "{\"\xc0\xaf\":1,", 1),
		"overlong UTF-8":              with("name", "\"\xc1\xa1\""),
		"surrogate in UTF-8":          with("name", "\"\xed\xa0\x80\""),
		"lone high surrogate":         with("name", `"\ud800"`),
		"lone low surrogate":          with("name", `"\udc00"`),
		"surrogates swapped":          with("name", `"\udc00\ud800"`),
		"trailing text":               goodClaims + "x",
		"trailing object":             goodClaims + "{}",
		"trailing NUL":                goodClaims + "\x00",
		"a list":                      `[` + goodClaims + `]`,
		"null":                        `null`,
		"a string":                    `"x"`,
		"a number":                    `1`,
		"white space only":            "  ",
		"cut short":                   goodClaims[:len(goodClaims)-1],
		"comment":                     strings.Replace(goodClaims, `{`, `{/**/`, 1),
		"trailing comma":              strings.Replace(goodClaims, `}`, `,}`, 1),
		"single quotes":               strings.ReplaceAll(goodClaims, `"`, `'`),
		"control character in string": with("name", "\"a\x01\""),
		"line break in string":        with("name", "\"a\nb\""),
		"unknown escape":              with("name", `"\x41"`),
		"NaN":                         with("n", `NaN`),
		"Infinity":                    with("n", `Infinity`),
		"leading zero":                with("n", `01`),
		"leading plus":                with("n", `+1`),
		"hexadecimal":                 with("n", `0x1`),
		"vertical tab":                "\v" + goodClaims,
	} {
		e := refused(t, v, sign(header, claims), ErrMalformed)
		if e.Check != CheckClaims {
			t.Errorf("%s: refused by %s", name, e.Check)
		}
		refused(t, v, sign(strings.Replace(claims, "{", `{"alg":"HS256",`, 1), goodClaims), ErrMalformed)
	}
	// Names that differ in case are different claims, and only the exact one counts.
	token := accepted(t, v, sign(header, with("EXP", "1", "Iss", `"other"`, "\u017fub", `"other"`, "ＳＵＢ", `"other"`)))
	if token.Subject != "u1" || token.Issuer != testIssuer {
		t.Errorf("subject %q, issuer %q", token.Subject, token.Issuer)
	}
	refused(t, v, sign(header, with("exp", "", "EXP", "9999999999")), ErrClaim)
	refused(t, v, sign(header, with("iss", "", "i\u017f\u017f", `"`+testIssuer+`"`)), ErrIssuer)
}

// Row 85: times.
func TestHostileTimes(t *testing.T) {
	t.Parallel()
	v, sign := bySecret(t)
	malformed := []string{`"1700000900"`, `null`, `[1700000900]`, `{}`, `true`, `1e308`, `1e400`, `9223372036854775808`,
		`9223372036854775807`, `253402300800`, `1e12`, `1` + strings.Repeat("0", 5000), `1700000900.` + strings.Repeat("0", 100)}
	small := []string{`0`, `-0`, `-1`, `0.5`, `-1e308`, `1e-400`, `-1700000900`, `0e5`}
	for _, n := range malformed {
		for _, name := range []string{"exp", "nbf", "iat"} {
			e := refused(t, v, sign(`{"alg":"HS256"}`, with(name, n)), ErrClaim)
			if e.Check != name {
				t.Errorf("%s:%.20s refused by %s", name, n, e.Check)
			}
		}
	}
	for _, n := range small {
		refused(t, v, sign(`{"alg":"HS256"}`, with("exp", n)), ErrExpired)
		refused(t, v, sign(`{"alg":"HS256"}`, with("nbf", n)), ErrClaim)
		refused(t, v, sign(`{"alg":"HS256"}`, with("iat", n)), ErrClaim)
	}
	for _, tt := range []struct {
		name, value string
		want        error
		by          time.Duration
	}{
		{"exp", "1699999999", ErrExpired, time.Second},
		{"exp", "1700000000", ErrExpired, 0},
		{"exp", "1699996400", ErrExpired, time.Hour},
		{"exp", "1699999999.5", ErrExpired, time.Second / 2},
		{"exp", "1.6999999995e9", ErrExpired, time.Second / 2},
		{"exp", "", ErrClaim, 0},
		{"nbf", "1700000001", ErrNotYetValid, time.Second},
		{"nbf", "1700000000.25", ErrNotYetValid, time.Second / 4},
		{"iat", "1700003600", ErrIssuedInFuture, time.Hour},
	} {
		e := refused(t, v, sign(`{"alg":"HS256"}`, with(tt.name, tt.value)), tt.want)
		if e.Check != tt.name || e.By != tt.by {
			t.Errorf("%s:%s refused by %s, by %v", tt.name, tt.value, e.Check, e.By)
		}
	}
	for _, ok := range []string{"1700000001", "1700000000.000000001", "17000009e2", "253402300799", "253402300799.999", "2.534e11"} {
		accepted(t, v, sign(`{"alg":"HS256"}`, with("exp", ok)))
	}
}

// Row 86: who it is from, for and about.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	v, sign := bySecret(t)
	for _, tt := range []struct {
		name string
		aud  bool
		want error
	}{{"iss", false, ErrIssuer}, {"aud", true, ErrAudience}} {
		right := map[string]string{"iss": testIssuer, "aud": testAudience}[tt.name]
		for _, other := range []string{``, `"https://evil.example"`, `"` + right + `/"`, `"` + right[:len(right)-1] + `"`,
			`"` + strings.ToUpper(right) + `"`, `" ` + right + `"`, `"` + right + ` "`, `"x` + right + `"`, `"*"`, `"undefined"`} {
			refused(t, v, sign(`{"alg":"HS256"}`, with(tt.name, other)), tt.want)
		}
		for _, odd := range []string{`null`, `1`, `true`, `{}`, `""`, `"` + right + `\u0000"`, `[1]`, `[null]`, `[["` + right + `"]]`, `[""]`} {
			refused(t, v, sign(`{"alg":"HS256"}`, with(tt.name, odd)), ErrClaim)
		}
	}
	refused(t, v, sign(`{"alg":"HS256"}`, with("iss", `["`+testIssuer+`"]`)), ErrClaim)
	refused(t, v, sign(`{"alg":"HS256"}`, with("aud", `[]`)), ErrAudience)
	refused(t, v, sign(`{"alg":"HS256"}`, with("aud", `["a","b"]`)), ErrAudience)
	refused(t, v, sign(`{"alg":"HS256"}`, with("aud", `["`+testAudience+`",1]`)), ErrClaim)
	accepted(t, v, sign(`{"alg":"HS256"}`, with("aud", `["a","`+testAudience+`"]`)))
	for _, odd := range []string{`null`, `1`, `true`, `{}`, `["u1"]`, `""`, `"u1\u0000"`} {
		refused(t, v, sign(`{"alg":"HS256"}`, with("sub", odd)), ErrClaim)
		refused(t, v, sign(`{"alg":"HS256"}`, with("jti", odd)), ErrClaim)
	}
}

// Row 87: texts that are nearly a token.
func TestHostileShapes(t *testing.T) {
	t.Parallel()
	v, sign := bySecret(t)
	good := sign(`{"alg":"HS256"}`, goodClaims)
	p := strings.Split(good, ".")
	accepted(t, v, good)
	shapes := []string{
		"", ".", "..", "...", "....", ".....", "a", "a.b", "a.b.c", "a.b.c.d", "null", "undefined", "Bearer", "{}", "[]", `""`,
		p[0], p[0] + "." + p[1], p[0] + "." + p[1] + ".", "." + p[1] + "." + p[2], p[0] + ".." + p[2], p[1] + "." + p[0] + "." + p[2],
		good + ".", "." + good, good + "." + p[2], good + "..", p[0] + "." + good, strings.Replace(good, ".", "..", 1),
		good + "=", good + "==", p[0] + "=." + p[1] + "." + p[2], p[0] + "." + p[1] + "=." + p[2],
		" " + good, good + " ", "\t" + good, good + "\n", good + "\r\n", good + "\x00", "\ufeff" + good,
		p[0] + ". " + p[1] + "." + p[2], p[0] + ".\n" + p[1] + "." + p[2], good[:10] + "\n" + good[10:], good[:10] + "\r\n" + good[10:],
		good[:len(good)-5] + "\n" + good[len(good)-5:], strings.ReplaceAll(good, ".", "%2E"), strings.ReplaceAll(good, ".", "。"),
		`"` + good + `"`, "'" + good + "'", "<" + good + ">", good + "," + good, "Bearer " + good, good + ";", good + "#",
		good[:10] + "+" + good[10:], good[:10] + "/" + good[10:], good[:10] + "~" + good[10:], good[:10] + "é" + good[10:],
		good[:10] + "A" + good[10:], p[0] + "A." + p[1] + "." + p[2], p[0] + "." + p[1] + "A." + p[2], good + "A",
		`{"protected":"` + p[0] + `","payload":"` + p[1] + `","signature":"` + p[2] + `"}`,
		`{"payload":"` + p[1] + `","signatures":[{"protected":"` + p[0] + `","signature":"` + p[2] + `"}]}`,
		" {\"payload\":1}", `["` + good + `"]`, "{" + good + "}", strings.ToLower(good), strings.ToUpper(good),
		p[0] + "." + p[1] + "." + p[2][:len(p[2])-1], p[0] + "." + p[1] + "." + p[2] + p[2], "data:," + good,
		strings.Replace(good, p[0], base64.StdEncoding.EncodeToString([]byte(`{"alg":"HS256" }`)), 1),
	}
	for _, token := range shapes {
		if got, err := checkBoth(t, v, token); err == nil {
			t.Errorf("accepts %q as %+v", token, got)
		}
	}
	t.Logf("%d shapes", len(shapes))
}

// The one spelling: of the four or sixteen last characters that decode to the same bytes, one is right.
func TestHostileNotCanonical(t *testing.T) {
	t.Parallel()
	v, sign := bySecret(t)
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for _, pad := range []string{"", "x", "xx"} {
		good := sign(`{"alg":"HS256","p":"`+pad+`"}`, with("p", `"`+pad+`"`))
		for i, c := range []byte(good) {
			if i+1 < len(good) && good[i+1] != '.' {
				continue
			}
			for _, other := range []byte(alphabet) {
				changed := []byte(good)
				changed[i] = other
				if _, err := checkBoth(t, v, string(changed)); (err == nil) != (other == c) {
					t.Fatalf("last character %c in place of %c: %v", other, c, err)
				}
			}
		}
	}
}

// Row 88: encrypted and compressed tokens.
func TestHostileEncrypted(t *testing.T) {
	t.Parallel()
	v, sign := bySecret(t)
	var bomb bytes.Buffer
	w := must(flate.NewWriter(&bomb, 9))
	must(w.Write(make([]byte, 8<<20)))
	w.Close()
	body := base64.RawURLEncoding.EncodeToString(bomb.Bytes())
	for _, header := range []string{`{"alg":"dir","enc":"A256GCM"}`, `{"alg":"RSA-OAEP","enc":"A256GCM","zip":"DEF"}`,
		`{"alg":"PBES2-HS256+A128KW","p2c":2147483648,"enc":"A128GCM"}`, `{"alg":"HS256"}`} {
		refused(t, v, b64(header)+".AA.AA.AA.AA", ErrUnsupported)
		refused(t, v, b64(header)+"..AA.AA.AA", ErrUnsupported)
	}
	refused(t, v, b64(`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`)+".AA.AA."+body+".AA", ErrTooLarge)
	refused(t, v, sign(`{"alg":"HS256","enc":"A256GCM"}`, goodClaims), ErrUnsupported)
	refused(t, v, sign(`{"alg":"HS256","zip":"DEF"}`, goodClaims), ErrUnsupported)
}

// Row 89: bombs, under the usual limit of length and under the largest that can be set.
func TestHostileBombs(t *testing.T) {
	t.Parallel()
	small, sign := bySecret(t)
	x := testExpect()
	x.MaxBytes = 1 << 20
	large := verifier(t, x, secretKey(t))
	var members, crit strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&members, `,"m%d":1`, i)
		fmt.Fprintf(&crit, `,"c%d"`, i)
	}
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	deepObjects := strings.Repeat(`{"a":`, 50_000) + "1" + strings.Repeat("}", 50_000)
	for name, token := range map[string]string{
		"dots":                    strings.Repeat(".", 100_000),
		"1 MB of A":               strings.Repeat("A", 1<<20),
		"1 MB signature":          sign(`{"alg":"HS256"}`, goodClaims) + strings.Repeat("A", 1<<20-4096),
		"1 MB claim":              sign(`{"alg":"HS384"}`, with("x", `"`+strings.Repeat("x", 700_000)+`"`)),
		"1 MB of backslashes":     sign(`{"alg":"HS256","x":"`+strings.Repeat(`\\`, 300_000)+`"`, goodClaims),
		"depth of the header":     sign(`{"alg":"HS256","x":`+deep(100_000)+`}`, goodClaims),
		"depth of the claims":     sign(`{"alg":"HS256"}`, with("x", deep(100_000))),
		"depth 17":                sign(`{"alg":"HS256"}`, with("x", deep(16))),
		"depth of objects":        sign(`{"alg":"HS256"}`, deepObjects),
		"members of the header":   sign(`{"alg":"HS256"`+members.String()+`}`, goodClaims),
		"members of the claims":   sign(`{"alg":"HS256"}`, `{"a":1`+members.String()+`}`),
		"members of many objects": sign(`{"alg":"HS256"}`, with("x", `[`+strings.Repeat(`{"a":1},`, 20_000)+`{}]`)),
		"crit":                    sign(`{"alg":"HS256","crit":["x"`+crit.String()+`]}`, goodClaims),
		"a long number":           sign(`{"alg":"HS256"}`, with("exp", strings.Repeat("9", 100_000))),
		"a long audience":         sign(`{"alg":"HS256"}`, with("aud", `["a"`+strings.Repeat(`,"a"`, 100_000)+`]`)),
	} {
		_, err := checkBoth(t, small, token)
		if name != "depth 17" && !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := checkBoth(t, large, token); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if d := fastest(t, large, token); d > time.Second {
			t.Errorf("%s takes %v", name, d)
		}
	}
	accepted(t, large, sign(`{"alg":"HS256"}`, with("x", deep(15))))
}

// fastest is the shortest of a few tries, so that a busy machine is not taken for a slow verifier.
func fastest(t *testing.T, v *Verifier, token string) time.Duration {
	t.Helper()
	best := time.Hour
	for try := 0; try < 10 && best > time.Second; try++ {
		start := time.Now()
		if _, err := v.Verify(t.Context(), token); err == nil {
			t.Error("accepted")
		}
		best = min(best, time.Since(start))
	}
	return best
}
