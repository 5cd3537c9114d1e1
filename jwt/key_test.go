package jwt

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"
)

func TestSecretKeys(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		alg    Algorithm
		secret string
		opt    KeyOptions
		ok     bool
	}{
		{HS256, strings.Repeat("x", 32), KeyOptions{}, true},
		{HS256, strings.Repeat("x", 31), KeyOptions{}, false},
		{HS384, strings.Repeat("x", 48), KeyOptions{}, true},
		{HS384, strings.Repeat("x", 47), KeyOptions{}, false},
		{HS512, strings.Repeat("x", 64), KeyOptions{}, true},
		{HS512, strings.Repeat("x", 63), KeyOptions{}, false},
		{HS256, "x", KeyOptions{InsecureAllowShortSecret: true}, true},
		{HS256, "", KeyOptions{InsecureAllowShortSecret: true}, false},
		{RS256, strings.Repeat("x", 64), KeyOptions{}, false},
		{"none", strings.Repeat("x", 64), KeyOptions{}, false},
		{"", strings.Repeat("x", 64), KeyOptions{}, false},
		{HS256, strings.Repeat("x", 32), KeyOptions{ID: strings.Repeat("k", 256)}, true},
		{HS256, strings.Repeat("x", 32), KeyOptions{ID: strings.Repeat("k", 257)}, false},
		{HS256, strings.Repeat("x", 32), KeyOptions{ID: "\xff"}, false},
		{HS256, "0" + strings.Repeat("\x30", 40), KeyOptions{}, true}, // begins as DER does, and is none
		{HS256, `{"a json object":"is no key when it has no kty"}`, KeyOptions{}, true},
	} {
		k, err := NewSecretKey(tt.alg, []byte(tt.secret), tt.opt)
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrKey) {
			t.Errorf("%s, %d bytes: %v, %v", tt.alg, len(tt.secret), k, err)
		}
	}
	secret := []byte(strings.Repeat("x", 32))
	k := must(NewSecretKey(HS256, secret, KeyOptions{}))
	token := forge(t, k, `{"alg":"HS256"}`, goodClaims)
	secret[0]++
	k.Secret()[0]++
	accepted(t, verifier(t, testExpect(), k), token)
	if k.Public() != nil || k.PublicKey() != nil || k.PrivateKey() != nil || !k.CanSign() {
		t.Error("a secret key has halves")
	}
}

