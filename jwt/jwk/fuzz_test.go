package jwk_test

import (
	"testing"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/jwt/jwk"
)

// FuzzJWK: nothing panics, and a key that is read, written and read again is the same key.
func FuzzJWK(f *testing.F) {
	for _, seed := range []string{rsaJWK, rsaPrivateJWK, ecJWK, ecPrivateJWK, okpJWK, okpPrivateJWK, octJWK,
		`{"keys":[` + ecJWK + `,` + rsaJWK + `]}`, `{"keys":[]}`, `{}`, `{"kty":"EC","crv":"P-256"}`} {
		f.Add([]byte(seed))
	}
	opt := jwk.Options{InsecureAllowShortSecret: true}
	f.Fuzz(func(t *testing.T, data []byte) {
		if keys, err := jwk.ParseSet(data, opt); err == nil {
			for _, k := range keys {
				roundTrip(t, k)
			}
		}
		if k, err := jwk.Parse(data, opt); err == nil {
			roundTrip(t, k)
		}
	})
}

func roundTrip(t *testing.T, k *jwt.Key) {
	t.Helper()
	write := jwk.Marshal
	if k.CanSign() {
		write = jwk.MarshalPrivate
	}
	data, err := write(k)
	if err != nil {
		t.Fatal(err)
	}
	again, err := jwk.Parse(data, jwk.Options{InsecureAllowShortSecret: true})
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	if !same(k, again) {
		t.Fatalf("%s is another key than %v", data, k)
	}
}
