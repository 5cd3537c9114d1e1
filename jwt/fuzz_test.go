package jwt

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/jwt/internal/strictjson"
)

func seedTokens(f *testing.F) []string {
	k := secretKey(f)
	return []string{
		forge(f, k, `{"alg":"HS256"}`, goodClaims),
		forge(f, k, `{"alg":"HS256","typ":"JWT","kid":"a"}`, goodClaims),
		forge(f, k, `{"alg":"none"}`, goodClaims),
		forge(f, k, `{"alg":"HS256","crit":["exp"]}`, goodClaims),
		forge(f, k, `{"alg":"HS256","alg":"none"}`, goodClaims),
		forge(f, k, `{"alg":"HS256"}`, `[]`),
		b64(`{"alg":"none"}`) + "." + b64(goodClaims) + ".",
		"..", "a.b.c", "....", "", "{}", "A.A.A", b64("{}") + "." + b64("{}") + ".AA",
	}
}

func FuzzVerify(f *testing.F) {
	for _, s := range seedTokens(f) {
		f.Add(s)
	}
	v := verifier(f, testExpect(), secretKey(f), pemKey(f, ES256, KeyOptions{ID: "e"}), pemKey(f, EdDSA, KeyOptions{ID: "d"}))
	f.Fuzz(func(t *testing.T, token string) {
		got, err := checkBoth(t, v, token)
		if err != nil {
			return
		}
		// Only holders of the key make tokens, and a token has one spelling: signing again gives it back.
		again := forge(t, got.Key, string(must(DecodeUnverified(token)).RawHeader()), string(got.Payload()))
		if got.Key.Algorithm() == HS256 && again != token {
			t.Fatalf("%q is another spelling of %q", token, again)
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, s := range seedTokens(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, token string) {
		u, err := DecodeUnverified(token)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%v is a %T", err, err)
			}
			return
		}
		if !json.Valid(u.RawHeader()) || !json.Valid(u.Payload()) || u.Header.Algorithm == "" {
			t.Fatalf("%q is decoded to %q and %q", token, u.RawHeader(), u.Payload())
		}
		if parts := strings.Split(token, "."); len(parts) != 3 || b64(string(u.Payload())) != parts[1] || b64(string(u.RawHeader())) != parts[0] {
			t.Fatalf("%q is another spelling", token)
		}
	})
}

// FuzzExplainAgrees signs whatever header and claims it is given, so that the checks behind the signature are
// reached. checkBoth holds Verify and Explain against each other.
func FuzzExplainAgrees(f *testing.F) {
	for _, header := range []string{
		`{"alg":"HS256"}`, `{"alg":"HS256","typ":"at+jwt"}`, `{"alg":"HS384"}`, `{"alg":"HS256","kid":"x"}`,
		`{"alg":"HS256","crit":[]}`, `{"alg":"HS256","jwk":{}}`, `{"alg":1}`, `x`,
	} {
		for _, claims := range []string{
			goodClaims, `{}`, `x`, `{"exp":1}`, `{"exp":1e300}`, `{"iss":1,"aud":[],"sub":"\u0000","jti":null}`,
			`{"iss":"https://issuer.example","aud":["a","https://api.example"],"exp":1.7000001e9,"nbf":1700000000.5}`,
		} {
			f.Add(header, claims, byte(0))
			f.Add(header, claims, byte(255))
		}
	}
	k := secretKey(f)
	f.Fuzz(func(t *testing.T, header, claims string, flags byte) {
		if header == "" || claims == "" {
			return
		}
		x := testExpect()
		if flags&1 != 0 {
			x.MaxAge = time.Hour
		}
		x.InsecureAllowNoExpiry = flags&2 != 0
		x.InsecureAllowNoIssuer = flags&4 != 0
		if flags&8 != 0 {
			x.Audience, x.InsecureAnyAudience = "", true
		}
		if flags&16 != 0 {
			x.Leeway = time.Minute
		}
		if flags&32 != 0 {
			x.Subject, x.ID = "u1", "id"
		}
		v := verifier(t, x, k)
		got, err := checkBoth(t, v, forge(t, k, header, claims))
		if err == nil && (got.ExpiresAt.IsZero() && !x.InsecureAllowNoExpiry || got.Header.Algorithm != "HS256") {
			t.Fatalf("accepts %q with %q", header, claims)
		}
	})
}