func TestKeyPairsRefused(t *testing.T) {
	t.Parallel()
	p256 := pemKey(t, ES256, KeyOptions{}).PrivateKey().(*ecdsa.PrivateKey)
	rsaKey := pemKey(t, RS256, KeyOptions{}).PrivateKey().(*rsa.PrivateKey)
	ed := pemKey(t, EdDSA, KeyOptions{}).PrivateKey().(ed25519.PrivateKey)
	_, otherEd, _ := ed25519.GenerateKey(rand.Reader)
	other := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	mismatched := *p256
	mismatched.PublicKey = other.PublicKey
	p224 := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	for name, c := range map[string]struct {
		alg Algorithm
		key crypto.Signer
	}{
		"RSA for ES256": {ES256, rsaKey}, "EC for RS256": {RS256, p256}, "EC for EdDSA": {EdDSA, p256}, "P-256 for ES384": {ES384, p256},
		"P-224": {ES256, p224}, "EC for HS256": {HS256, p256}, "unknown": {"ES256K", p256}, "nil": {ES256, nil},
		"nil EC": {ES256, (*ecdsa.PrivateKey)(nil)}, "nil RSA": {RS256, (*rsa.PrivateKey)(nil)}, "empty EC": {ES256, &ecdsa.PrivateKey{}},
		"empty RSA": {RS256, &rsa.PrivateKey{}}, "short Ed25519": {EdDSA, ed25519.PrivateKey{1}}, "halves of two, EC": {ES256, &mismatched},
		"halves of two, Ed25519": {EdDSA, ed25519.PrivateKey(join(ed[:32], otherEd[32:]))},
		"halves of two, RSA":     {RS256, &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: rsaKey.N, E: 3}, D: rsaKey.D, Primes: rsaKey.Primes}},
	} {
		if k, err := NewPrivateKey(c.alg, c.key, KeyOptions{}); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v, %v", name, k, err)
		}
	}
	even := new(big.Int).Add(rsaKey.N, big.NewInt(1))
	tooLarge := int64(1<<31 + 1) // below zero on machines of 32 bits
	for name, c := range map[string]struct {
		alg Algorithm
		key crypto.PublicKey
	}{
		"private": {ES256, p256}, "nil": {ES256, nil}, "nil EC": {ES256, (*ecdsa.PublicKey)(nil)}, "nil RSA": {RS256, (*rsa.PublicKey)(nil)},
		"RSA by value": {RS256, rsaKey.PublicKey}, "bytes": {HS256, []byte("x")}, "empty RSA": {RS256, &rsa.PublicKey{}},
		"RSA e=1": {RS256, &rsa.PublicKey{N: rsaKey.N, E: 1}}, "RSA e=2": {RS256, &rsa.PublicKey{N: rsaKey.N, E: 2}},
		"RSA e<0": {RS256, &rsa.PublicKey{N: rsaKey.N, E: -3}}, "RSA e=65536": {RS256, &rsa.PublicKey{N: rsaKey.N, E: 65536}},
		"RSA e>2^31": {RS256, &rsa.PublicKey{N: rsaKey.N, E: int(tooLarge)}}, "RSA even": {RS256, &rsa.PublicKey{N: even, E: 65537}},
		"RSA 2047 bits":  {RS256, &rsa.PublicKey{N: new(big.Int).SetBit(new(big.Int).Rsh(rsaKey.N, 1), 0, 1), E: 65537}},
		"RSA 16385 bits": {RS256, &rsa.PublicKey{N: new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 16384), big.NewInt(1)), E: 65537}},
		"empty Ed25519":  {EdDSA, ed25519.PublicKey{}}, "zero EC": {ES256, &ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int), Y: new(big.Int)}}, //lint:ignore SA1019 an invalid point cannot be made otherwise
	} {
		if k, err := NewPublicKey(c.alg, c.key, KeyOptions{}); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v, %v", name, k, err)
		}
	}
}

func TestPEM(t *testing.T) {
	t.Parallel()
	for file, c := range map[string]struct {
		alg  Algorithm
		sign bool
	}{
		"rsa2048.pem": {RS256, true}, "rsa2048_pkcs1.pem": {PS512, true}, "rsa2048_pub.pem": {RS384, false}, "rsa2048_pub_pkcs1.pem": {RS256, false},
		"p256.pem": {ES256, true}, "p384.pem": {ES384, true}, "p521.pem": {ES512, true}, "ed25519.pem": {Ed25519, true},
	} {
		k, err := ParsePEM(c.alg, readFile(t, file), KeyOptions{ID: file})
		if err != nil || k.CanSign() != c.sign || k.ID() != file || k.Algorithm() != c.alg {
			t.Errorf("%s: %v, %v", file, k, err)
			continue
		}
		if !c.sign {
			if _, err := k.MarshalPKCS8(); !errors.Is(err, ErrKey) {
				t.Errorf("%s: %v", file, err)
			}
			continue
		}
		again, err := ParsePKCS8(c.alg, must(k.MarshalPKCS8()), KeyOptions{})
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		accepted(t, verifier(t, testExpect(), again.Public()), forge(t, k, `{"alg":"`+string(c.alg)+`"}`, goodClaims))
	}
	good := string(readFile(t, "rsa2048_pub.pem"))
	block, _ := pem.Decode([]byte(good))
	retyped := func(typ string) string { return string(pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: block.Bytes})) }
	for name, text := range map[string]string{
		"empty": "", "1024 bits": string(readFile(t, "rsa1024.pem")), "text before": "x\n" + good, "text after": good + "x", "two": good + good,
		"certificate": retyped("CERTIFICATE"), "encrypted": retyped("ENCRYPTED PRIVATE KEY"), "another type": retyped("DSA PUBLIC KEY"),
		"wrong type": retyped("PRIVATE KEY"), "wrong type, PKCS#1": retyped("RSA PRIVATE KEY"), "cut": good[:100], "DER": string(block.Bytes),
		"headers": strings.Replace(good, "\n", "\nProc-Type: 4,ENCRYPTED\n\n", 1),
	} {
		if k, err := ParsePEM(RS256, []byte(text), KeyOptions{}); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v, %v", name, k, err)
		}
	}
	if k, err := ParsePEM(HS256, []byte(good), KeyOptions{}); !errors.Is(err, ErrKey) {
		t.Errorf("a PEM for HS256: %v, %v", k, err)
	}
	if k, err := ParsePKCS8(RS256, block.Bytes, KeyOptions{}); !errors.Is(err, ErrKey) {
		t.Errorf("PKIX as PKCS#8: %v, %v", k, err)
	}
}

