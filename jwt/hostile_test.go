package jwt

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// The rows in comments are those of the list of attacks that this server answers to.

// bySecret returns a verifier of HS256 tokens and a function that signs any header and claims for it.
func bySecret(t *testing.T) (*Verifier, func(header, claims string) string) {
	t.Helper()
	k := secretKey(t)
	return verifier(t, testExpect(), k), func(header, claims string) string { return forge(t, k, header, claims) }
}

// Row 75: "none" in any spelling, with and without a signature.
func TestHostileNone(t *testing.T) {
	t.Parallel()
	v, sign := bySecret(t)
	count := 0
	for _, alg := range []string{"none", "None", "NONE", "nOnE", "NoNe", " none", "none ", "none\\u0000", "n\\u006fne",
		"\\u006eone", "\\tnone", "none\\n", "nonе", "ｎｏｎｅ", "", "n0ne"} {
		header := `{"alg":"` + alg + `","typ":"JWT"}`
		for _, token := range []string{
			b64(header) + "." + b64(goodClaims) + ".",
			sign(header, goodClaims),
		} {
			count++
			if _, err := checkBoth(t, v, token); !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrAlgorithm) {
				t.Errorf("%s: %v", header, err)
			}
		}
	}
	if count != 32 {
		t.Errorf("%d tokens", count)
	}
}

// Row 76: "alg" that is missing, of another type, or not exactly the key's.
func TestHostileAlg(t *testing.T) {
	t.Parallel()
	v, sign := bySecret(t)
	for header, want := range map[string]error{
		`{}`:                            ErrMalformed,
		`{"alg":null}`:                  ErrMalformed,
		`{"alg":256}`:                   ErrMalformed,
		`{"alg":["HS256"]}`:             ErrMalformed,
		`{"alg":{"HS256":1}}`:           ErrMalformed,
		`{"alg":true}`:                  ErrMalformed,
		`{"alg":""}`:                    ErrMalformed,
		`{"ALG":"HS256"}`:               ErrMalformed,
		`{"Alg":"HS256"}`:               ErrMalformed,
		`{"alg":"hs256"}`:               ErrAlgorithm,
		`{"alg":"Hs256"}`:               ErrAlgorithm,
		`{"alg":"HS256\u0000"}`:         ErrAlgorithm,
		`{"alg":"HS256 "}`:              ErrAlgorithm,
		`{"alg":" HS256"}`:              ErrAlgorithm,
		`{"alg":"HS1"}`:                 ErrAlgorithm,
		`{"alg":"HS384"}`:               ErrAlgorithm,
		`{"alg":"HS512"}`:               ErrAlgorithm,
		`{"alg":"RS256"}`:               ErrAlgorithm,
		`{"alg":"ES256"}`:               ErrAlgorithm,
		`{"alg":"EdDSA"}`:               ErrAlgorithm,
		`{"alg":"Ed448"}`:               ErrAlgorithm,
		`{"alg":"ES256K"}`:              ErrAlgorithm,
		`{"alg":"dir","enc":"A256GCM"}`: ErrUnsupported,
		`{"alg":"HS256","alg":"HS256"}`: ErrMalformed,
		`{"alg":"HS256","alg":"none"}`:  ErrMalformed,
		`{"alg":"HS256","\u0061lg":1}`:  ErrMalformed,
		`{"alg":"none","alg":"HS256"}`:  ErrMalformed,
	} {
		refused(t, v, sign(header, goodClaims), want)
	}
	accepted(t, v, sign(`{"alg":"HS256"}`, goodClaims))
	accepted(t, v, sign(`{"\u0061lg":"\u0048S256"}`, goodClaims))
	// A variant in case is another member, and means nothing.
	accepted(t, v, sign(`{"alg":"HS256","ALG":"none","Kid":"x","CRIT":["exp"]}`, goodClaims))
}

