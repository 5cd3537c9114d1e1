package hostile

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf16"
)

// critical is "crit" and "b64".
func (f *forger) critical() (list []token) {
	for _, crit := range []string{`[]`, `["exp"]`, `["alg"]`, `["b64"]`, `["x","x"]`, `"exp"`, `null`, `{}`, `[1]`, `[""]`, `["http://example.com/UNDEFINED"]`} {
		list = append(list, f.headers(f.headerWith("crit", crit), f.headerWith("crit", crit, "x", "1", "exp", "1", "http://example.com/UNDEFINED", "true"))...)
	}
	for _, value := range []string{`false`, `true`, `null`, `"false"`, `0`} {
		list = append(list, f.headers(f.headerWith("b64", value), f.headerWith("b64", value, "crit", `["b64"]`))...)
	}
	return append(list, f.headers(f.headerWith("zip", `"DEF"`), f.headerWith("enc", `"A256GCM"`))...)
}

// types are tokens of other kinds, and a token within a token.
func (f *forger) types() (list []token) {
	types := []string{"jwt", "Jwt", "JWT ", "at+JWT", "AT+JWT", "application/jwt", "application/at+jwt", "refresh+jwt", "reset+jwt", "assertion+jwt", "revocations+jwt",
		"logout+jwt", "dpop+jwt", "id+jwt", "JWS", "at+jwt\\u0000", "at+jwt;x"}
	if !f.symmetric() { // services that share a secret write these
		types = append(types, "JWT")
		list = f.headers(f.headerWith("typ", ""))
	}
	for _, typ := range types {
		list = append(list, f.headers(f.headerWith("typ", `"`+typ+`"`))...)
	}
	for _, typ := range []string{`""`, `null`, `1`, `["at+jwt"]`, `{}`} {
		list = append(list, f.headers(f.headerWith("typ", typ))...)
	}
	inner := b64(`{"alg":"none"}`) + "." + b64(f.claimsWith()) + "."
	return append(list, token{"a token within", f.sign(f.headerWith("cty", `"JWT"`), inner)}, token{"a token as a string", f.sign(f.headerWith(), `"`+inner+`"`)},
		token{"the good token within", f.signBy(f.other, f.headerWith("cty", `"JWT"`), f.good)})
}

// json is JSON that has two readings, or is none: as the claims and as the header.
func (f *forger) json() []token {
	good := f.claimsWith()
	member := func(text string) string { return strings.Replace(good, "{", "{"+text+",", 1) }
	var wide bytes.Buffer
	for _, u := range utf16.Encode([]rune(good)) {
		wide.Write([]byte{byte(u), byte(u >> 8)})
	}
	payloads := map[string]string{
		"exp twice": member(`"exp":9999999999`), "exp twice, escaped": member(`"\u0065xp":9999999999`), "sub twice": member(`"sub":"other"`),
		"a nested member twice": member(`"x":{"a":1,"a":2}`), "twice within a list": member(`"x":[[{"a":1,"a":1}]]`), "byte order mark": "\ufeff" + good, "UTF-16": wide.String(),
		"invalid UTF-8": member("\"x\":\"\xff\""), "invalid UTF-8 in a name": member("\"\xc0\xaf\":1"), "overlong UTF-8": member("\"x\":\"\xc1\xa1\""),
		"surrogate in UTF-8": member("\"x\":\"\xed\xa0\x80\""), "lone surrogate": member(`"x":"\ud800"`), "surrogates swapped": member(`"x":"\udc00\ud800"`),
		"trailing text": good + "x", "trailing object": good + "{}", "trailing NUL": good + "\x00", "a list": "[" + good + "]", "null": "null", "a string": `"x"`,
		"a number": "1", "nothing": "", "white space": "  ", "cut short": good[:len(good)-1], "comment": strings.Replace(good, "{", "{/**/", 1),
		"trailing comma": good[:len(good)-1] + ",}", "single quotes": strings.ReplaceAll(good, `"`, `'`), "control character": member("\"x\":\"a\x01\""),
		"line break in a string": member("\"x\":\"a\nb\""), "unknown escape": member(`"x":"\x41"`), "NaN": member(`"x":NaN`), "leading zero": member(`"x":01`),
		"leading plus": member(`"x":+1`), "hexadecimal": member(`"x":0x1`), "vertical tab": "\v" + good,
		"only EXP": f.claimsWith("exp", "", "EXP", "9999999999"), "long s": f.claimsWith("iss", "", "i\u017f\u017f", string(f.claims["iss"])),
	}
	list := f.payloads(payloads)
	header := f.headerWith()
	for _, h := range []string{"\ufeff" + header, header + "x", header + "{}", "[" + header + "]", "null", `"` + string(f.key.Algorithm()) + `"`, header[:len(header)-1],
		strings.Replace(header, "{", "{\"x\":\"\xff\",", 1), strings.Replace(header, "{", `{"x":"\ud800",`, 1), strings.Replace(header, "{", `{"x":{"a":1,"a":1},`, 1)} {
		list = append(list, f.headers(h)...)
	}
	return list
}

// times are dates that are past, in the future, or none.
func (f *forger) times() (list []token) {
	payload := func(name, value string) {
		list = append(list, token{fmt.Sprintf("%s %.30s", name, value), f.sign(f.headerWith(), f.claimsWith(name, value))})
	}
	const late = "4102444800" // the year 2100
	for _, value := range []string{`"` + late + `"`, `null`, `[` + late + `]`, `{}`, `true`, `NaN`, `1e308`, `-1e308`, `1e400`, `9223372036854775807`, `9223372036854775808`, `253402300800`,
		strings.Repeat("9", 2000), `0`, `-0`, `-1`, `0.5`, `1e-400`, `0x10`, `1_000`, `+1`, `01795471597`, `.5`} {
		for _, name := range []string{"exp", "nbf", "iat"} {
			payload(name, value)
		}
	}
	payload("exp", "")
	payload("exp", "1")
	payload("exp", "1700000000")
	payload("nbf", late)
	payload("iat", late)
	return list
}

// names are who a token is from, for and about.
func (f *forger) names() (list []token) {
	payload := func(name, value string) {
		list = append(list, token{fmt.Sprintf("%s %.60s", name, value), f.sign(f.headerWith(), f.claimsWith(name, value))})
	}
	for _, name := range []string{"iss", "aud"} {
		right := strings.Trim(string(f.claims[name]), `"[]`)
		for _, value := range []string{``, `"https://evil.example"`, `"` + right + `/"`, `"` + right[:len(right)-1] + `"`, `" ` + right + `"`, `"` + right + ` "`, `"x` + right + `"`,
			`"*"`, `"undefined"`, `null`, `1`, `true`, `{}`, `""`, `"` + right + `\u0000"`, `[1]`, `[null]`, `[["` + right + `"]]`, `[""]`, `"` + right + `,https://evil.example"`} {
			payload(name, value)
		}
		if upper := strings.ToUpper(right); upper != right {
			payload(name, `"`+upper+`"`)
		}
	}
	payload("iss", `[`+string(f.claims["iss"])+`]`)
	for _, aud := range []string{`[]`, `["a","b"]`, `[` + strings.Trim(string(f.claims["aud"]), "[]") + `,1]`} {
		payload("aud", aud)
	}
	for _, odd := range []string{`null`, `1`, `true`, `{}`, `["u1"]`, `""`, `"u1\u0000"`} {
		payload("sub", odd)
		payload("jti", odd)
	}
	payload("sub", "")
	return list
}
