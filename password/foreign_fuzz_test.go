package password

import (
	"errors"
	"strings"
	"testing"
)

// FuzzParseForeign holds what is accepted against the bounds, by the details that
// people are shown, and verifies where that is cheap.
func FuzzParseForeign(f *testing.F) {
	for _, v := range foreignVectors() {
		f.Add(v.encoded, v.password)
	}
	const tail = "$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	for _, s := range []string{
		"$argon2i$v=19$m=4294967295,t=4294967295,p=255" + tail,
		"$scrypt$ln=31,r=1073741823,p=1073741823" + tail,
		"$pbkdf2-sha512$i=4294967295,l=64" + tail,
		"$6$rounds=4294967295$salt$" + strings.Repeat(".", 86),
		"$P$Ssaltsalt" + strings.Repeat(".", 22),
		"bcrypt_sha256$$2b$31$CCCCCCCCCCCCCCCCCCCCC/E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"{SSHA}", "{}", "{",
	} {
		f.Add(s, "password")
	}
	f.Fuzz(func(t *testing.T, encoded, password string) {
		got, err := parseForeign(encoded)
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrParameters) {
				t.Errorf("error %v", err)
			}
			return
		}
		if got.format == "" || len(got.details) < 2 || !(got.guesses > 0) {
			t.Errorf("incomplete: %+v", got)
		}
		if _, err := parse(encoded); err == nil {
			t.Error("taken by parse as well")
		}
		if got.inner != "" {
			if r, err := parseBcrypt(got.inner); err != nil || r.cost > MaxBcryptCost || got.derive != nil || got.prehash == nil {
				t.Errorf("bcrypt out of bounds: %+v, %v", got, err)
			}
			return
		}
		if len(got.sum) < 10 || len(got.sum) > 86 || got.memory > 257<<20 || got.derive == nil {
			t.Errorf("out of bounds: %+v", got)
		}
		for _, d := range got.details {
			n := 0
			for _, c := range d.Value {
				if c >= '0' && c <= '9' {
					n = n*10 + int(c-'0')
				}
			}
			if most, ok := map[string]int{"iterations": 6_000_000, "rounds": 1 << 20, "N": 1 << 21, "r": 64, "p": 64,
				"passes": 64, "threads": 16, "salt": 64, "sum": 64}[d.Name]; ok && (n < 1 || n > most) {
				t.Errorf("%s of %s", d.Name, d.Value)
			}
		}
		if got.guesses > 1e7 && got.memory < 1<<20 && len(password) < 200 {
			foreignMatches(got, []byte(password))
		}
	})
}
