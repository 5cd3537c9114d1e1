package app_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/jwt/jwk"
)

// signer makes tokens under a key that the server has too, as nobody else can: to try what a guard makes of a good signature
// over claims that it must refuse.
type signer struct {
	key      *ecdsa.PrivateKey
	kid      string
	public   []byte // the JWK
	issuer   string
	id       string // of the user
	now      time.Time
	standard object // the claims of a good token
}

type object = map[string]any

// newSigner gives the server a key that the test knows. It signs at once.
func newSigner(t *testing.T, s *testkit.Server, id string) *signer {
	t.Helper()
	key, err := jwt.GenerateKey(jwt.ES256, jwt.KeyOptions{ID: "known-to-the-test"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.App.Tokens.Import(t.Context(), key, true); err != nil {
		t.Fatal(err)
	}
	public, err := jwk.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	now := s.Clock.Now()
	return &signer{
		key: key.PrivateKey().(*ecdsa.PrivateKey), kid: key.ID(), public: public, issuer: s.URL, id: id, now: now,
		standard: object{
			"iss": s.URL, "aud": s.URL, "sub": id, "iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(), // long after the slowest test
			"user": object{"_id": id, "email": "mike@example.com"},
		},
	}
}

// header returns the header of a good token, with changes; nil takes a member away.
func (s *signer) header(changes object) object {
	return changed(object{"alg": "ES256", "typ": "at+jwt", "kid": s.kid}, changes)
}

// with returns a token under the server's key whose claims are those of a good one, with changes; nil takes a claim away.
func (s *signer) with(changes object) string {
	return es256(s.key, s.header(nil), changed(s.standard, changes))
}

func changed(o, changes object) object {
	o = maps.Clone(o)
	for name, value := range changes {
		if o[name] = value; value == nil {
			delete(o, name)
		}
	}
	return o
}

// es256 signs any header and payload.
func es256(key *ecdsa.PrivateKey, header, payload object) string {
	signed := part(header) + "." + part(payload)
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		panic(err) // no randomness
	}
	var signature [64]byte
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature[:])
}

func part(o object) string { return base64.RawURLEncoding.EncodeToString(text(o)) }

func text(o object) []byte {
	b, err := json.Marshal(o)
	if err != nil {
		panic(err) // maps of texts and numbers always marshal
	}
	return b
}

// signed by the server itself, and to be refused: another kind of token, or claims that are not for this API.
func (s *signer) misused() map[string]string {
	past := func(d time.Duration) int64 { return s.now.Add(-d).Unix() }
	other := func(typ any) string { return es256(s.key, s.header(object{"typ": typ}), s.standard) }
	return map[string]string{
		"expired":             s.with(object{"iat": past(time.Hour), "exp": past(time.Minute)}),
		"without an end":      s.with(object{"exp": nil}),
		"an end that is text": s.with(object{"exp": "tomorrow"}),
		"not yet":             s.with(object{"nbf": s.now.Add(time.Hour).Unix()}),
		"another audience":    s.with(object{"aud": "https://other.example"}),
		"no audience":         s.with(object{"aud": nil}),
		"another issuer":      s.with(object{"iss": "https://other.example"}),
		"no issuer":           s.with(object{"iss": nil}),
		"a slash behind":      s.with(object{"iss": s.issuer + "/"}),
		"an assertion":        other("assertion+jwt"),
		"a feed":              other("revocations+jwt"),
		"a reset":             other("reset+jwt"),
		"no kind":             other(nil),
		"JWT":                 other("JWT"),
	}
}

// made by somebody who has public keys and good tokens, and to be refused.
func (s *signer) forged(t *testing.T, good string) map[string]string {
	t.Helper()
	parts := strings.Split(good, ".")
	attacker, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&s.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	hs256, claims := string(text(s.header(object{"alg": "HS256"}))), string(text(s.standard))
	none := func(alg string) string { return part(s.header(object{"alg": alg})) + "." + part(s.standard) + "." }
	own := func(changes object) string { return es256(attacker, s.header(changes), s.standard) }
	x, y := base64.RawURLEncoding.EncodeToString(attacker.X.FillBytes(make([]byte, 32))), base64.RawURLEncoding.EncodeToString(attacker.Y.FillBytes(make([]byte, 32)))
	return map[string]string{
		"none": none("none"), "None": none("None"), "NONE": none("NONE"), "no algorithm": none(""),
		"none with a signature":     none("none") + parts[2],
		"HS256 with the PEM":        testkit.Forge(public, hs256, claims),
		"HS256 with the PEM's text": testkit.Forge(strings.TrimSpace(public), hs256, claims),
		"HS256 with the JWK":        testkit.Forge(string(s.public), hs256, claims),
		"HS256 with the DER":        testkit.Forge(string(der), hs256, claims),
		"HS256 with nothing":        testkit.Forge("", hs256, claims),
		"HS256 with the id":         testkit.Forge(s.kid, hs256, claims),
		"another key":               own(nil),
		"another key, no id":        own(object{"kid": nil}),
		"an invented id":            own(object{"kid": "invented"}),
		"an id that is a path":      own(object{"kid": "../../dev/null"}),
		"an id that is no text":     own(object{"kid": object{"$ne": nil}}),
		"its own key along":         own(object{"kid": nil, "jwk": object{"kty": "EC", "crv": "P-256", "x": x, "y": y}}),
		"its key's address":         own(object{"jku": "http://127.0.0.1:9/jwks.json", "x5u": "http://127.0.0.1:9/x.pem"}),
		"ES384 named":               es256(s.key, s.header(object{"alg": "ES384"}), s.standard),
		"another payload":           parts[0] + "." + part(changed(s.standard, object{"sub": "root", "user": object{"_id": "root"}})) + "." + parts[2],
		"another signature":         parts[0] + "." + parts[1] + "." + flip(parts[2]),
		"no signature":              parts[0] + "." + parts[1] + ".",
		"zeros as the signature":    parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 64)),
		"four parts":                good + ".x",
		"two parts":                 parts[0] + "." + parts[1],
		"encrypted":                 "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA",
		"junk":                      "undefined",
		"dots":                      strings.Repeat(".", 5_000),
		"a list as claims":          parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte("[]")) + "." + parts[2],
	}
}

// flip changes a bit in the middle of a signature.
func flip(signature string) string {
	b, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		panic(err) // signatures of the server are base64url
	}
	b[len(b)/2] ^= 1
	return base64.RawURLEncoding.EncodeToString(b)
}
