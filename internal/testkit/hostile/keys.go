package hostile

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"

	"github.com/countersign-auth/countersign/jwt/jwk"
)

// none is "none" in any spelling, with and without a signature.
func (f *forger) none() (list []token) {
	for _, alg := range []string{"none", "None", "NONE", "nOnE", "NoNe", " none", "none ", "none\\u0000", "n\\u006fne",
		"\\u006eone", "\\tnone", "none\\n", "nonе", "ｎｏｎｅ", "", "n0ne"} {
		header := f.headerWith("alg", `"`+alg+`"`)
		list = append(list,
			token{"alg " + alg + " unsigned", b64(header) + "." + b64(f.claimsWith()) + "."},
			token{"alg " + alg + " signed", f.sign(header, f.claimsWith())})
	}
	return list
}

// alg is an algorithm that is not exactly the key's.
func (f *forger) alg() (list []token) {
	own := string(f.key.Algorithm())
	for _, value := range []string{"", "null", "256", `["` + own + `"]`, `{"` + own + `":1}`, "true", `""`, `"` + strings.ToLower(own) + `"`, `"` + own + `\u0000"`,
		`"` + own + ` "`, `" ` + own + `"`, `"HS1"`, `"HS384"`, `"HS512"`, `"RS256"`, `"PS256"`, `"ES384"`, `"EdDSA"`, `"Ed448"`, `"ES256K"`, `"dir"`} {
		list = append(list, f.headers(f.headerWith("alg", value))...)
	}
	open := strings.TrimSuffix(f.headerWith("alg", ""), "}")
	return append(list, f.headers(
		f.headerWith("alg", "", "ALG", `"`+own+`"`), f.headerWith("alg", "", "Alg", `"`+own+`"`),
		open+`,"alg":"`+own+`","alg":"`+own+`"}`, open+`,"alg":"none","alg":"`+own+`"}`, open+`,"alg":"`+own+`","alg":"none"}`,
		open+`,"alg":"`+own+`","\u0061lg":"none"}`)...)
}

// confusion is the public key, in the forms that anybody can have it in, as an HMAC secret.
func (f *forger) confusion() (list []token) {
	public, ok := f.key.PublicKey().(*ecdsa.PublicKey)
	if !ok {
		return f.macs("the name of the issuer", f.claims["iss"]) // a secret has no public form
	}
	pkix, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		f.t.Fatal(err)
	}
	point, err := public.Bytes()
	if err != nil {
		f.t.Fatal(err)
	}
	set, err := jwk.MarshalSet(f.key.Public())
	if err != nil {
		f.t.Fatal(err)
	}
	one, err := jwk.Marshal(f.key.Public())
	if err != nil {
		f.t.Fatal(err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pkix})
	sum := sha256.Sum256(pkix)
	for name, secret := range map[string][]byte{
		"PEM": block, "PEM without newline": bytes.TrimSpace(block), "PEM with CRLF": bytes.ReplaceAll(block, []byte("\n"), []byte("\r\n")),
		"DER": pkix, "base64 of DER": []byte(base64.StdEncoding.EncodeToString(pkix)), "base64url of DER": []byte(b64(pkix)),
		"JWK": one, "key set": set, "key set as served": append(bytes.Clone(set), '\n'), "point": point, "point in base64url": []byte(b64(point)),
		"x": point[1:33], "x in base64url": []byte(b64(point[1:33])), "y": point[33:], "compressed point": append([]byte{2 + point[64]&1}, point[1:33]...),
		"digest": sum[:], "key id": bytes.Trim(f.header["kid"], `"`), "nothing": {},
	} {
		list = append(list, f.macs(name, secret)...)
	}
	return list
}

