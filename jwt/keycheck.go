package jwt

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"math"
	"math/big"
)

// checkPublic refuses a key that alg cannot be used with safely.
func checkPublic(alg Algorithm, key crypto.PublicKey) error {
	s := alg.spec()
	switch s.family {
	case unknownFamily:
		return keyErrorf("the algorithm is not supported")
	case hmacFamily:
		return keyErrorf("%s needs a secret, not a key pair", alg)
	case rsaFamily, pssFamily:
		if key, ok := key.(*rsa.PublicKey); ok && key != nil {
			return checkRSA(key)
		}
	case ecdsaFamily:
		if key, ok := key.(*ecdsa.PublicKey); ok && key != nil {
			if key.Curve != s.curve {
				return keyErrorf("%s needs the curve %s", alg, s.curve.Params().Name)
			}
			if _, err := key.Bytes(); err != nil { // refuses a point that is not on the curve
				return keyErrorf("the point is not on the curve")
			}
			return nil
		}
	case ed25519Family:
		if key, ok := key.(ed25519.PublicKey); ok {
			if len(key) != ed25519.PublicKeySize {
				return keyErrorf("an Ed25519 public key has %d bytes", ed25519.PublicKeySize)
			}
			return nil
		}
	}
	return keyErrorf("a %T is not a key for %s", key, alg)
}

func checkRSA(key *rsa.PublicKey) error {
	switch bits := bitLen(key.N); {
	case bits < minRSABits:
		return keyErrorf("the RSA modulus has %d bits, at least %d are needed", bits, minRSABits)
	case bits > maxRSABits:
		return keyErrorf("the RSA modulus has %d bits, at most %d are allowed", bits, maxRSABits)
	case key.N.Bit(0) == 0:
		return keyErrorf("the RSA modulus is even")
	case key.E < 3 || key.E%2 == 0 || key.E > math.MaxInt32:
		return keyErrorf("the RSA exponent must be odd, over 1 and under 2^31")
	case isROCA(key.N):
		return keyErrorf("the RSA modulus has the form that CVE-2017-15361 (ROCA) lets anybody factor")
	}
	return nil
}

func bitLen(n *big.Int) int {
	if n == nil {
		return 0
	}
	return n.BitLen()
}

// isROCA tells moduli made by the faulty Infineon library: modulo each of these primes they are a power of
// 65537. By chance that happens to one modulus in about 2^27. ("The Return of Coppersmith's Attack", 2017.)
func isROCA(n *big.Int) bool {
	primes := [...]int64{11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157}
	for _, p := range primes {
		rest := new(big.Int).Mod(n, big.NewInt(p)).Int64()
		power, found := int64(1), false
		for range p {
			if power == rest {
				found = true
				break
			}
			power = power * 65537 % p
		}
		if !found {
			return false
		}
	}
	return true
}

// checkPrivate returns the public half, once it is known to belong to key.
func checkPrivate(key crypto.Signer) (crypto.PublicKey, error) {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if key == nil || bitLen(key.N) < minRSABits || bitLen(key.N) > maxRSABits {
			return nil, keyErrorf("the RSA modulus has less than %d or more than %d bits", minRSABits, maxRSABits)
		}
		if err := key.Validate(); err != nil {
			return nil, keyErrorf("the RSA key is not consistent")
		}
		return &key.PublicKey, nil
	case *ecdsa.PrivateKey:
		if key == nil || key.Curve == nil {
			return nil, keyErrorf("the key is nil")
		}
		scalar, err := key.Bytes()
		if err != nil {
			return nil, keyErrorf("the private scalar is out of range")
		}
		again, err := ecdsa.ParseRawPrivateKey(key.Curve, scalar)
		if err != nil || !again.PublicKey.Equal(&key.PublicKey) {
			return nil, keyErrorf("the public half does not belong to the private half")
		}
		return &key.PublicKey, nil
	case ed25519.PrivateKey:
		if len(key) != ed25519.PrivateKeySize {
			return nil, keyErrorf("an Ed25519 private key has %d bytes", ed25519.PrivateKeySize)
		}
		if !ed25519.NewKeyFromSeed(key.Seed()).Equal(key) {
			return nil, keyErrorf("the public half does not belong to the private half")
		}
		return key.Public(), nil
	}
	return nil, keyErrorf("a %T is not a private key for a token", key)
}

// looksLikeKey says what kind of key a secret is, or nothing when it is none.
func looksLikeKey(secret []byte) string {
	text := bytes.TrimSpace(secret)
	switch {
	case bytes.Contains(secret, []byte("-----BEGIN ")):
		return "a PEM file"
	case isDER(secret), isDER(unbase64(text)):
		return "a DER key or certificate"
	case bytes.HasPrefix(text, []byte("ssh-")), bytes.HasPrefix(text, []byte("ecdsa-sha2-")):
		return "an SSH key"
	case isJWK(text), isJWK(unbase64(text)):
		return "a JSON Web Key"
	case isPoint(secret), isPoint(unbase64(text)):
		return "a point of an elliptic curve"
	}
	return ""
}

// unbase64 decodes text in either alphabet, padded or not, with line breaks or not; nil when it is no base64.
func unbase64(text []byte) []byte {
	plain := bytes.TrimRight(bytes.ReplaceAll(text, []byte("\n"), nil), "=")
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if der, err := enc.AppendDecode(nil, plain); err == nil {
			return der
		}
	}
	return nil
}

func isDER(der []byte) bool {
	if len(der) < 2 || der[0] != 0x30 {
		return false
	}
	parsers := []func([]byte) error{
		func(b []byte) error { _, err := x509.ParsePKIXPublicKey(b); return err },
		func(b []byte) error { _, err := x509.ParsePKCS1PublicKey(b); return err },
		func(b []byte) error { _, err := x509.ParsePKCS8PrivateKey(b); return err },
		func(b []byte) error { _, err := x509.ParsePKCS1PrivateKey(b); return err },
		func(b []byte) error { _, err := x509.ParseECPrivateKey(b); return err },
		func(b []byte) error { _, err := x509.ParseCertificate(b); return err },
	}
	for _, parse := range parsers {
		if parse(der) == nil {
			return true
		}
	}
	return false
}

// isJWK looks with encoding/json, which takes more than the strict scanner: here that is the safe side.
func isJWK(text []byte) bool {
	if len(text) == 0 || text[0] != '{' {
		return false
	}
	var jwk struct {
		Kty  any `json:"kty"`
		Keys any `json:"keys"`
	}
	return json.Unmarshal(text, &jwk) == nil && (jwk.Kty != nil || jwk.Keys != nil)
}

func isPoint(point []byte) bool {
	if len(point) == 0 || point[0] != 4 {
		return false
	}
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		if _, err := ecdsa.ParseUncompressedPublicKey(curve, point); err == nil {
			return true
		}
	}
	return false
}