// Row 77: the public key, in every form that it is published in, as an HMAC secret. The verifier of the key pair
// refuses the token for its algorithm, and no secret key can be made from what is recognizably a key.
func TestHostileKeyConfusion(t *testing.T) {
	t.Parallel()
	for _, alg := range []Algorithm{RS256, PS256, ES256, ES384, ES512, EdDSA} {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			k := pemKey(t, alg, KeyOptions{ID: "k1"})
			v := verifier(t, testExpect(), k.Public())
			forms, opaque := publicForms(t, k)
			for name, secret := range forms {
				if _, err := NewSecretKey(HS256, secret, KeyOptions{InsecureAllowShortSecret: true}); !errors.Is(err, ErrKey) {
					t.Errorf("%s is taken as a secret: %v", name, err)
				}
			}
			for name, secret := range opaque {
				forms[name] = secret
			}
			for name, secret := range forms {
				for _, hs := range []Algorithm{HS256, HS384, HS512} {
					evil := &Key{alg: hs, m: func() *material { return &material{secret: secret} }}
					for _, header := range []string{`{"alg":"%s"}`, `{"alg":"%s","kid":"k1"}`} {
						token := forge(t, evil, fmt.Sprintf(header, hs), goodClaims)
						if e := refused(t, v, token, ErrAlgorithm); e.Check != CheckKey {
							t.Errorf("%s: refused by %s", name, e.Check)
						}
					}
				}
			}
		})
	}
}

// publicForms returns encodings of a public key that are recognizably keys, and numbers out of it, which are not.
func publicForms(t *testing.T, k *Key) (forms, opaque map[string][]byte) {
	t.Helper()
	pkix := must(x509.MarshalPKIXPublicKey(k.PublicKey()))
	block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix})
	forms = map[string][]byte{
		"PEM":                   block,
		"PEM without newline":   bytes.TrimSpace(block),
		"PEM with CRLF":         bytes.ReplaceAll(block, []byte("\n"), []byte("\r\n")),
		"PEM after text":        append([]byte("key:\n"), block...),
		"DER":                   pkix,
		"base64 of DER":         []byte(base64.StdEncoding.EncodeToString(pkix)),
		"base64url of DER":      []byte(base64.RawURLEncoding.EncodeToString(pkix)),
		"JWK":                   []byte(`{"kty":"RSA","n":"AQAB","e":"AQAB"}`),
		"JWK with white space":  []byte(" \n{ \"kty\" : \"EC\" }"),
		"JWKS":                  []byte(`{"keys":[{"kty":"OKP"}]}`),
		"private PKCS#8":        must(k.MarshalPKCS8()),
		"certificate-like text": []byte("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"),
		"SSH":                   []byte("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA"),
	}
	sum := sha256.Sum256(pkix)
	opaque = map[string][]byte{"digest": sum[:], "digest in base64url": []byte(base64.RawURLEncoding.EncodeToString(sum[:]))}
	switch pub := k.PublicKey().(type) {
	case *rsa.PublicKey:
		der := x509.MarshalPKCS1PublicKey(pub)
		forms["PKCS#1 DER"] = der
		forms["PKCS#1 PEM"] = pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: der})
		opaque["n"], opaque["n in base64url"] = pub.N.Bytes(), []byte(base64.RawURLEncoding.EncodeToString(pub.N.Bytes()))
		opaque["n in decimal"] = []byte(pub.N.String())
	case *ecdsa.PublicKey:
		point := must(pub.Bytes())
		forms["point"] = point
		forms["point in base64url"] = []byte(base64.RawURLEncoding.EncodeToString(point))
		opaque["x"] = point[1 : 1+len(point)/2]
		opaque["compressed point"] = append([]byte{2}, opaque["x"]...)
	case ed25519.PublicKey:
		opaque["x"], opaque["x in base64url"] = pub, []byte(base64.RawURLEncoding.EncodeToString(pub))
	}
	return forms, opaque
}