// mac is a signature by another key, by secrets that people use, and part of the right one.
func (f *forger) mac() (list []token) {
	list = append(list, token{"another key", f.signBy(f.other, f.headerWith(), f.claimsWith())},
		token{"another key without its id", f.signBy(f.other, f.headerWith("kid", ""), f.claimsWith())})
	for _, secret := range []string{"", "secret", "top_secret", "TOP_SECRET", "password", "changeme", "jwt", "key", "123456", "your-256-bit-secret", "your_jwt_secret",
		"a-string-secret-at-least-256-bits-long", "shhhhh", "supersecret", "test", "admin", "keyboard cat", "\x00", "a", strings.Repeat("0", 32)} {
		list = append(list, token{"secret " + secret, HMAC([]byte(secret), f.headerWith("alg", `"HS256"`), f.claimsWith())})
	}
	dot := strings.LastIndexByte(f.good, '.')
	input := f.good[:dot+1]
	sig, err := base64.RawURLEncoding.DecodeString(f.good[dot+1:])
	if err != nil {
		f.t.Fatal(err)
	}
	for name, s := range map[string][]byte{
		"cut by one": sig[:len(sig)-1], "half": sig[:len(sig)/2], "one byte": sig[:1], "extended": append(bytes.Clone(sig), 0), "twice": bytes.Repeat(sig, 2),
		"zero": make([]byte, len(sig)), "all ones": bytes.Repeat([]byte{255}, len(sig)), "hexadecimal": fmt.Appendf(nil, "%x", sig),
		"base64 again": []byte(b64(sig)), "one bit": append(bytes.Clone(sig[:len(sig)-1]), sig[len(sig)-1]^1), "in front": append([]byte{0}, sig...),
	} {
		list = append(list, token{"signature " + name, input + b64(s)})
	}
	payload := f.claimsWith("sub", `"somebody-else"`)
	return append(list, token{"changed claims", input[:strings.IndexByte(input, '.')+1] + b64(payload) + "." + b64(sig)})
}

// signatures are numbers out of range, or right but in another form.
func (f *forger) signatures() (list []token) {
	if f.symmetric() {
		return nil // a MAC is no number
	}
	input := b64(f.headerWith()) + "." + b64(f.claimsWith())
	good := f.ecdsa(f.key, input)
	r, s := good[:32], good[32:]
	curve := elliptic.P256().Params()
	n, one := curve.N, big.NewInt(1)
	field := func(x *big.Int) []byte { return x.FillBytes(make([]byte, 32)) }
	zero, top, first := make([]byte, 32), field(n), field(one)
	for name, sig := range map[string][][]byte{
		"zero": {zero, zero}, "r zero": {zero, s}, "s zero": {r, zero}, "r n": {top, s}, "s n": {r, top}, "both n": {top, top}, "one": {first, first},
		"n+1": {field(new(big.Int).Add(n, one)), first}, "n-1": {field(new(big.Int).Sub(n, one)), field(new(big.Int).Sub(n, one))}, "p": {field(curve.P), s},
		"DER": {f.der(input)}, "longer": {good, {0}}, "zero first": {{0}, good}, "padded": {{0}, r, {0}, s}, "half": {r}, "swapped": {s, r}, "as a point": {{4}, good},
	} {
		list = append(list, token{"signature " + name, input + "." + b64(bytes.Join(sig, nil))})
	}
	return list
}

// keyInHeader are tokens that bring their key, or say where it is: at the listener.
func (f *forger) keyInHeader(port string) (list []token) {
	by := func(name string, value any) {
		text, err := json.Marshal(value)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, kid := range []string{"", string(f.header["kid"])} {
			list = append(list, token{"by " + name, f.signBy(f.other, f.headerWith(name, string(text), "kid", kid), f.claimsWith())})
		}
	}
	if !f.symmetric() {
		own, err := jwk.Marshal(f.other.Public())
		if err != nil {
			f.t.Fatal(err)
		}
		by("jwk", json.RawMessage(own))
	}
	by("jwk", map[string]string{"kty": "oct", "k": b64("an attacker's secret of 32 bytes")})
	by("jwk", nil)
	by("x5c", []string{})
	by("x5c", []string{"AAAA"})
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f000001", "127.1", "[::ffff:127.0.0.1]", "0"} {
		url := "http://" + host + ":" + port + "/jwks.json"
		by("jku", url)
		by("x5u", url)
		by("kid", url)
		list = append(list, token{"iss " + url, f.signBy(f.other, f.headerWith(), f.claimsWith("iss", `"`+url+`"`))},
			token{"iss " + url + ", no kid", f.sign(f.headerWith("kid", ""), f.claimsWith("iss", `"`+url+`"`))})
	}
	return list
}

// keyID is a key's id that is more than a name to look up.
func (f *forger) keyID() (list []token) {
	for _, kid := range []string{`"../../../../dev/null"`, `"k1' OR '1'='1"`, `"k1; sleep 5"`, `"$(id)"`, `"*)(uid=*"`, `"${jndi:ldap://127.0.0.1/a}"`,
		`"k1\r\nX-Injected: 1"`, `"\u0000"`, `{"$ne":null}`, `["k1"]`, `1`, `null`, `""`, `"` + strings.Repeat("k", 257) + `"`, `"` + strings.Repeat("k", 6<<10) + `"`} {
		if f.symmetric() && len(kid) > 2 && len(kid) < 200 && kid[0] == '"' { // a secret without an id may be meant by any
			continue
		}
		list = append(list, f.headers(f.headerWith("kid", kid))...)
	}
	return list
}
