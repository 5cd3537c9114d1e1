package password

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-crypt/x/crypt"
)

func foreignVectors() []vector {
	return slices.Concat(argon2iVectors(), scryptVectors(), pbkdf2Vectors(), prehashVectors(),
		cryptVectors(), phpassVectors(), ldapVectors())
}

// expensive tells which vectors take many times as long as the rest: those with
// the cost that the software has by default.
func expensive(encoded string) bool {
	return slices.ContainsFunc([]string{"m=65536", "$16384$", "ln=14", ":32768:", "260000$", "=123456$", "=77777$"},
		func(s string) bool { return strings.Contains(encoded, s) })
}

func TestForeignVectors(t *testing.T) {
	t.Parallel()
	for _, v := range foreignVectors() {
		if raceEnabled && expensive(v.encoded) {
			continue
		}
		f, err := parseForeign(v.encoded)
		if err != nil {
			t.Errorf("parseForeign(%q): %v", v.encoded, err)
			continue
		}
		password := []byte(v.password)
		if got := foreignMatches(f, password); got != v.want {
			t.Errorf("%s: %q matches %q: %v, want %v", f.format, v.encoded, v.password, got, v.want)
		}
		if !bytes.Equal(password, []byte(v.password)) {
			t.Errorf("%s: changed the password", f.format)
		}
		if expensive(v.encoded) {
			continue
		}
		for _, wrong := range []string{"", v.password + "x", "x" + v.password, strings.ToUpper(v.password), "\x00", "\xff"} {
			if f.format == "django-bcrypt" && strings.HasPrefix(wrong, count(72)) {
				continue // which sees no more
			}
			if wrong != v.password && foreignMatches(f, []byte(wrong)) {
				t.Errorf("%s: %q matches %q", f.format, v.encoded, wrong)
			}
		}
	}
}

// Each character of a vector that is left out, doubled or replaced gives a string
// that is refused or that does not match, and none panics. What may change
// without effect is named.
func TestForeignCorrupted(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, v := range foreignVectors() {
		f, err := parseForeign(v.encoded)
		if err != nil || seen[f.format] || expensive(v.encoded) || !v.want {
			continue
		}
		seen[f.format] = true
		for i := range v.encoded {
			if raceEnabled && i%8 != 0 {
				continue // SHA-crypt takes ten times as long
			}
			before, after := v.encoded[:i], v.encoded[i+1:]
			for _, s := range []string{before, before + after, before + "~" + after, before + "\n" + after, before + "A" + after,
				v.encoded[:i+1] + v.encoded[i:], before + "=" + after, before + "$" + after} {
				checkCorrupted(t, s, v)
			}
		}
		checkCorrupted(t, v.encoded+"$", v)
		checkCorrupted(t, v.encoded+"\n", v)
		checkCorrupted(t, " "+v.encoded, v)
	}
	if len(seen) < 25 {
		t.Errorf("only %d formats: %v", len(seen), seen)
	}
}

func checkCorrupted(t *testing.T, s string, v vector) {
	t.Helper()
	f, err := parseForeign(s)
	if err != nil {
		if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrParameters) {
			t.Errorf("%q: %v", s, err)
		}
		return
	}
	// One more digit is at most ten times the work, which the vectors bear; a
	// changed one may be much more, and tells nothing.
	if s == v.encoded || f.memory > 1<<20 || f.guesses < 1e5 {
		return
	}
	// Bits of bcrypt's salt that nobody uses; see parseBcrypt. And scrypt's
	// string tells nowhere how long its sum was.
	if f.inner != "" && len(s) == len(v.encoded) || f.format == "scrypt" && strings.HasPrefix(v.encoded, s) {
		return
	}
	if foreignMatches(f, []byte(v.password)) {
		t.Errorf("%q, made of %q, still matches", s, v.encoded)
	}
}

