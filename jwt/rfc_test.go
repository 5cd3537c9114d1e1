package jwt_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/jwt/jwk"
)

// vector is one example of RFC 7515, 7520 or 8037 in testdata/rfc.json.
type vector struct {
	Name          string
	Alg           jwt.Algorithm
	JWK           json.RawMessage
	Token         string
	Deterministic bool // signing again gives the same token
}

func vectors(t *testing.T) []vector {
	t.Helper()
	data, err := os.ReadFile("testdata/rfc.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []vector
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestRFCVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			key, err := jwk.Parse(v.JWK, jwk.Options{Algorithm: v.Alg})
			if err != nil {
				t.Fatal(err)
			}
			parts := strings.Split(v.Token, ".")
			header, _ := base64.RawURLEncoding.DecodeString(parts[0])
			want, _ := base64.RawURLEncoding.DecodeString(parts[1])

			got, err := jwt.OpenJWS(jwt.StaticKeys{key}, v.Token)
			if err != nil || string(got) != string(want) {
				t.Fatalf("payload %q, error %v; want %q", got, err, want)
			}
			if key.CanSign() {
				again, err := jwt.SignJWS(key, header, want)
				if err != nil || (again == v.Token) != v.Deterministic {
					t.Fatalf("signed again: %s, %v", again, err)
				}
				if _, err := jwt.OpenJWS(jwt.StaticKeys{key}, again); err != nil {
					t.Fatal(err)
				}
			}
			flipEveryBit(t, key, v.Token, parts)
		})
	}
}

// flipEveryBit changes each part in each byte; nothing of it may be accepted.
func flipEveryBit(t *testing.T, key *jwt.Key, token string, parts []string) {
	t.Helper()
	for p := range parts {
		raw, _ := base64.RawURLEncoding.DecodeString(parts[p])
		for i := range raw {
			raw[i] ^= 1 << (i % 8)
			changed := append([]string(nil), parts...)
			changed[p] = base64.RawURLEncoding.EncodeToString(raw)
			if _, err := jwt.OpenJWS(jwt.StaticKeys{key}, strings.Join(changed, ".")); err == nil {
				t.Fatalf("accepted with byte %d of part %d changed: %s", i, p, token)
			}
			raw[i] ^= 1 << (i % 8)
		}
	}
}

// TestRFCVectorsUnderOtherKeys offers each token to every key of the vectors under every algorithm that the key
// can have: only the right pair may verify.
func TestRFCVectorsUnderOtherKeys(t *testing.T) {
	t.Parallel()
	algs := []jwt.Algorithm{jwt.HS256, jwt.HS384, jwt.HS512, jwt.RS256, jwt.RS384, jwt.RS512, jwt.PS256, jwt.PS384,
		jwt.PS512, jwt.ES256, jwt.ES384, jwt.ES512, jwt.EdDSA, jwt.Ed25519}
	list := vectors(t)
	for _, owner := range list {
		for _, alg := range algs {
			key, err := jwk.Parse(owner.JWK, jwk.Options{Algorithm: alg})
			if err != nil {
				continue
			}
			for _, v := range list {
				_, err := jwt.OpenJWS(jwt.StaticKeys{key}, v.Token)
				right := string(owner.JWK) == string(v.JWK) && key.Algorithm() == v.Alg
				if (err == nil) != right {
					t.Errorf("%s with the key of %s under %s: %v", v.Name, owner.Name, alg, err)
				}
			}
		}
	}
}

// TestRFCRefused has the examples of what is deliberately not supported.
func TestRFCRefused(t *testing.T) {
	t.Parallel()
	const payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
	for _, tt := range []struct {
		name, token string
		want        error
	}{
		{"RFC 7515 A.5 unsecured", "eyJhbGciOiJub25lIn0." + payload + ".", jwt.ErrMalformed},
		{"RFC 7515 A.5 unsecured, with a signature", "eyJhbGciOiJub25lIn0." + payload + ".AAAA", jwt.ErrAlgorithm},
		{"RFC 7515 A.6 JSON serialization", `{"payload":"` + payload + `","signatures":[]}`, jwt.ErrUnsupported},
		{"RFC 7515 A.7 flattened", `{"payload":"` + payload + `","protected":"e30","signature":"AA"}`, jwt.ErrUnsupported},
		{"RFC 7515 E crit", "eyJhbGciOiJub25lIiwNCiAiY3JpdCI6WyJodHRwOi8vZXhhbXBsZS5jb20vVU5ERUZJTkVEIl0sDQogImh0dHA6Ly9leGFtcGxlLmNvbS9VTkRFRklORUQiOnRydWUNCn0.RkFJTA.AA", jwt.ErrCritical},
		{"RFC 7515 F detached", "eyJhbGciOiJIUzI1NiJ9..dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", jwt.ErrUnsupported},
		{"RFC 7797 4.2 b64 and crit", "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19..A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY", jwt.ErrUnsupported},
		{"RFC 7516 A.1 encrypted", "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.AA.48V1_ALb6US04U3b.AA.XFBoMYUZodetZdvTiFvSkQ", jwt.ErrUnsupported},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			key, err := jwt.NewSecretKey(jwt.HS256, []byte("0123456789abcdef0123456789abcdef"), jwt.KeyOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := jwt.OpenJWS(jwt.StaticKeys{key}, tt.token); !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
		})
	}
}