// Row 78: MACs that are not the key's.
func TestHostileMAC(t *testing.T) {
	t.Parallel()
	v, sign := bySecret(t)
	good := sign(`{"alg":"HS256"}`, goodClaims)
	input := good[:strings.LastIndexByte(good, '.')]
	mac := must(base64.RawURLEncoding.DecodeString(good[len(input)+1:]))
	for _, secret := range []string{"secret", "top_secret", "password", "changeme", "jwt", "key", "123456", "your-256-bit-secret", "\x00", "a"} {
		k := must(NewSecretKey(HS256, []byte(secret), KeyOptions{InsecureAllowShortSecret: true}))
		refused(t, v, forge(t, k, `{"alg":"HS256"}`, goodClaims), ErrSignature)
	}
	refused(t, v, forge(t, &Key{alg: HS256, m: func() *material { return &material{secret: []byte{}} }}, `{"alg":"HS256"}`, goodClaims), ErrSignature)
	for name, sig := range map[string][]byte{
		"truncated by one": mac[:31], "truncated to half": mac[:16], "one byte": mac[:1], "extended": append(bytes.Clone(mac), 0),
		"twice": append(bytes.Clone(mac), mac...), "zero": make([]byte, 32), "hexadecimal": fmt.Appendf(nil, "%x", mac),
		"base64 again": []byte(b64(string(mac))), "HS512's length": append(bytes.Clone(mac), make([]byte, 32)...),
	} {
		if e := refused(t, v, input+"."+b64(string(sig)), ErrSignature); e.Check != CheckSignature {
			t.Errorf("%s: refused by %s", name, e.Check)
		}
	}
}