func TestParseForeign(t *testing.T) {
	t.Parallel()
	const (
		salt = "$c29tZXNhbHQ"
		sum  = "$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
		tail = salt + sum
		md5  = "/HJ5VgCQ/yAuykBvpWWq//"
		s256 = "$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"
		s512 = "$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
		wsum = "$396b443f67eb673b19fdb4f5bbdf9adea1a95caa0bf0eb6453d21489311e698e"
		dsum = "$tjXMmOhV51sBR11pDgpSuYoSSza3O/eO9oCoY1aRA98="
		bc   = "$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
	)
	wscrypt := "$saltsalt$" + strings.Repeat("0a", 64)
	dscrypt := strings.Repeat("A", 85) + "A=="
	for _, tt := range []struct {
		name, encoded string
		want          error
	}{
		{"empty", "", ErrFormat},
		{"bcrypt is not foreign", "$2b$05" + bc, ErrFormat},
		{"argon2id is not foreign", "$argon2id$v=19$m=8,t=1,p=1" + tail, ErrFormat},
		{"a megabyte", "$1$" + strings.Repeat("a", 1<<20), ErrFormat},

		{"argon2i", "$argon2i$v=19$m=8,t=1,p=1" + tail, nil},
		{"argon2d", "$argon2d$v=19$m=8,t=1,p=1" + tail, ErrFormat},
		{"argon2i 1.0", "$argon2i$v=16$m=8,t=1,p=1" + tail, ErrFormat},
		{"argon2i without version", "$argon2i$m=8,t=1,p=1" + tail, ErrFormat},
		{"argon2i 4 GiB", "$argon2i$v=19$m=4194304,t=1,p=1" + tail, ErrParameters},
		{"argon2i 2^32-1", "$argon2i$v=19$m=4294967295,t=4294967295,p=255" + tail, ErrParameters},
		{"argon2i work", "$argon2i$v=19$m=262144,t=5,p=1" + tail, ErrParameters},
		{"django argon2d", "argon2$argon2d$v=19$m=8,t=1,p=1" + tail, ErrFormat},
		{"django argon2 8 GiB", "argon2$argon2id$v=19$m=8388608,t=1,p=1" + tail, ErrParameters},

		{"scrypt 256 MiB", "$scrypt$ln=18,r=8,p=2" + tail, nil},
		{"scrypt any order", "$scrypt$p=1,r=8,ln=4" + tail, nil},
		{"scrypt work", "$scrypt$ln=18,r=8,p=3" + tail, ErrParameters},
		{"scrypt memory", "$scrypt$ln=19,r=8,p=1" + tail, ErrParameters},
		{"scrypt ln=31", "$scrypt$ln=31,r=8,p=1" + tail, ErrParameters},
		{"scrypt ln=63", "$scrypt$ln=63,r=8,p=1" + tail, ErrParameters},
		{"scrypt N for ln", "$scrypt$ln=16384,r=8,p=1" + tail, ErrParameters},
		{"scrypt r", "$scrypt$ln=1,r=1073741823,p=1" + tail, ErrParameters},
		{"scrypt p", "$scrypt$ln=1,r=1,p=1073741823" + tail, ErrParameters},
		{"scrypt digits", "$scrypt$ln=4,r=8,p=" + strings.Repeat("9", 99) + tail, ErrParameters},
		{"scrypt ln=0", "$scrypt$ln=0,r=8,p=1" + tail, ErrFormat},
		{"scrypt no p", "$scrypt$ln=4,r=8" + tail, ErrFormat},
		{"scrypt two r", "$scrypt$ln=4,r=8,r=8" + tail, ErrFormat},
		{"scrypt more", "$scrypt$ln=4,r=8,p=1,x=1" + tail, ErrFormat},
		{"scrypt no sum", "$scrypt$ln=4,r=8,p=1" + salt + "$", ErrParameters},
		{"scrypt no salt", "$scrypt$ln=4,r=8,p=1$" + sum, ErrParameters},
		{"scrypt sum of 9", "$scrypt$ln=4,r=8,p=1" + salt + "$AAAAAAAAAAAA", ErrParameters},
		{"scrypt sum of 12", "$scrypt$ln=4,r=8,p=1" + salt + "$AAAAAAAAAAAAAAAA", nil},
		{"scrypt padding", "$scrypt$ln=4,r=8,p=1" + salt + "=" + sum, ErrFormat},
		{"werkzeug scrypt", "scrypt:2:1:1" + wscrypt, nil},
		{"werkzeug scrypt N", "scrypt:3:1:1" + wscrypt, ErrParameters},
		{"werkzeug scrypt N=1", "scrypt:1:1:1" + wscrypt, ErrParameters},
		{"werkzeug scrypt 2^31", "scrypt:2147483648:8:1" + wscrypt, ErrParameters},
		{"werkzeug scrypt 2^64", "scrypt:18446744073709551616:8:1" + wscrypt, ErrParameters},
		{"werkzeug scrypt sum", "scrypt:2:1:1$saltsalt$0a", ErrFormat},
		{"werkzeug scrypt capitals", "scrypt:2:1:1" + strings.ToUpper(wscrypt), ErrFormat},
		{"django scrypt", "scrypt$2$salt$1$1$" + dscrypt, nil},
		{"django scrypt r", "scrypt$2$salt$999999$1$" + dscrypt, ErrParameters},
		{"django scrypt memory", "scrypt$1048576$salt$8$1$" + dscrypt, ErrParameters},
		{"django-scrypt by py-scrypt", "scrypt$salt$16384$8$1$64$" + dscrypt, ErrFormat},

		{"pbkdf2 1", "$pbkdf2-sha256$i=1" + tail, nil},
		{"pbkdf2 3000000", "$pbkdf2-sha256$i=3000000" + tail, nil},
		{"pbkdf2 3000001", "$pbkdf2-sha256$i=3000001" + tail, ErrParameters},
		{"pbkdf2 2^31", "$pbkdf2-sha256$2147483648" + tail, ErrParameters},
		{"pbkdf2 blocks", "$pbkdf2$i=3000001,l=32" + tail, ErrParameters},
		{"pbkdf2 cut", "$pbkdf2-sha512$1" + tail, ErrFormat},
		{"pbkdf2 cut PHC", "$pbkdf2-sha512$i=1" + tail, ErrFormat},
		{"pbkdf2 0", "$pbkdf2-sha256$0" + tail, ErrFormat},
		{"pbkdf2 -1", "$pbkdf2-sha256$-1" + tail, ErrFormat},
		{"pbkdf2 no i", "$pbkdf2-sha256$l=32" + tail, ErrFormat},
		{"pbkdf2 empty l", "$pbkdf2-sha256$i=1,l=" + tail, ErrFormat},
		{"pbkdf2 other l", "$pbkdf2-sha256$i=1,l=64" + tail, ErrFormat},
		{"pbkdf2 other hash", "$pbkdf2-md5$1" + tail, ErrFormat},
		{"pbkdf2 point in PHC", "$pbkdf2-sha256$i=1" + salt + "." + sum, ErrFormat},
		{"pbkdf2 sum of 9", "$pbkdf2-sha256$i=1,l=9" + salt + "$AAAAAAAAAAAA", ErrParameters},
		{"pbkdf2 no salt", "$pbkdf2-sha256$1$" + sum, ErrParameters},
		{"pbkdf2 salt of 66", "$pbkdf2-sha256$1$" + strings.Repeat("A", 88) + sum, ErrParameters},
		{"django pbkdf2", "pbkdf2_sha256$1$salt" + dsum, nil},
		{"django pbkdf2 2^31", "pbkdf2_sha256$2147483647$salt" + dsum, ErrParameters},
		{"django pbkdf2 sha1 of 32", "pbkdf2_sha1$1$salt" + dsum, ErrFormat},
		{"django pbkdf2 sha512", "pbkdf2_sha512$1$salt" + dsum, ErrFormat},
		{"django pbkdf2 no salt", "pbkdf2_sha256$1$" + dsum, ErrParameters},
		{"werkzeug pbkdf2", "pbkdf2:sha256:1$saltsalt" + wsum, nil},
		{"werkzeug pbkdf2 default", "pbkdf2:sha256$saltsalt" + wsum, ErrFormat},
		{"werkzeug pbkdf2 md5", "pbkdf2:md5:1$saltsalt" + wsum, ErrFormat},
		{"werkzeug pbkdf2 10^9", "pbkdf2:sha256:1000000000$saltsalt" + wsum, ErrParameters},
		{"werkzeug pbkdf2 NUL", "pbkdf2:sha256:1$salt\x00" + wsum, ErrFormat},

		{"bcrypt_sha256", "bcrypt_sha256$$2b$16" + bc, nil},
		{"bcrypt_sha256 cost 31", "bcrypt_sha256$$2b$31" + bc, ErrParameters},
		{"bcrypt_sha256 2x", "bcrypt_sha256$$2x$04" + bc, ErrFormat},
		{"bcrypt_sha256 nested", "bcrypt_sha256$bcrypt_sha256$$2b$04" + bc, ErrFormat},
		{"Passlib's bcrypt-sha256", "$bcrypt-sha256$v=2,t=2b,r=12" + tail, ErrFormat},
		{"bcrypt cost 20", "bcrypt$$2b$20" + bc, ErrParameters},
		{"wp cost 31", "$wp$2y$31" + bc, ErrParameters},

		{"phpass 2^7", "$P$5saltsalt" + md5, nil},
		{"phpass 2^20", "$P$IsaltsalT" + md5, nil},
		{"phpass 2^6", "$P$4saltsalt" + md5, ErrParameters},
		{"phpass 2^21", "$P$Jsaltsalt" + md5, ErrParameters},
		{"phpass 2^30", "$P$Ssaltsalt" + md5, ErrParameters},
		{"phpass 2^63", "$H$zsaltsalt" + md5, ErrParameters},
		{"phpass other", "$P$!saltsalt" + md5, ErrFormat},
		{"phpass cut", "$P$5saltsalt" + md5[:21], ErrFormat},

		{"sha256-crypt", "$5$salt" + s256, nil},
		{"sha256-crypt rounds", "$5$rounds=1000000$salt" + s256, nil},
		{"sha512-crypt 2^31 rounds", "$6$rounds=2147483648$salt" + s512, ErrParameters},
		{"sha512-crypt 999999999", "$6$rounds=999999999$salt" + s512, ErrParameters},
		{"sha512-crypt 1000001", "$6$rounds=1000001$salt" + s512, ErrParameters},
		{"sha512-crypt 999", "$6$rounds=999$salt" + s512, ErrParameters},
		{"sha512-crypt 0", "$6$rounds=0$salt" + s512, ErrFormat},
		{"sha512-crypt 05000", "$6$rounds=05000$salt" + s512, ErrFormat},
		{"sha512-crypt salt of 17", "$6$seventeen-letters" + s512, ErrParameters},
		{"sha512-crypt no salt", "$6$" + s512, ErrParameters},
		{"sha512-crypt no sum", "$6$salt$", ErrFormat},
		{"sha512-crypt short", "$6$salt" + s256, ErrFormat},
		{"sha512-crypt unused bits", "$6$salt" + s512[:86] + "5", ErrFormat},
		{"sha256-crypt unused bits", "$5$salt" + s256[:43] + "F", ErrFormat},
		{"md5-crypt", "$1$saltsalt$" + md5, nil},
		{"md5-crypt salt of 9", "$1$saltsalt9$" + md5, ErrParameters},
		{"md5-crypt unused bits", "$1$saltsalt$" + md5[:21] + "2", ErrFormat},
		{"apr1 cut", "$apr1$saltsalt$" + md5[:20], ErrFormat},
		{"yescrypt", "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7", ErrFormat},

		{"ssha", "{SSHA}qiNdtNN2HqkR/U+pQ8WNTdwTueBxbr0Q", nil},
		{"ssha without salt", "{SSHA}qiNdtNN2HqkR/U+pQ8WNTdwTueA=", ErrParameters},
		{"ssha cut", "{SSHA}qiNdtNN2HqkR/U+pQ8WN", ErrFormat},
		{"ssha without padding", "{SSHA}qiNdtNN2HqkR/U+pQ8WNTdwTueBxbr0", ErrFormat},
		{"sha", "{SHA}qiNdtNN2HqkR/U+pQ8WNTdwTueA=", ErrFormat},
		{"open brace", "{SSHA", ErrFormat},
	} {
		if _, err := parseForeign(tt.encoded); !errors.Is(err, tt.want) {
			t.Errorf("%s: parseForeign(%.99q) = %v, want %v", tt.name, tt.encoded, err, tt.want)
		}
	}
}

