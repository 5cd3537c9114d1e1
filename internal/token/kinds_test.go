package token_test

import (
	"crypto/hkdf"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/token"
	"github.com/countersign-auth/countersign/jwt"
)

// kinds are the ways in which a server can sign.
func kinds(t *testing.T) map[string]*token.Service {
	t.Helper()
	services := map[string]*token.Service{}
	for _, alg := range token.Algorithms() {
		cfg := config(t, time.Now)
		cfg.Algorithm = alg
		services[string(alg)] = open(t, newStore(t), cfg)
	}
	cfg := config(t, time.Now)
	cfg.Secret = secret
	cfg.LegacySecret, cfg.LegacyUntil = secret, time.Now().Add(time.Hour) // the same one, as in a half-done move
	services["shared"] = open(t, newStore(t), cfg)
	return services
}

// No token can stand in for one of another kind, whatever signs.
func TestKindsStayApart(t *testing.T) {
	t.Parallel()
	services, others := kinds(t), kinds(t)
	for name, s := range services {
		claims := jwt.Claims{ // all that an access token has
			Issuer: issuer, Audience: []string{"https://api.example"}, Subject: "u", ExpiresAt: time.Now().Add(time.Minute),
			Extra: map[string]any{"sid": "s", "epoch": "e", "user": map[string]string{"_id": "u", "email": "m@example.com"}},
		}
		access := mint(t, s)
		for _, typ := range []string{"revocations+jwt", "other+jwt", "At+Jwt2"} {
			text, err := s.SignFor(typ, claims)
			if err != nil {
				t.Fatal(name, typ, err)
			}
			if _, err := s.Verify(t.Context(), text); err == nil {
				t.Errorf("%s: a %s is taken for an access token", name, typ)
			}
			v := feedVerifier(t, s, name, typ)
			if _, err := v.Verify(t.Context(), text); err != nil {
				t.Errorf("%s: a %s does not verify: %v", name, typ, err)
			}
			if _, err := v.Verify(t.Context(), access); err == nil {
				t.Errorf("%s: an access token is taken for a %s", name, typ)
			}
		}
		for _, typ := range []string{"", "JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/JWT"} {
			if _, err := s.SignFor(typ, claims); err == nil {
				t.Errorf("%s: SignFor makes a %q", name, typ)
			}
		}
		for _, text := range []string{
			access + ".a.b", "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAAA.AAAA.AAAA", // JWE
			"csr_" + strings.Repeat("A", 60), "", "a.b.c", access[:len(access)-4], strings.Replace(access, ".", "..", 1),
		} {
			if _, err := s.Verify(t.Context(), text); err == nil {
				t.Errorf("%s: %q is taken for an access token", name, text)
			}
		}
		for other, o := range others {
			if _, err := o.Verify(t.Context(), access); (err == nil) != (name == "shared" && other == "shared") {
				t.Errorf("a token of %s at another server with %s: %v", name, other, err)
			}
		}
	}
}

// feedVerifier returns what a service verifies the tokens of that type with: the public keys, or what derives from the
// secret that it shares.
func feedVerifier(t *testing.T, s *token.Service, name, typ string) *jwt.Verifier {
	t.Helper()
	var keys []*jwt.Key
	for _, k := range s.Keys() {
		if k.Public != nil {
			keys = append(keys, k.Public)
		}
	}
	if len(keys) == 0 {
		from := secret
		if name != "shared" { // nobody else has the server's own secret; the test takes it from a verified token
			from = good(t, s, mint(t, s)).Key.Secret()
		}
		derived, err := hkdf.Key(sha256.New, from, nil, "countersign "+typ, 32)
		if err != nil {
			t.Fatal(err)
		}
		k, err := jwt.NewSecretKey(jwt.HS256, derived, jwt.KeyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	v, err := jwt.NewVerifier(jwt.StaticKeys(keys), jwt.Expect{Issuer: issuer, Audience: "https://api.example", Type: []string{typ}})
	if err != nil {
		t.Fatal(err)
	}
	return v
}