// Row 80: the token brings its key, or says where it is. The listener must not hear anything.
func TestHostileKeyInHeader(t *testing.T) {
	t.Parallel()
	heard := make(chan struct{}, 1)
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			c.Close()
			heard <- struct{}{}
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	attacker := must(GenerateKey(ES256, KeyOptions{}))
	v := verifier(t, testExpect(), pemKey(t, ES256, KeyOptions{ID: "k1"}).Public())
	point := must(attacker.PublicKey().(*ecdsa.PublicKey).Bytes())
	jwk := fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q,"y":%q}`, b64(string(point[1:33])), b64(string(point[33:])))
	for _, extra := range []string{`"jwk":` + jwk, `"jwk":null`, `"x5c":["AAAA"]`, `"x5c":[]`, `"jwk":` + jwk + `,"kid":"k1"`} {
		refused(t, v, forge(t, attacker, `{"alg":"ES256",`+extra+`}`, goodClaims), ErrUnsupported)
	}
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f000001", "127.1", "[::ffff:127.0.0.1]", "0"} {
		url := "http://" + host + ":" + port + "/jwks.json"
		for _, name := range []string{"jku", "x5u"} {
			refused(t, v, forge(t, attacker, `{"alg":"ES256","`+name+`":"`+url+`"}`, goodClaims), ErrUnsupported)
		}
		refused(t, v, forge(t, attacker, `{"alg":"ES256","kid":"`+url+`"}`, goodClaims), ErrUnknownKey)
		refused(t, v, forge(t, attacker, `{"alg":"ES256"}`, strings.Replace(goodClaims, testIssuer, url, 1)), ErrSignature)
	}
	select {
	case <-heard:
		t.Error("a connection was made")
	case <-time.After(20 * time.Millisecond):
	}
}

// Row 81: "kid" is a key to look up and nothing else.
func TestHostileKeyID(t *testing.T) {
	t.Parallel()
	k := must(NewSecretKey(HS256, []byte("0123456789abcdef0123456789abcdef"), KeyOptions{ID: "k1"}))
	v := verifier(t, testExpect(), k)
	for kid, want := range map[string]error{
		`"../../../../dev/null"`: ErrUnknownKey, `"k1' OR '1'='1"`: ErrUnknownKey, `"k1; sleep 5"`: ErrUnknownKey,
		`"$(id)"`: ErrUnknownKey, `"*)(uid=*"`: ErrUnknownKey, `"${jndi:ldap://127.0.0.1/a}"`: ErrUnknownKey,
		`"k1\r\nX-Injected: 1"`: ErrUnknownKey, `"k1\u0000"`: ErrUnknownKey, `"K1"`: ErrUnknownKey, `" k1"`: ErrUnknownKey,
		`{"$ne":null}`: ErrMalformed, `["k1"]`: ErrMalformed, `1`: ErrMalformed, `null`: ErrMalformed, `""`: ErrMalformed,
		`"` + strings.Repeat("k", 257) + `"`:    ErrTooLarge,
		`"` + strings.Repeat("k", 256) + `"`:    ErrUnknownKey,
		`"` + strings.Repeat("k", 64<<10) + `"`: ErrTooLarge,
	} {
		refused(t, v, forge(t, k, `{"alg":"HS256","kid":`+kid+`}`, goodClaims), want)
	}
	accepted(t, v, forge(t, k, `{"alg":"HS256","kid":"k1"}`, goodClaims))
	accepted(t, v, forge(t, k, `{"alg":"HS256"}`, goodClaims))
}

// Row 82: "crit" and "b64".
func TestHostileCritical(t *testing.T) {
	t.Parallel()
	v, sign := bySecret(t)
	for _, crit := range []string{`[]`, `["exp"]`, `["alg"]`, `["b64"]`, `["x","x"]`, `"exp"`, `null`, `{}`, `[1]`, `[""]`,
		`["http://example.com/UNDEFINED"]`} {
		refused(t, v, sign(`{"alg":"HS256","crit":`+crit+`}`, goodClaims), ErrCritical)
		refused(t, v, sign(`{"alg":"HS256","http://example.com/UNDEFINED":true,"x":1,"crit":`+crit+`}`, goodClaims), ErrCritical)
	}
	for _, value := range []string{`false`, `true`, `null`, `"false"`, `0`} {
		refused(t, v, sign(`{"alg":"HS256","b64":`+value+`}`, goodClaims), ErrUnsupported)
		refused(t, v, sign(`{"alg":"HS256","b64":`+value+`,"crit":["b64"]}`, goodClaims), ErrCritical)
	}
	refused(t, v, sign(`{"alg":"HS256","zip":"DEF"}`, goodClaims), ErrUnsupported)
	// What is merely unknown, and a certificate's thumbprint, mean nothing.
	accepted(t, v, sign(`{"alg":"HS256","x5t":"AAAA","x5t#S256":"AAAA","nonce":1,"cty":"x"}`, goodClaims))
}

// Row 83: other kinds of token, and a token within a token.
func TestHostileType(t *testing.T) {
	t.Parallel()
	v, sign := bySecret(t)
	for _, typ := range []string{"at+jwt", "jwt", "Jwt", "JWT ", "application/jwt", "refresh+jwt", "logout+jwt", "dpop+jwt", "JWS", "JWT\\u0000"} {
		refused(t, v, sign(`{"alg":"HS256","typ":"`+typ+`"}`, goodClaims), ErrType)
	}
	for _, typ := range []string{`""`, `null`, `1`, `["JWT"]`, `{}`} {
		refused(t, v, sign(`{"alg":"HS256","typ":`+typ+`}`, goodClaims), ErrMalformed)
	}
	inner := b64(`{"alg":"none"}`) + "." + b64(goodClaims) + "."
	refused(t, v, sign(`{"alg":"HS256","cty":"JWT"}`, inner), ErrMalformed)
	refused(t, v, sign(`{"alg":"HS256"}`, `"`+inner+`"`), ErrMalformed)
}

func TestHostileContextIsForTheKeysOnly(t *testing.T) {
	t.Parallel()
	v, sign := bySecret(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.Verify(ctx, sign(`{"alg":"HS256"}`, goodClaims)); err != nil {
		t.Error(err)
	}
	if !json.Valid([]byte(goodClaims)) {
		t.Error("goodClaims are not JSON")
	}
}
