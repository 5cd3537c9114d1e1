package password

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/text/unicode/norm"
)

// cheapConfig returns a configuration for tests, of no strength.
func cheapConfig(a Algorithm) Config {
	return Config{Algorithm: a, BcryptCost: 4, Argon2: Argon2Params{MemoryKiB: 8, Time: 1, Threads: 1}}
}

func cheap(t testing.TB, a Algorithm) *Hasher {
	t.Helper()
	return mustNew(t, cheapConfig(a))
}

func mustNew(t testing.TB, c Config) *Hasher {
	t.Helper()
	h, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func mustHash(t testing.TB, h *Hasher, password string) string {
	t.Helper()
	encoded, err := h.Hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func TestNew(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		config Config
		want   string // in the error; empty for none
	}{
		{"zero", Config{}, ""},
		{"least", Config{BcryptCost: 4}, ""},
		{"greatest", Config{BcryptCost: 16, Argon2: Argon2Params{256 << 10, 4, 16}}, ""},
		{"algorithm", Config{Algorithm: "scrypt"}, `algorithm "scrypt"`},
		{"cost low", Config{BcryptCost: 3}, "bcrypt cost 3"},
		{"cost negative", Config{BcryptCost: -1}, "bcrypt cost -1"},
		{"cost high", Config{BcryptCost: 17}, "bcrypt cost 17"},
		{"memory low", Config{Argon2: Argon2Params{MemoryKiB: 15, Threads: 2}}, "memory of 15 KiB"},
		{"memory high", Config{Argon2: Argon2Params{MemoryKiB: 256<<10 + 1}}, "memory of 262145 KiB"},
		{"time", Config{Argon2: Argon2Params{Time: 65}}, "time 65"},
		{"threads", Config{Argon2: Argon2Params{Threads: 17}}, "threads 17"},
		{"product", Config{Argon2: Argon2Params{MemoryKiB: 256 << 10, Time: 5}}, "times time 5"},
		{"rand", Config{Rand: iotest.ErrReader(errors.New("dry"))}, "dry"},
	} {
		h, err := New(tt.config)
		switch {
		case tt.want == "" && (err != nil || h == nil):
			t.Errorf("%s: %v", tt.name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: error %v does not say %q", tt.name, err, tt.want)
		}
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	h := mustNew(t, Config{})
	if h.algorithm != Bcrypt || h.cost != 10 || h.argon2 != (Argon2Params{19456, 2, 1}) {
		t.Errorf("zero Config is %v %v %v", h.algorithm, h.cost, h.argon2)
	}
	for _, d := range []record{h.dummyBcrypt, h.dummyArgon2id} {
		if _, err := parse(d.String()); err != nil || h.NeedsRehash(d.String()) != (d.algorithm == Argon2id) {
			t.Errorf("dummy %v is not like a stored hash: %v", d, err)
		}
	}
}

func TestHashForms(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		algorithm Algorithm
		length    int
		prefix    string
		long      bool
	}{
		{Bcrypt, 1, "$2b$04$", false},
		{Bcrypt, 71, "$2b$04$", false},
		{Bcrypt, 72, "$2b$04$", false},
		{Bcrypt, 73, "$argon2id$v=19$m=8,t=1,p=1$", true},
		{Bcrypt, 1024, "$argon2id$v=19$m=8,t=1,p=1$", true},
		{Argon2id, 1, "$argon2id$v=19$m=8,t=1,p=1$", false},
		{Argon2id, 73, "$argon2id$v=19$m=8,t=1,p=1$", false},
	} {
		t.Run(fmt.Sprint(tt.algorithm, tt.length), func(t *testing.T) {
			t.Parallel()
			h, password := cheap(t, tt.algorithm), count(tt.length)
			one, two := mustHash(t, h, password), mustHash(t, h, password)
			if one == two {
				t.Error("two hashes of one password are equal")
			}
			if !strings.HasPrefix(one, tt.prefix) {
				t.Errorf("Hash = %q, want prefix %q", one, tt.prefix)
			}
			if r, err := parse(one); err != nil || r.long != tt.long || r.String() != one {
				t.Errorf("parse(%q) = %+v, %v", one, r, err)
			}
			verifyOnly(t, h, one, password)
		})
	}
}

// verifyOnly checks that encoded matches password and nothing close to it.
func verifyOnly(t *testing.T, h *Hasher, encoded, password string) {
	t.Helper()
	for guess, want := range map[string]bool{
		password:                              true,
		password + "x":                        false,
		password + " ":                        false,
		" " + password:                        false,
		password + "\x00":                     false,
		password + "\x00" + password:          false,
		password[:len(password)-1]:            false,
		password[:len(password)-1] + "\u00df": false,
	} {
		if got, err := h.Verify(t.Context(), encoded, guess); err != nil || got != want {
			t.Errorf("Verify(%q, %q) = %v, %v; want %v", encoded, guess, got, err, want)
		}
	}
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	for _, a := range []Algorithm{Bcrypt, Argon2id} {
		h := cheap(t, a)
		for _, password := range []string{
			"PassWord", "   ", "tab\tand\nnewline\r\n", "correct horse battery staple",
			strings.Repeat("🙂", 64), strings.Repeat("é", 36), "пароль", "\ufeffbom", "\u2126", "\x7f\x01",
		} {
			encoded := mustHash(t, h, password)
			for guess, want := range map[string]bool{password: true, strings.TrimSpace(password) + " ": false} {
				if ok, err := h.Verify(t.Context(), encoded, guess); err != nil || ok != want {
					t.Errorf("%v: Verify(hash of %q, %q) = %v, %v", a, password, guess, ok, err)
				}
			}
		}
		encoded := mustHash(t, h, "PassWord")
		for _, guess := range []string{"password", "PASSWORD", "passWord"} {
			if ok, _ := h.Verify(t.Context(), encoded, guess); ok {
				t.Errorf("%q matches PassWord", guess)
			}
		}
	}
}

func TestNormalization(t *testing.T) {
	t.Parallel()
	h := cheap(t, Bcrypt)
	forms := func(s string) [2]string { return [2]string{norm.NFC.String(s), norm.NFD.String(s)} }
	for _, pair := range [][2]string{
		forms("Ångström café"),
		forms("각하 비밀번호"),
		forms(strings.Repeat("é", 36)), // 72 bytes in form C, 108 in form D
		forms(strings.Repeat("é", 37)), // 74 bytes in form C
		{"\u212b", "\u00c5"},           // the ångström sign and the letter
	} {
		for i := range pair {
			encoded := mustHash(t, h, pair[i])
			if ok, err := h.Verify(t.Context(), encoded, pair[1-i]); err != nil || !ok {
				t.Errorf("hash of %+q does not match %+q: %v", pair[i], pair[1-i], err)
			}
		}
	}
	if s := mustHash(t, h, norm.NFD.String(strings.Repeat("é", 36))); !strings.HasPrefix(s, "$2b$") {
		t.Errorf("72 bytes of form C are hashed as %q", s)
	}
	// Compatibility forms stay apart.
	if ok, _ := h.Verify(t.Context(), mustHash(t, h, "\ufb01sh"), "fish"); ok {
		t.Error("the ligature fi matches the letters")
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, password string
		want           error
	}{
		{"one byte", "a", nil},
		{"1024 bytes", count(1024), nil},
		{"1024 bytes of form C", norm.NFD.String(strings.Repeat("é", 512)), nil},
		{"empty", "", ErrEmpty},
		{"1025 bytes", count(1025), ErrTooLong},
		{"1025 bytes of form C", norm.NFD.String(strings.Repeat("é", 512)) + "a", ErrTooLong},
		{"a megabyte", strings.Repeat("e\u0301", 1<<18), ErrTooLong},
		{"NUL within", "abc\x00abc", ErrNUL},
		{"NUL last", "abc\x00", ErrNUL},
		{"Latin-1", "caf\xe9", ErrEncoding},
		{"surrogate", "\xed\xa0\x80", ErrEncoding},
		{"overlong NUL", "a\xc0\x80", ErrEncoding},
	} {
		h := cheap(t, Bcrypt)
		ops := watch(h)
		if err := Check(tt.password); !errors.Is(err, tt.want) {
			t.Errorf("%s: Check = %v, want %v", tt.name, err, tt.want)
		}
		encoded, err := h.Hash(t.Context(), tt.password)
		if !errors.Is(err, tt.want) || (err == nil) == (encoded == "") {
			t.Errorf("%s: Hash = %q, %v, want %v", tt.name, encoded, err, tt.want)
		}
		if n := len(*ops); (n == 0) != (tt.want != nil) {
			t.Errorf("%s: %d hash operations", tt.name, n)
		}
	}
}

// The bound on what is normalized at all must not refuse a password whose
// normalized form is within MaxBytes.
func TestNormalizationShrinksByLessThanFour(t *testing.T) {
	t.Parallel()
	longest := map[string]int{}              // of the code points that decompose, by form D
	for r := rune(0xa0); r <= 0x2ffff; r++ { // no decompositions beyond
		if c := string(r); !norm.NFD.IsNormalString(c) {
			d := norm.NFD.String(c)
			longest[d] = max(longest[d], len(c))
		}
	}
	for d := range longest {
		runes := []rune(d)
		best := make([]int, len(runes)+1) // for the first code points of d
		for i, r := range runes {
			best[i+1] = max(best[i+1], best[i]+len(string(r)))
			for j := i + 1; j <= len(runes); j++ {
				if n := longest[string(runes[i:j])]; n > 0 {
					best[j] = max(best[j], best[i]+n)
				}
			}
		}
		if n := len(norm.NFC.String(d)); best[len(runes)] >= 4*n {
			t.Errorf("%+q: %d bytes become %d", d, best[len(runes)], n)
		}
	}
	if len(longest) < 13000 { // 11172 of them Hangul
		t.Errorf("only %d decompositions", len(longest))
	}
}

func TestRandFails(t *testing.T) {
	t.Parallel()
	h := cheap(t, Bcrypt)
	h.rand = iotest.ErrReader(errors.New("dry"))
	for _, password := range []string{"short", count(73)} {
		if s, err := h.Hash(t.Context(), password); s != "" || err == nil {
			t.Errorf("Hash without salt = %q, %v", s, err)
		}
	}
}

func TestRand(t *testing.T) {
	t.Parallel()
	c := cheapConfig(Bcrypt)
	c.Rand = strings.NewReader(strings.Repeat("sixteen bytes ok", 8))
	got := mustHash(t, mustNew(t, c), "password")
	r, err := parse(got)
	if err != nil || !strings.Contains("sixteen bytes oksixteen bytes ok", string(r.salt)) {
		t.Errorf("salt is %q: %v", r.salt, err)
	}
}

// Errors carry neither passwords nor hashes into logs.
func TestErrorsKeepSecrets(t *testing.T) {
	t.Parallel()
	h := cheap(t, Bcrypt)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	const secret = "Zq9"
	var errs []error
	add := func(_ any, err error) { errs = append(errs, err) }
	add(h.Hash(ended, secret))
	add(h.Hash(t.Context(), secret+"\x00"))
	add(h.Hash(t.Context(), secret+"\xff"))
	add(h.Hash(t.Context(), strings.Repeat(secret, 1024)))
	for _, encoded := range []string{
		secret, "$2b$04$" + secret, "$2b$99$" + strings.Repeat("Z", 50) + secret,
		"$2b$04$" + strings.Repeat("!", 50) + secret, "$argon2id$" + secret,
		"$argon2id$v=19$m=8,t=1,p=1$" + secret + "!$" + secret, "$argon2id$v=19$m=8,t=1," + secret + "=1$$",
		"$argon2id$v=19$m=8,t=1,p=99$c29tZXNhbHQ$" + secret, strings.Repeat(secret, 1000),
	} {
		add(h.Verify(t.Context(), encoded, "guess"))
	}
	for _, err := range errs {
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("error %v", err)
		}
	}
}