// A key prints no material, wherever it stands and whatever prints it.
func TestKeysRedact(t *testing.T) {
	t.Parallel()
	const secret = "the-secret-the-secret-the-secret"
	for _, k := range []*Key{must(NewSecretKey(HS256, []byte(secret), KeyOptions{ID: "id"})), pemKey(t, ES256, KeyOptions{ID: "id"}), pemKey(t, RS256, KeyOptions{ID: "id"}), {}} {
		type holder struct {
			Public  *Key
			value   Key
			private *Key
			list    []Key
		}
		h := holder{k, *k, k, []Key{*k}}
		var out bytes.Buffer
		for _, v := range []any{k, *k, h, &h, []*Key{k}, map[string]Key{"k": *k}, must(NewVerifier(keysFunc(nil), testExpect())), StaticKeys{k}} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
				fmt.Fprintf(&out, verb+"\n", v)
			}
			slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
			slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
			if data, err := json.Marshal(v); err == nil {
				out.Write(data)
			}
		}
		out.WriteString(k.String() + k.GoString())
		leaks := []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), fmt.Sprint([]byte(secret[:4]))[1:12], "dGhlLXNlY3JldC"}
		if p, ok := k.PrivateKey().(*ecdsa.PrivateKey); ok {
			d := new(big.Int).SetBytes(must(p.Bytes()))
			leaks = append(leaks, d.String(), d.Text(16))
		}
		if p, ok := k.PrivateKey().(*rsa.PrivateKey); ok {
			leaks = append(leaks, p.D.String(), p.D.Text(16), p.Primes[0].String())
		}
		for _, leak := range leaks {
			if strings.Contains(out.String(), leak) {
				t.Errorf("%v leaks %.20s", k, leak)
			}
		}
		if k.m != nil && !strings.Contains(out.String(), `ID "id"`) {
			t.Errorf("not printed at all: %.300s", out.String())
		}
	}
}

func TestGenerateKey(t *testing.T) {
	t.Parallel()
	for _, alg := range allAlgorithms() {
		if f := alg.spec().family; (f == rsaFamily || f == pssFamily) && alg != RS256 {
			continue // the same key, and slow
		}
		k, err := GenerateKey(alg, KeyOptions{ID: "new"})
		if err != nil || !k.CanSign() || k.Algorithm() != alg || k.ID() != "new" {
			t.Fatalf("%s: %v, %v", alg, k, err)
		}
		accepted(t, verifier(t, testExpect(), k), forge(t, k, `{"alg":"`+string(alg)+`"}`, goodClaims))
	}
	if k, err := GenerateKey("none", KeyOptions{}); !errors.Is(err, ErrKey) {
		t.Errorf("%v, %v", k, err)
	}
	if _, err := NewStaticKeys(); !errors.Is(err, ErrKey) {
		t.Error(err)
	}
}