// FuzzSignVerify: what Sign makes, a verifier that expects it accepts and reads back the same.
func FuzzSignVerify(f *testing.F) {
	f.Add("iss", "sub", "aud", "id", int64(testNow+1), int64(0), "name", []byte(`"value"`))
	f.Add("i\u00e9\ufffd", "\xff", "a\x00", "", int64(-1), int64(testNow), "EXP", []byte(`{"a":[1,2]}`))
	f.Add("i", "s", "a", "j", int64(253402300799), int64(1), "\U0001f600", []byte(`1e999`))
	f.Add("i", "s", "a", "j", int64(testNow+1), int64(1), "a", []byte(`{"a":1,"a":2}`))
	k := secretKey(f)
	f.Fuzz(func(t *testing.T, iss, sub, aud, id string, exp, nbf int64, name string, extra []byte) {
		c := Claims{
			Issuer: iss, Subject: sub, Audience: []string{aud, "other"}, ID: id,
			ExpiresAt: time.Unix(exp, 0), NotBefore: time.Unix(nbf, 0), IssuedAt: time.Unix(nbf, 0),
			Extra: map[string]any{name: json.RawMessage(extra)},
		}
		token, err := Sign(k, "JWT", c)
		if err != nil {
			return
		}
		x := Expect{Issuer: iss, Audience: aud, Subject: sub, ID: id, Now: func() time.Time { return time.Unix(exp-1, 0) }}
		x.InsecureAnyIssuer = iss == ""
		got, err := checkBoth(t, verifier(t, x, k), token)
		if nbf > exp-1 {
			if !errors.Is(err, ErrNotYetValid) {
				t.Fatal(err)
			}
			return
		}
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		if got.Issuer != iss || got.Subject != sub || got.Audience[0] != aud || got.ID != id ||
			got.ExpiresAt.Unix() != exp || got.NotBefore.Unix() != nbf {
			t.Fatalf("%+v reads back as %+v", c, got)
		}
		var want bytes.Buffer
		raw, ok := got.Claim(name)
		if err := json.Compact(&want, extra); err != nil || !ok || !bytes.Equal(raw, want.Bytes()) {
			t.Fatalf("%q reads back as %q", extra, raw)
		}
	})
}

// FuzzNumericDate holds the exact reading of a number against math/big.
func FuzzNumericDate(f *testing.F) {
	for _, s := range []string{"0", "-0", "1", "0.5", "1.7e9", "17E8", "1700000000.123456789", "0.0000000017e18", "253402300799.9",
		"253402300800", "1e308", "1e999999999999999999", "1e-999999999999999999", "-1e400", "0e99999", "1700000000000e-3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		members, err := strictjson.Parse(`{"d":`+text+`}`, claimsLimits)
		date, _ := members.Find("d")
		if err != nil || date.Kind != strictjson.Number || len(date.Raw)+len(`{"d":}`) != len(members.Text()) || len(text) > maxDateDigits {
			return
		}
		if i := strings.IndexAny(text, "eE"); i >= 0 && len(text)-i > 5 {
			return // math/big would write the power out
		}
		want, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatalf("math/big does not read %q", text)
		}
		got, status := numericDate(date)
		tooSmall := want.Cmp(big.NewRat(minDate, 1)) < 0
		tooLarge := want.Cmp(big.NewRat(maxDate+1, 1)) >= 0
		if tooSmall != (status == dateTooSmall) || tooLarge != (status == dateTooLarge) {
			t.Fatalf("%s has status %v", text, status)
		}
		if status != dateOK {
			return
		}
		nano := new(big.Rat).SetInt64(got.Unix())
		nano.Add(nano, big.NewRat(int64(got.Nanosecond()), 1e9))
		if diff := nano.Sub(want, nano); diff.Sign() < 0 || diff.Cmp(big.NewRat(1, 1e9)) >= 0 {
			t.Fatalf("%s is read as %v", text, got)
		}
	})
}
