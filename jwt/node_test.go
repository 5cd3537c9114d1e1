package jwt_test

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign-auth/countersign/internal/testkit/need"
	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/jwt/jwk"
)

// What goes to testdata/peers.mjs and comes back.
type (
	peerKey struct {
		Alg    jwt.Algorithm `json:"alg"`
		Secret []byte        `json:"secret,omitempty"`
		PEM    string        `json:"pem,omitempty"`
	}
	peerToken struct {
		Alg   jwt.Algorithm `json:"alg"`
		Token string        `json:"token"`
		JWK   string        `json:"jwk"`
	}
	peerInput struct {
		Keys   []peerKey      `json:"keys"`
		Tokens []peerToken    `json:"tokens"`
		Claims map[string]any `json:"claims"`
	}
	peerAnswer struct {
		By, Error, Token, Thumbprint string
		Alg                          jwt.Algorithm
		Payload                      map[string]any
	}
)

// TestNode signs with every algorithm here and verifies in jsonwebtoken and jose, and the other way round. The keys
// travel as JWK in one direction and as PEM or bytes in the other.
func TestNode(t *testing.T) {
	t.Parallel()
	peers := need.Node(t)
	at := time.Now().Add(time.Hour).Truncate(time.Second)
	user := map[string]any{"_id": "7", "email": "ä\u2028<>&\"\\\U0001f600@example.com", "n": 1.5, "none": nil}
	claims := jwt.Claims{
		Issuer: "https://issuer.example", Audience: []string{"https://api.example", "b"}, Subject: "u1", ID: "j",
		ExpiresAt: at, NotBefore: at.Add(-2 * time.Hour), IssuedAt: at.Add(-time.Hour), Extra: map[string]any{"user": user},
	}
	want := map[string]any{
		"iss": "https://issuer.example", "aud": []any{"https://api.example", "b"}, "sub": "u1", "jti": "j",
		"exp": float64(at.Unix()), "nbf": float64(at.Unix() - 7200), "iat": float64(at.Unix() - 3600), "user": user,
	}
	keys := map[jwt.Algorithm]*jwt.Key{}
	input := peerInput{Claims: want}
	for _, alg := range []jwt.Algorithm{jwt.HS256, jwt.HS384, jwt.HS512, jwt.RS256, jwt.RS384, jwt.RS512, jwt.PS256, jwt.PS384,
		jwt.PS512, jwt.ES256, jwt.ES384, jwt.ES512, jwt.EdDSA, jwt.Ed25519} {
		k := generate(t, alg)
		keys[alg] = k
		public, peer := k, peerKey{Alg: alg, Secret: k.Secret()}
		write := jwk.MarshalPrivate
		if !alg.Symmetric() {
			der, err := k.MarshalPKCS8()
			if err != nil {
				t.Fatal(err)
			}
			peer.PEM, public, write = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), k.Public(), jwk.Marshal
		}
		data, err := write(public)
		if err != nil {
			t.Fatal(err)
		}
		token, err := jwt.Sign(k, "JWT", claims)
		if err != nil {
			t.Fatal(err)
		}
		input.Keys = append(input.Keys, peer)
		input.Tokens = append(input.Tokens, peerToken{alg, token, string(data)})
	}
	signed, verified := runPeers(t, peers, input)
	if len(signed) != 12+14 || len(verified) != 12+14 {
		t.Fatalf("%d signed, %d verified", len(signed), len(verified))
	}
	for _, a := range verified {
		if diff := cmp.Diff(want, a.Payload); a.Error != "" || diff != "" {
			t.Errorf("%s does not verify %s: %s\n%s", a.By, a.Alg, a.Error, diff)
		}
		if own, err := jwk.Thumbprint(keys[a.Alg]); err == nil && own != a.Thumbprint {
			t.Errorf("%s: thumbprint %s here, %s there", a.Alg, own, a.Thumbprint)
		}
	}
	for _, a := range signed {
		verifyPeer(t, keys[a.Alg], a, want)
	}
}

func verifyPeer(t *testing.T, k *jwt.Key, a peerAnswer, want map[string]any) {
	t.Helper()
	v, err := jwt.NewVerifier(jwt.StaticKeys{k}, jwt.Expect{
		Issuer: "https://issuer.example", Audience: "b", Type: []string{"JWT"}, Subject: "u1", ID: "j", MaxAge: time.Hour, Leeway: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	tok, err := v.Verify(t.Context(), a.Token)
	if err != nil {
		t.Errorf("%s of %s: %v", a.Alg, a.By, err)
		return
	}
	var got map[string]any
	if err := json.Unmarshal(tok.Payload(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s of %s: %s", a.Alg, a.By, diff)
	}
}

// generate makes a key, but takes the RSA key from testdata: making one is slow.
func generate(t *testing.T, alg jwt.Algorithm) *jwt.Key {
	t.Helper()
	opt := jwt.KeyOptions{ID: "k-" + string(alg)}
	if alg[0] == 'R' || alg[0] == 'P' {
		data, err := os.ReadFile("testdata/rsa2048.pem")
		if err != nil {
			t.Fatal(err)
		}
		k, err := jwt.ParsePEM(alg, data, opt)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	k, err := jwt.GenerateKey(alg, opt)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func runPeers(t *testing.T, peers string, input peerInput) (signed, verified []peerAnswer) {
	t.Helper()
	stdin, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "testdata/peers.mjs")
	cmd.Env = append(os.Environ(), "PEERS="+peers)
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	var answer struct{ Signed, Verified []peerAnswer }
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return answer.Signed, answer.Verified
}
