package password

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestInspect(t *testing.T) {
	t.Parallel()
	const tail = "$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
	for _, tt := range []struct{ encoded, want string }{
		{"$2b$10$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
			"bcrypt [{variant 2b} {cost 10} {salt 16 bytes} {sum 23 bytes}] true about as strong as the default"},
		{"$2y$13$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
			"bcrypt [{variant 2y} {cost 13} {salt 16 bytes} {sum 23 bytes}] true " +
				"stronger than the default: guessing is about 8 times as slow"},
		{"$argon2id$v=19$m=19456,t=2,p=1" + tail, "argon2id [{memory 19456 KiB} {passes 2} {threads 1} {salt 8 bytes} " +
			"{sum 32 bytes}] true about as strong as the default"},
		{"$scrypt$ln=17,r=8,p=1" + tail, "scrypt [{N 131072} {r 8} {p 1} {salt 8 bytes} {sum 32 bytes}] true " +
			"about as strong as the default"},
		{"$pbkdf2-sha256$i=600000,l=32" + tail, "pbkdf2-sha256 [{hash sha256} {iterations 600000} {salt 8 bytes} " +
			"{sum 32 bytes}] true about as strong as the default"},
		{"pbkdf2_sha256$20000$salt$tjXMmOhV51sBR11pDgpSuYoSSza3O/eO9oCoY1aRA98=",
			"django-pbkdf2-sha256 [{hash sha256} {iterations 20000} {salt 4 bytes} {sum 32 bytes}] true " +
				"weaker than the default: guessing is about 60 times as fast"},
		{"bcrypt_sha256$$2b$12$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
			"django-bcrypt-sha256 [{variant 2b} {cost 12} {salt 16 bytes} {sum 23 bytes}] true " +
				"stronger than the default: guessing is about 4 times as slow"},
		{"$P$BFOxh7mrNgIkbass4y0nqvKZ6vs5zt/", "phpass [{rounds 8192} {salt 8 bytes} {sum 16 bytes}] true " +
			"far weaker than the default: guessing is about 2000 times as fast"},
		{"$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
			"sha256-crypt [{rounds 5000} {salt 10 bytes} {sum 32 bytes}] true " +
				"weaker than the default: guessing is about 400 times as fast"},
		{"{SSHA}bB+7tNX+HbTaV0WkXSN31vATYOSDeqov", "ldap-ssha [{salt 4 bytes} {sum 20 bytes}] true " +
			"far weaker than the default: guessing is about 10000000 times as fast"},
		{"$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7", "yescrypt [] false "},
		{"{SHA}qiNdtNN2HqkR/U+pQ8WNTdwTueA=", "ldap-sha, without salt [] false "},
	} {
		i, err := Inspect(tt.encoded)
		got := fmt.Sprintf("%s %v %v %s", i.Format, i.Details, i.Verifiable, i.Strength)
		if err != nil || got != tt.want {
			t.Errorf("Inspect(%q) = %v\n got %s\nwant %s", tt.encoded, err, got, tt.want)
		}
	}
	for encoded, want := range map[string]error{
		"":         ErrFormat,
		"password": ErrFormat,
		"$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW": ErrParameters,
		"$argon2id$v=19$m=8388608,t=1,p=1" + tail:                      ErrParameters,
		"$scrypt$ln=31,r=8,p=1" + tail:                                 ErrParameters,
		"$pbkdf2-sha256$i=600000,l=64" + tail:                          ErrFormat,
	} {
		if i, err := Inspect(encoded); !errors.Is(err, want) || i.Format != "" {
			t.Errorf("Inspect(%q) = %+v, %v, want %v", encoded, i, err, want)
		}
	}
}

// An Info holds nothing of salt or sum.
func TestInspectKeepsSecrets(t *testing.T) {
	t.Parallel()
	for _, v := range append(foreignVectors(), nodeVectors()...) {
		i, err := Inspect(v.encoded)
		if err != nil || !i.Verifiable || i.Format == "" || i.Strength == "" || len(i.Details) < 2 {
			t.Errorf("Inspect(%q) = %+v, %v", v.encoded, i, err)
		}
		parts := strings.FieldsFunc(v.encoded, func(r rune) bool { return r == '$' || r == '}' })
		for _, secret := range parts[len(parts)-2:] {
			if text := fmt.Sprint(i); len(secret) >= 8 && !strings.Contains(secret, "=") && strings.Contains(text, secret) {
				t.Errorf("Inspect(%q) tells %q: %s", v.encoded, secret, text)
			}
		}
	}
}