// A password on which more would be spent than the bounds mean to allow matches
// nothing.
func TestForeignLongPasswords(t *testing.T) {
	t.Parallel()
	long := []byte(strings.Repeat("x", 4096))
	if shaCrypt(nil, long, nil, shaCryptMaxRounds) != nil || phpass(long, nil, 1<<phpassMaxLog) != nil {
		t.Error("computed a sum")
	}
	if phpass(long, nil, 1<<phpassMinLog) == nil {
		t.Error("computed no sum of few rounds")
	}
}

// The one algorithm that is written out here and that go-crypt/x has too.
func TestMD5CryptAgainstLibrary(t *testing.T) {
	t.Parallel()
	for n := range 140 {
		p, salt := []byte(count(n)), []byte("salt-of-8"[:1+n%8])
		if got, want := md5Crypt("$1$", p, salt), crypt.KeyMD5Crypt(p, salt); !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %s, want %s", n, got, want)
		}
	}
}

// shared keeps the number of pools small.
var shared = sync.OnceValues(func() (*Hasher, error) { return New(cheapConfig(Bcrypt)) })

// foreignMatches reports whether the password is that of f.
func foreignMatches(f foreign, password []byte) bool {
	h, err := shared()
	if err != nil {
		panic(err)
	}
	ok, err := h.run(context.Background(), h.foreignSteps(f, guess{}), password)
	if err != nil {
		panic(err)
	}
	return ok
}

