package hostile

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/jwt"
)

func b64[T string | []byte](b T) string { return base64.RawURLEncoding.EncodeToString([]byte(b)) }

// HMAC returns a token of exactly this header and payload under HS256.
func HMAC(secret []byte, header, payload string) string {
	return mac(sha256.New, secret, b64(header)+"."+b64(payload))
}

func mac(h func() hash.Hash, secret []byte, signed string) string {
	m := hmac.New(h, secret)
	m.Write([]byte(signed))
	return signed + "." + b64(m.Sum(nil))
}

// forger makes tokens that are like a good one but for one thing.
type forger struct {
	t      testing.TB
	good   string
	header map[string]json.RawMessage
	claims map[string]json.RawMessage
	key    *jwt.Key
	other  *jwt.Key // of the same kind, and the attacker's
}

func newForger(t testing.TB, target Target) *forger {
	t.Helper()
	f := &forger{t: t, good: target.Good, key: target.Key}
	var err error
	if f.other, err = jwt.GenerateKey(f.key.Algorithm(), jwt.KeyOptions{}); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(f.good, ".")
	if len(parts) != 3 {
		t.Fatal("the good token is none")
	}
	for i, into := range []*map[string]json.RawMessage{&f.header, &f.claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatalf("the good token: %v", err)
		}
	}
	return f
}

// sign signs any header and payload with the target's key.
func (f *forger) sign(header, payload string) string { return f.signBy(f.key, header, payload) }

func (f *forger) signBy(key *jwt.Key, header, payload string) string {
	if key.Algorithm().Symmetric() {
		return HMAC(key.Secret(), header, payload)
	}
	signed := b64(header) + "." + b64(payload)
	return signed + "." + b64(f.ecdsa(key, signed))
}

func (f *forger) ecdsa(key *jwt.Key, signed string) []byte {
	f.t.Helper()
	private, ok := key.PrivateKey().(*ecdsa.PrivateKey)
	if !ok || key.Algorithm() != jwt.ES256 {
		f.t.Fatalf("no forger for %s", key.Algorithm())
	}
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, private, sum[:])
	if err != nil {
		f.t.Fatal(err)
	}
	return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
}

func (f *forger) der(signed string) []byte {
	f.t.Helper()
	sum := sha256.Sum256([]byte(signed))
	sig, err := f.key.PrivateKey().Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		f.t.Fatal(err)
	}
	return sig
}

// symmetric reports whether the target's key is a secret that other services may have too.
func (f *forger) symmetric() bool { return f.key.Algorithm().Symmetric() }

// headerWith and claimsWith return the good token's with members replaced, added, or left out (an empty value), as pairs
// of a name and JSON.
func (f *forger) headerWith(pairs ...string) string { return object(f.header, pairs...) }
func (f *forger) claimsWith(pairs ...string) string { return object(f.claims, pairs...) }

func object(from map[string]json.RawMessage, pairs ...string) string {
	members := maps.Clone(from)
	for i := 0; i < len(pairs); i += 2 {
		if members[pairs[i]] = json.RawMessage(pairs[i+1]); pairs[i+1] == "" {
			delete(members, pairs[i])
		}
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		list = append(list, fmt.Sprintf("%q:%s", name, members[name]))
	}
	return "{" + strings.Join(list, ",") + "}"
}

// headers returns tokens of these headers over the good claims, under the target's key.
func (f *forger) headers(headers ...string) (list []token) {
	for _, h := range headers {
		list = append(list, token{fmt.Sprintf("header %.60s", h), f.sign(h, f.claimsWith())})
	}
	return list
}

// payloads returns tokens of these payloads under the good header and the target's key.
func (f *forger) payloads(payloads map[string]string) (list []token) {
	for _, name := range slices.Sorted(maps.Keys(payloads)) {
		list = append(list, token{name, f.sign(f.headerWith(), payloads[name])})
	}
	return list
}

// macs returns tokens of each HMAC algorithm under that secret.
func (f *forger) macs(name string, secret []byte) (list []token) {
	for alg, h := range map[string]func() hash.Hash{"HS256": sha256.New, "HS384": sha512.New384, "HS512": sha512.New} {
		for _, kid := range []string{"", string(f.header["kid"])} {
			header := f.headerWith("alg", `"`+alg+`"`, "kid", kid)
			list = append(list, token{name + " as a secret of " + alg, mac(h, secret, b64(header)+"."+b64(f.claimsWith()))})
		}
	}
	return list
}
