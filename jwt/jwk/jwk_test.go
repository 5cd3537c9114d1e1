package jwk_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/jwt/jwk"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, text := range []string{rsaJWK, rsaPrivateJWK, ecJWK, ecPrivateJWK, okpJWK, okpPrivateJWK, octJWK} {
		k, err := jwk.Parse([]byte(text), jwk.Options{})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		roundTrip(t, k)
		if k.CanSign() != (strings.Contains(text, `"d":`) || strings.Contains(text, `"k":`)) {
			t.Errorf("%s: CanSign is %v", text, k.CanSign())
		}
	}
	for _, alg := range []jwt.Algorithm{jwt.HS256, jwt.HS512, jwt.ES256, jwt.ES384, jwt.ES512, jwt.EdDSA, jwt.Ed25519} {
		roundTrip(t, must(jwt.GenerateKey(alg, jwt.KeyOptions{ID: "id \u2028\"<"})))
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	edit := func(text string, pairs ...any) string {
		var m map[string]any
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i+1] == nil {
				delete(m, pairs[i].(string))
				continue
			}
			m[pairs[i].(string)] = pairs[i+1]
		}
		return string(must(json.Marshal(m)))
	}
	for name, text := range map[string]string{
		"no JSON":                 `x`,
		"a list":                  `[` + ecJWK + `]`,
		"a set":                   `{"keys":[` + ecJWK + `]}`,
		"trailing data":           ecJWK + `{}`,
		"a member twice":          strings.Replace(ecJWK, `{`, `{"kty":"EC",`, 1),
		"a member twice, escaped": strings.Replace(ecJWK, `{`, `{"k\u0074y":"EC",`, 1),
		"kty missing":             edit(ecJWK, "kty", nil),
		"kty in another case":     edit(ecJWK, "kty", "ec"),
		"kty a number":            edit(ecJWK, "kty", 1),
		"KTY":                     edit(ecJWK, "kty", nil, "KTY", "EC"),
		"unknown kty":             edit(ecJWK, "kty", "AKP"),
		"alg missing":             edit(ecJWK, "alg", nil),
		"alg none":                edit(ecJWK, "alg", "none"),
		"alg of encryption":       edit(rsaJWK, "alg", "RSA-OAEP"),
		"alg null":                `{"alg":null,` + strings.TrimPrefix(edit(ecJWK, "alg", nil), "{"),
		"alg of another family":   edit(rsaJWK, "alg", "HS256"),
		"alg of another curve":    edit(ecJWK, "alg", "ES384"),
		"oct with RS256":          edit(octJWK, "alg", "RS256"),
		"use enc":                 edit(ecJWK, "use", "enc"),
		"use empty":               edit(ecJWK, "use", ""),
		"use a list":              edit(ecJWK, "use", []string{"sig"}),
		"key_ops encrypt":         edit(ecJWK, "key_ops", []string{"encrypt"}),
		"key_ops sign, public":    edit(ecJWK, "key_ops", []string{"sign"}),
		"key_ops verify, private": edit(ecPrivateJWK, "key_ops", []string{"verify"}),
		"key_ops verify, secret":  edit(octJWK, "key_ops", []string{"verify"}),
		"key_ops twice":           edit(ecJWK, "key_ops", []string{"verify", "verify"}),
		"key_ops a string":        edit(ecJWK, "key_ops", "verify"),
		"key_ops of numbers":      edit(ecJWK, "key_ops", []any{"verify", 1}),
		"kid a number":            edit(ecJWK, "kid", 1),
		"kid empty":               edit(ecJWK, "kid", ""),
		"kid of 257 bytes":        edit(ecJWK, "kid", strings.Repeat("k", 257)),
		"k missing":               edit(octJWK, "k", nil),
		"k empty":                 edit(octJWK, "k", ""),
		"k short":                 edit(octJWK, "k", "c2hvcnQ"),
		"k padded":                edit(octJWK, "k", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="),
		"k with trailing bits":    edit(octJWK, "k", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWZ"),
		"k with a line break":     edit(octJWK, "k", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\n"),
		"n short: 1024 bits":      rsa1024JWK,
		"n of ROCA":               rocaJWK,
		"n with leading zero":     edit(rsaJWK, "n", "AA"+rsaModulus),
		"n even":                  edit(rsaJWK, "n", rsaModulus[:len(rsaModulus)-2]+"gg"),
		"e one":                   edit(rsaJWK, "e", "AQ"),
		"e zero":                  edit(rsaJWK, "e", "AA"),
		"e two":                   edit(rsaJWK, "e", "Ag"),
		"e even":                  edit(rsaJWK, "e", "AQAC"),
		"e of 5 bytes":            edit(rsaJWK, "e", "AQAAAAE"),
		"e of 9 bytes":            edit(rsaJWK, "e", "AQAAAAAAAQAB"),
		"e missing":               edit(rsaJWK, "e", nil),
		"oth":                     edit(rsaPrivateJWK, "oth", []any{}),
		"d without p":             edit(rsaPrivateJWK, "p", nil),
		"d of another":            edit(rsaPrivateJWK, "d", "AQAB"),
		"d as a number":           edit(rsaPrivateJWK, "d", 1),
		"dp of another":           edit(rsaPrivateJWK, "dp", "AQAB"),
		"qi of another":           edit(rsaPrivateJWK, "qi", "AQAB"),
		"n of another, private":   edit(rsaPrivateJWK, "n", rsaModulus),
		"y not on the curve":      edit(ecJWK, "y", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1"),
		"x is y":                  edit(ecJWK, "x", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"),
		"x and y zero":            edit(ecJWK, "x", strings.Repeat("A", 43), "y", strings.Repeat("A", 43)),
		"x short":                 edit(ecJWK, "x", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVA"),
		"y missing":               edit(ecJWK, "y", nil),
		"crv of another size":     edit(ecJWK, "crv", "P-384", "alg", "ES384"),
		"crv missing":             edit(ecJWK, "crv", nil),
		"crv secp256k1":           edit(ecJWK, "crv", "secp256k1"),
		"EC d of another":         edit(ecPrivateJWK, "d", strings.Repeat("A", 42)+"E"),
		"EC d zero":               edit(ecPrivateJWK, "d", strings.Repeat("A", 43)),
		"OKP d of another":        edit(okpPrivateJWK, "d", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
		"OKP x short":             edit(okpJWK, "x", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHUQ"),
		"OKP X25519":              edit(okpJWK, "crv", "X25519"),
		"OKP Ed448":               edit(okpJWK, "crv", "Ed448"),
		"too large":               `{"kty":"` + strings.Repeat("x", 256<<10) + `"}`,
		"too many members":        `{` + members(200) + `}`,
		"too deep":                `{"a":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, err := jwk.Parse([]byte(text), jwk.Options{})
			if !errors.Is(err, jwt.ErrKey) {
				t.Fatalf("%.200s: got %v, %v", text, k, err)
			}
		})
	}
}

func members(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"m%d":1,`, i)
	}
	return strings.TrimSuffix(b.String(), ",")
}

func TestAlgorithmOfTheCaller(t *testing.T) {
	t.Parallel()
	bare := `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	k, err := jwk.Parse([]byte(bare), jwk.Options{Algorithm: jwt.Ed25519})
	if err != nil || k.Algorithm() != jwt.Ed25519 {
		t.Fatalf("%v, %v", k, err)
	}
	if k, err := jwk.Parse([]byte(bare), jwk.Options{Algorithm: jwt.ES256}); err == nil {
		t.Fatalf("made %v", k)
	}
	if k := must(jwk.Parse([]byte(okpJWK), jwk.Options{Algorithm: jwt.ES256})); k.Algorithm() != jwt.EdDSA {
		t.Fatalf("the key's own alg is overruled: %v", k)
	}
}

func TestSets(t *testing.T) {
	t.Parallel()
	many := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = strings.Replace(okpJWK, `"ed"`, fmt.Sprintf(`"ed%d"`, i), 1)
		}
		return strings.Join(list, ",")
	}
	encryption := strings.Replace(rsaJWK, `"RS256"`, `"RSA-OAEP","use":"enc"`, 1)
	for _, tt := range []struct {
		name, keys string
		opt        jwk.Options
		want       []string // nil: refused
	}{
		{"two", ecJWK + "," + rsaJWK, jwk.Options{}, []string{"ec", "2011-04-29"}},
		{"100", many(100), jwk.Options{}, slices.Collect(func(yield func(string) bool) {
			for i := 0; i < 100 && yield(fmt.Sprintf("ed%d", i)); i++ {
			}
		})},
		{"101", many(101), jwk.Options{}, nil},
		{"none", "", jwk.Options{}, nil},
		{"only of encryption", encryption, jwk.Options{}, nil},
		{"one of encryption, passed over", encryption + "," + ecJWK, jwk.Options{}, []string{"ec"}},
		{"unknown kty, passed over", `{"kty":"new"},` + ecJWK, jwk.Options{}, []string{"ec"}},
		{"unknown crv, passed over", `{"kty":"OKP","crv":"Ed448","x":"AA"},` + ecJWK, jwk.Options{}, []string{"ec"}},
		{"without alg", strings.Replace(ecJWK, `"alg":"ES256",`, "", 1), jwk.Options{}, nil},
		{"without alg, default given", strings.Replace(ecJWK, `"alg":"ES256",`, "", 1), jwk.Options{Algorithm: jwt.ES256}, []string{"ec"}},
		{"one broken", ecJWK + "," + rsa1024JWK, jwk.Options{}, nil},
		{"one ROCA", ecJWK + "," + rocaJWK, jwk.Options{}, nil},
		{"one no object", ecJWK + ",1", jwk.Options{}, nil},
		{"kid twice", ecJWK + "," + strings.Replace(okpJWK, `"ed"`, `"ec"`, 1), jwk.Options{}, nil},
		{"mixed", ecJWK + "," + octJWK, jwk.Options{}, nil},
		{"mixed with a key passed over", octJWK + `,{"kty":"new"}`, jwk.Options{}, nil},
		{"mixed, asked for", ecJWK + "," + octJWK, jwk.Options{InsecureAllowMixed: true}, []string{"ec", "oct"}},
		{"secrets only", octJWK, jwk.Options{}, []string{"oct"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			keys, err := jwk.ParseSet([]byte(`{"keys":[`+tt.keys+`],"other":{}}`), tt.opt)
			if tt.want == nil {
				if !errors.Is(err, jwt.ErrKey) {
					t.Fatalf("got %v, %v", keys, err)
				}
				return
			}
			var got []string
			for _, k := range keys {
				got = append(got, k.ID())
			}
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Fatalf("%v\n%s", err, diff)
			}
		})
	}
	for _, text := range []string{`{}`, `{"keys":{}}`, `{"keys":null}`, `{"Keys":[]}`, `[]`, `{"keys":[],"keys":[]}`,
		`{"keys":[` + strings.Repeat(`{"kty":"new","x":"`+strings.Repeat("x", 3000)+`"},`, 99) + ecJWK + `]}`} {
		if _, err := jwk.ParseSet([]byte(text), jwk.Options{}); !errors.Is(err, jwt.ErrKey) {
			t.Errorf("%.100s: %v", text, err)
		}
	}
}

func TestThumbprint(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		rsaJWK:        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", // RFC 7638 section 3.1
		okpPrivateJWK: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", // RFC 8037 appendix A.3
	} {
		got, err := jwk.Thumbprint(must(jwk.Parse([]byte(text), jwk.Options{})))
		if err != nil || got != want {
			t.Errorf("got %s, %v; want %s", got, err, want)
		}
	}
	if got, err := jwk.Thumbprint(must(jwk.Parse([]byte(octJWK), jwk.Options{}))); err == nil {
		t.Errorf("thumbprint %s of a secret", got)
	}
}

// TestMarshalIsPublic looks at the names of what is written (E7).
func TestMarshalIsPublic(t *testing.T) {
	t.Parallel()
	var keys []*jwt.Key
	for _, text := range []string{rsaPrivateJWK, ecPrivateJWK, okpPrivateJWK} {
		keys = append(keys, must(jwk.Parse([]byte(text), jwk.Options{})))
	}
	data, err := jwk.MarshalSet(keys...)
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(data, &set); err != nil {
		t.Fatal(err)
	}
	var got [][]string
	for _, m := range set.Keys {
		got = append(got, slices.Sorted(maps.Keys(m)))
	}
	want := [][]string{
		{"alg", "e", "kid", "kty", "n", "use"},
		{"alg", "crv", "kid", "kty", "use", "x", "y"},
		{"alg", "crv", "kid", "kty", "use", "x"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	again := must(jwk.ParseSet(data, jwk.Options{}))
	for i, k := range keys {
		if !same(k.Public(), again[i]) {
			t.Errorf("%v is read back as %v", k, again[i])
		}
	}
	if data, err := jwk.MarshalSet(); err != nil || string(data) != `{"keys":[]}` {
		t.Errorf("the empty set is %s, %v", data, err)
	}
	secret := must(jwk.Parse([]byte(octJWK), jwk.Options{}))
	anonymous := must(jwt.GenerateKey(jwt.ES256, jwt.KeyOptions{}))
	for _, bad := range [][]*jwt.Key{{secret}, {anonymous}, {keys[0], keys[0]}, {nil}} {
		if data, err := jwk.MarshalSet(bad...); err == nil {
			t.Errorf("writes %s", data)
		}
	}
	if data, err := jwk.Marshal(secret); err == nil {
		t.Errorf("writes %s", data)
	}
	if data, err := jwk.MarshalPrivate(keys[0].Public()); err == nil {
		t.Errorf("writes %s", data)
	}
}
