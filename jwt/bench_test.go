package jwt

import (
	"fmt"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/jwt/internal/strictjson"
)

var benchAlgorithms = []Algorithm{HS256, ES256, RS256, PS256, EdDSA}

func BenchmarkVerify(b *testing.B) {
	for _, alg := range benchAlgorithms {
		b.Run(string(alg), func(b *testing.B) {
			k := anyKey(b, alg, KeyOptions{ID: "k1"})
			v := verifier(b, testExpect(), k)
			c := testClaims()
			c.IssuedAt, c.Subject, c.ID = clock(), "0190c0de-0000-7000-8000-000000000000", "jti-jti-jti"
			c.Extra = map[string]any{"sid": "0190c0de", "user": map[string]string{"_id": "0190c0de", "email": "a@b.example"}}
			token := must(Sign(k, "JWT", c))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(b.Context(), token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSign(b *testing.B) {
	for _, alg := range benchAlgorithms {
		b.Run(string(alg), func(b *testing.B) {
			k := anyKey(b, alg, KeyOptions{ID: "k1"})
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Sign(k, "JWT", testClaims()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRefuse is what hostile tokens cost a server.
func BenchmarkRefuse(b *testing.B) {
	k := secretKey(b)
	good := forge(b, k, `{"alg":"HS256"}`, goodClaims)
	for name, token := range map[string]string{
		"signature": good[:len(good)-4] + "AAAA", "shape": "a.b", "expired": forge(b, k, `{"alg":"HS256"}`, with("exp", "1")),
		"1MB": strings.Repeat("A", 1<<20),
	} {
		b.Run(name, func(b *testing.B) {
			v := verifier(b, testExpect(), k)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(b.Context(), token); err == nil {
					b.Fatal("accepted")
				}
			}
		})
	}
}

// BenchmarkHostileInput must be linear: the MB/s of a row do not fall as the input grows.
func BenchmarkHostileInput(b *testing.B) {
	grow := func(n int, unit func(i int) string) string {
		var s strings.Builder
		for i := 0; s.Len() < n; i++ {
			s.WriteString(unit(i))
		}
		return s.String()
	}
	for _, shape := range []struct {
		name string
		make func(n int) string
	}{
		{"members", func(n int) string {
			return "{" + grow(n, func(i int) string { return fmt.Sprintf(`"m%07d":1,`, i) }) + `"z":1}`
		}},
		{"escapes", func(n int) string { return `{"a":"` + grow(n, func(int) string { return `\u00e9\n` }) + `"}` }},
		{"escaped-names", func(n int) string {
			return "{" + grow(n, func(i int) string { return fmt.Sprintf(`"\u006d%07d":1,`, i) }) + `"z":1}`
		}},
		{"numbers", func(n int) string { return `{"a":[` + grow(n, func(int) string { return `1.5e9,` }) + `1]}` }},
	} {
		for _, n := range []int{1 << 10, 32 << 10, 1 << 20} {
			text := shape.make(n)
			b.Run(fmt.Sprintf("%s/%dKB", shape.name, n>>10), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					if _, err := strictjson.Parse(text, strictjson.Limits{Depth: n, Members: n}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkReference is the cryptography alone: what is over it is ours.
func BenchmarkReference(b *testing.B) {
	input := []byte(strings.Repeat("x", 400))
	for _, alg := range benchAlgorithms {
		b.Run(string(alg), func(b *testing.B) {
			k := anyKey(b, alg, KeyOptions{})
			sig := must(k.sign(input))
			b.ReportAllocs()
			for b.Loop() {
				if !k.verify(input, sig) {
					b.Fatal("refused")
				}
			}
		})
	}
}
