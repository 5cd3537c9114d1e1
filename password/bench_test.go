package password

import (
	"testing"

	xbcrypt "golang.org/x/crypto/bcrypt"
)

func BenchmarkVerify(b *testing.B) {
	for _, a := range []Algorithm{Bcrypt, Argon2id} {
		b.Run(string(a), func(b *testing.B) {
			h := mustNew(b, Config{Algorithm: a})
			encoded := mustHash(b, h, "correct horse battery staple")
			b.ReportAllocs()
			for b.Loop() {
				if ok, err := h.Verify(b.Context(), encoded, "correct horse battery staple"); err != nil || !ok {
					b.Fatal(ok, err)
				}
			}
		})
	}
}

// BenchmarkXCryptoBcrypt is what BenchmarkVerify/bcrypt is to be compared with.
func BenchmarkXCryptoBcrypt(b *testing.B) {
	encoded, err := xbcrypt.GenerateFromPassword([]byte("correct horse battery staple"), 10)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := xbcrypt.CompareHashAndPassword(encoded, []byte("correct horse battery staple")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parse("$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"); err == nil {
			b.Fatal("no error")
		}
	}
}
