package hostile

import (
	"bytes"
	"compress/flate"
	"crypto/ecdsa"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// shapes are texts that are nearly a token.
func (f *forger) shapes() (list []token) {
	good := f.good
	p := strings.Split(good, ".")
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := good[:len(good)-1] + string(alphabet[strings.IndexByte(alphabet, good[len(good)-1])^1])
	for i, text := range []string{
		".", "..", "...", "....", ".....", "a", "a.b", "a.b.c", "a.b.c.d", "null", "undefined", "{}", "[]", `""`,
		p[0], p[0] + "." + p[1], p[0] + "." + p[1] + ".", "." + p[1] + "." + p[2], p[0] + ".." + p[2], p[1] + "." + p[0] + "." + p[2],
		good + ".", "." + good, good + "." + p[2], good + "..", p[0] + "." + good, strings.Replace(good, ".", "..", 1),
		good + "=", good + "==", good + "%3D", p[0] + "=." + p[1] + "." + p[2], p[0] + "." + p[1] + "=." + p[2],
		" " + good, good + " ", "\t" + good, good + "\n", good + "\r\n", good + "\x00", "\ufeff" + good, "%20" + good, good + "%0A", good + "%00",
		p[0] + ". " + p[1] + "." + p[2], p[0] + ".\n" + p[1] + "." + p[2], good[:10] + "\n" + good[10:], good[:10] + "\r\n" + good[10:],
		good[:len(good)-5] + "\n" + good[len(good)-5:], strings.ReplaceAll(good, ".", "%2E"), strings.ReplaceAll(good, ".", "。"),
		`"` + good + `"`, "'" + good + "'", "<" + good + ">", good + "," + good, "Bearer " + good, good + ";", good + "#", good + "&x=1",
		good[:10] + "+" + good[10:], good[:10] + "/" + good[10:], good[:10] + "~" + good[10:], good[:10] + "é" + good[10:],
		good[:10] + "A" + good[10:], p[0] + "A." + p[1] + "." + p[2], p[0] + "." + p[1] + "A." + p[2], good + "A", last,
		`{"protected":"` + p[0] + `","payload":"` + p[1] + `","signature":"` + p[2] + `"}`,
		`{"payload":"` + p[1] + `","signatures":[{"protected":"` + p[0] + `","signature":"` + p[2] + `"}]}`,
		`{"` + good + `":1}`, `["` + good + `"]`, "{" + good + "}", strings.ToLower(good), strings.ToUpper(good),
		p[0] + "." + p[1] + "." + p[2][:len(p[2])-2], p[0] + "." + p[1] + "." + p[2] + p[2], "data:," + good,
		b64(good), p[0] + "." + b64(p[1]) + "." + p[2], base64.StdEncoding.EncodeToString([]byte(f.headerWith()+" ")) + "." + p[1] + "." + p[2],
	} {
		list = append(list, token{fmt.Sprintf("shape %d, %.20q", i, text), text})
	}
	return list
}

// encrypted are tokens that anybody can encrypt to the public key, and compressed ones.
func (f *forger) encrypted() (list []token) {
	claims := []byte(f.claimsWith())
	add := func(name string, alg jose.KeyAlgorithm, key any, zip jose.CompressionAlgorithm, payload []byte) {
		opt := (&jose.EncrypterOptions{Compression: zip}).WithType("at+jwt").WithContentType("JWT")
		enc, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: alg, Key: key, KeyID: strings.Trim(string(f.header["kid"]), `"`)}, opt)
		if err != nil {
			f.t.Fatal(err)
		}
		jwe, err := enc.Encrypt(payload)
		if err != nil {
			f.t.Fatal(err)
		}
		text, err := jwe.CompactSerialize()
		if err != nil {
			f.t.Fatal(err)
		}
		list = append(list, token{name, text})
	}
	if public, ok := f.key.PublicKey().(*ecdsa.PublicKey); ok {
		add("claims to the public key", jose.ECDH_ES, public, jose.NONE, claims)
		add("a good token to the public key", jose.ECDH_ES_A256KW, public, jose.NONE, []byte(f.good))
		add("8 MB to the public key", jose.ECDH_ES, public, jose.DEFLATE, make([]byte, 8<<20))
	} else if secret := f.key.Secret(); len(secret) == 32 {
		add("claims under the secret", jose.DIRECT, secret, jose.NONE, claims)
		add("8 MB under the secret", jose.DIRECT, secret, jose.DEFLATE, make([]byte, 8<<20))
	}
	for _, header := range []string{`{"alg":"dir","enc":"A256GCM"}`, `{"alg":"RSA-OAEP","enc":"A256GCM","zip":"DEF"}`, `{"alg":"RSA1_5","enc":"A128CBC-HS256"}`,
		`{"alg":"PBES2-HS256+A128KW","p2s":"AAAAAAAAAAA","p2c":2147483648,"enc":"A128GCM"}`, `{"alg":"PBES2-HS256+A128KW","p2s":"AAAAAAAAAAA","p2c":1e308,"enc":"A128GCM"}`,
		`{"alg":"ECDH-ES","enc":"A128GCM","epk":{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"}}`, f.headerWith()} {
		list = append(list, token{"JWE " + header, b64(header) + ".AA.AA.AA.AA"}, token{"JWE without key " + header, b64(header) + "..AA.AA.AA"})
	}
	return append(list, token{"zipped claims", f.sign(f.headerWith("zip", `"DEF"`), string(f.deflated(claims)))},
		token{"32 MB zipped", b64(`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`) + ".AA.AA." + b64(f.deflated(make([]byte, 32<<20))) + ".AA"})
}

func (f *forger) deflated(data []byte) []byte {
	f.t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return b.Bytes()
}

// bombs are large, deep or many: of a size that a header may have, and larger.
func (f *forger) bombs() (list []token) {
	add := func(name, text string) { list = append(list, token{name, text}) }
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for _, n := range []int{500, 20_000} {
		add(fmt.Sprint(n, " dots"), strings.Repeat(".", n))
		add(fmt.Sprint(n, " times A"), strings.Repeat("A", n))
		add(fmt.Sprint(n, " deep claims"), f.sign(f.headerWith(), f.claimsWith("x", strings.Repeat("[", n)+strings.Repeat("]", n))))
		add(fmt.Sprint(n, " deep objects"), f.sign(f.headerWith(), f.claimsWith("x", strings.Repeat(`{"a":`, n)+"1"+strings.Repeat("}", n))))
		add(fmt.Sprint(n, " deep header"), f.sign(f.headerWith("x", strings.Repeat("[", n)+strings.Repeat("]", n)), f.claimsWith()))
		add(fmt.Sprint(n, " in crit"), f.sign(f.headerWith("crit", `["x"`+many(n, `,"c%d"`)+`]`), f.claimsWith()))
		add(fmt.Sprint(n, " audiences"), f.sign(f.headerWith(), f.claimsWith("aud", `["a"`+strings.Repeat(`,"a"`, n)+`]`)))
		add(fmt.Sprint(n, " digits"), f.sign(f.headerWith(), f.claimsWith("exp", strings.Repeat("9", n))))
	}
	add("20,000 members", f.sign(f.headerWith(), "{"+many(20_000, `"m%d":1,`)+f.claimsWith()[1:]))
	add("20,000 members of the header", f.sign("{"+many(20_000, `"m%d":1,`)+f.headerWith()[1:], f.claimsWith()))
	add("100,000 dots", strings.Repeat(".", 100_000))
	add("1 MB signature", f.good+strings.Repeat("A", 1<<20))
	return list
}