// At the public edge, a string of other software is matched by the bytes as sent, costs what an unknown user does and its
// own hash, and is to be renewed; [Hasher.Verify] does not take it.
func TestVerifyImportedForeign(t *testing.T) {
	t.Parallel()
	h := cheap(t, Bcrypt)
	const ssha = "{SSHA}"
	for _, v := range ldapVectors() {
		if !strings.HasPrefix(v.encoded, ssha) || !v.want {
			continue
		}
		ops := watch(h)
		ok, err := h.VerifyImported(t.Context(), v.encoded, v.password)
		want := "b4 LDAP-SSHA "
		if len(v.password) > bcryptBytes {
			want = "b4 a LDAP-SSHA "
		}
		if !ok || err != nil || letters(*ops) != want {
			t.Errorf("%q: %v, %v after %q", v.encoded, ok, err, letters(*ops))
		}
		if ok, err := h.VerifyImported(t.Context(), v.encoded, v.password+"x"); ok || err != nil {
			t.Errorf("%q with a wrong password: %v, %v", v.encoded, ok, err)
		}
		if !h.NeedsRehash(v.encoded) {
			t.Errorf("%q need not be renewed", v.encoded)
		}
		if _, err := h.Verify(t.Context(), v.encoded, v.password); !errors.Is(err, ErrFormat) {
			t.Errorf("Verify(%q): %v", v.encoded, err)
		}
		h.observe = nil
	}
	for encoded, want := range map[string]error{
		"":       ErrFormat,
		"{SSHA}": ErrFormat,
		"$scrypt$ln=31,r=8,p=1$c29tZXNhbHRzYWx0$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4": ErrParameters,
		"$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW":                       ErrParameters,
	} {
		if _, err := h.VerifyImported(t.Context(), encoded, "x"); !errors.Is(err, want) {
			t.Errorf("%q: %v", encoded, err)
		}
	}
}
