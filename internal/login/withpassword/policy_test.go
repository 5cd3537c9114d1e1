package withpassword

import (
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/internal/login"
)

// BenchmarkPolicy checks a good password of usual length, and the longest.
func BenchmarkPolicy(b *testing.B) {
	address := login.Address{Given: "mike@example.com", Key: "mike@example.com"}
	for _, c := range []struct{ name, password, blocklist string }{
		{"13 characters", "correct-horse", ""},
		{"40 characters", "correct horse battery staple and so on, ", ""},
		{"1,024 bytes", strings.Repeat("mike@example.co ", 64), ""},
		{"hashes", "correct-horse", write(b, string(hashLines(someHashes(50_000), "\r\n")))},
		{"words", "correct-horse", write(b, strings.Repeat("some word\n", 1000))},
	} {
		b.Run(c.name, func(b *testing.B) {
			p, err := NewPolicy(PolicyConfig{MinLength: 8, Issuer: "https://auth.acme.example", BlocklistFile: c.blocklist})
			if err != nil {
				b.Fatal(err)
			}
			defer p.Close()
			b.ReportAllocs()
			for b.Loop() {
				if fields, err := p.Check(c.password, address); err != nil || len(fields) > 0 {
					b.Fatal(fields, err)
				}
			}
		})
	}
}
