package password

import (
	"errors"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	const (
		salt = "CCCCCCCCCCCCCCCCCCCCC."
		sum  = "E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
		b    = "$2b$05$" + salt + sum

		asalt = "c2l4dGVlbiBieXRlcyBvaw"
		asum  = "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
		tail  = "$" + asalt + "$" + asum
		a     = "$argon2id$v=19$m=8,t=1,p=1" + tail
	)
	for _, tt := range []struct {
		name, encoded string
		want          error
	}{
		{"2a", "$2a" + b[3:], nil},
		{"2b", b, nil},
		{"2x", "$2x" + b[3:], nil},
		{"2y", "$2y" + b[3:], nil},
		{"2", "$2$05$" + salt + sum, ErrFormat},
		{"2c", "$2c" + b[3:], ErrFormat},
		{"2A", "$2A" + b[3:], ErrFormat},
		{"empty", "", ErrFormat},
		{"dollars", strings.Repeat("$", 60), ErrFormat},
		{"prefix", "$2b$05$", ErrFormat},
		{"one short", b[:59], ErrFormat},
		{"one more", b + "a", ErrFormat},
		{"newline", b + "\n", ErrFormat},
		{"newline within", b[:59] + "\n", ErrFormat},
		{"leading space", " " + b, ErrFormat},
		{"cost of a sign", "$2b$+5$" + salt + sum, ErrFormat},
		{"cost of a space", "$2b$ 5$" + salt + sum, ErrFormat},
		{"separator", "$2b$05." + salt + sum, ErrFormat},
		{"underscore", b[:59] + "_", ErrFormat},
		{"plus", "$2b$05$+CCCCCCCCCCCCCCCCCCCC." + sum, ErrFormat},
		{"NUL", b[:30] + "\x00" + b[31:], ErrFormat},
		{"unused bits of the salt", "$2b$05$" + salt[:21] + "/" + sum, nil},
		{"unused bits of the sum", b[:59] + "X", ErrFormat},
		{"cost 3", "$2b$03$" + salt + sum, ErrParameters},
		{"cost 4", "$2b$04$" + salt + sum, nil},
		{"cost 16", "$2b$16$" + salt + sum, nil},
		{"cost 17", "$2b$17$" + salt + sum, ErrParameters},
		{"cost 20", "$2b$20$" + salt + sum, ErrParameters},
		{"cost 31", "$2b$31$" + salt + sum, ErrParameters},
		{"cost 99", "$2b$99$" + salt + sum, ErrParameters},

		{"argon2id", a, nil},
		{"p before t", "$argon2id$v=19$m=8,p=1,t=1" + tail, nil},
		{"argon2d", strings.Replace(a, "2id", "2d", 1), ErrFormat},
		{"version 16", strings.Replace(a, "19", "16", 1), ErrFormat},
		{"no version", strings.Replace(a, "v=19$", "", 1), ErrFormat},
		{"field more", a + "$", ErrFormat},
		{"field less", "$argon2id$v=19$m=8,t=1,p=1$" + asalt, ErrFormat},
		{"no p", "$argon2id$v=19$m=8,t=1" + tail, ErrFormat},
		{"two t", "$argon2id$v=19$m=8,t=1,t=1" + tail, ErrFormat},
		{"key id", "$argon2id$v=19$m=8,t=1,p=1,keyid=AA" + tail, ErrFormat},
		{"no number", "$argon2id$v=19$m=,t=1,p=1" + tail, ErrFormat},
		{"leading zero", "$argon2id$v=19$m=08,t=1,p=1" + tail, ErrFormat},
		{"time 0", "$argon2id$v=19$m=8,t=0,p=1" + tail, ErrFormat},
		{"sign", "$argon2id$v=19$m=+8,t=1,p=1" + tail, ErrFormat},
		{"hexadecimal", "$argon2id$v=19$m=0x8,t=1,p=1" + tail, ErrFormat},
		{"memory for threads", "$argon2id$v=19$m=15,t=1,p=2" + tail, ErrParameters},
		{"256 MiB", "$argon2id$v=19$m=262144,t=4,p=1" + tail, nil},
		{"256 MiB, time 5", "$argon2id$v=19$m=262144,t=5,p=1" + tail, ErrParameters},
		{"over 256 MiB", "$argon2id$v=19$m=262145,t=1,p=1" + tail, ErrParameters},
		{"8 GiB", "$argon2id$v=19$m=8388608,t=1,p=1" + tail, ErrParameters},
		{"33 bits", "$argon2id$v=19$m=4294967304,t=1,p=1" + tail, ErrParameters},
		{"digits", "$argon2id$v=19$m=" + strings.Repeat("9", 99) + ",t=1,p=1" + tail, ErrParameters},
		{"time 64", "$argon2id$v=19$m=8,t=64,p=1" + tail, nil},
		{"time 65", "$argon2id$v=19$m=8,t=65,p=1" + tail, ErrParameters},
		{"16 threads", "$argon2id$v=19$m=128,t=1,p=16" + tail, nil},
		{"17 threads", "$argon2id$v=19$m=262144,t=1,p=17" + tail, ErrParameters},
		{"257 threads", "$argon2id$v=19$m=262144,t=1,p=257" + tail, ErrParameters},
		{"padding", "$argon2id$v=19$m=8,t=1,p=1$" + asalt + "==$" + asum, ErrFormat},
		{"newline in salt", "$argon2id$v=19$m=8,t=1,p=1$" + asalt[:4] + "\n" + asalt[4:] + "$" + asum, ErrFormat},
		{"unused bits", "$argon2id$v=19$m=8,t=1,p=1$" + asalt[:21] + "x$" + asum, ErrFormat},
		{"base64url", "$argon2id$v=19$m=8,t=1,p=1$" + asalt + "$" + strings.ReplaceAll(asum, "/", "_"), ErrFormat},
		{"no salt", "$argon2id$v=19$m=8,t=1,p=1$$" + asum, ErrParameters},
		{"salt of 7", "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAA$" + asum, ErrParameters},
		{"no sum", "$argon2id$v=19$m=8,t=1,p=1$" + asalt + "$", ErrParameters},
		{"sum of 15", "$argon2id$v=19$m=8,t=1,p=1$" + asalt + "$AAAAAAAAAAAAAAAAAAAA", ErrParameters},
		{"sum of 66", "$argon2id$v=19$m=8,t=1,p=1$" + asalt + "$" + strings.Repeat("A", 88), ErrParameters},
		{"a megabyte", a + strings.Repeat("A", 1<<20), ErrFormat},

		{"plain", "password", ErrFormat},
	} {
		h := cheap(t, Bcrypt)
		ops := watch(h)
		if _, err := parse(tt.encoded); !errors.Is(err, tt.want) {
			t.Errorf("%s: parse(%.99q) = %v, want %v", tt.name, tt.encoded, err, tt.want)
			continue // and do not hash with what was let through
		}
		if tt.want == nil {
			continue
		}
		for _, verify := range verifiers(h) {
			if ok, err := verify(t.Context(), tt.encoded, "password"); ok || !errors.Is(err, tt.want) || len(*ops) > 0 {
				t.Errorf("%s: %v, %v after %v", tt.name, ok, err, *ops)
			}
		}
	}
}

// The mark in the salt of a long password's hash is not taken for another's.
func TestLongMark(t *testing.T) {
	t.Parallel()
	h := cheap(t, Bcrypt)
	r, err := parse(mustHash(t, h, count(73)))
	if err != nil || !r.long {
		t.Fatalf("%+v, %v", r, err)
	}
	for i := range r.salt {
		r.salt[i] ^= 1
		if other, err := parse(r.String()); err != nil || other.long {
			t.Errorf("salt with byte %d changed: long = %v, %v", i, other.long, err)
		}
		r.salt[i] ^= 1
	}
	// Other software's hash with a salt of 24 bytes, of a short password.
	r.salt[20] ^= 1
	r.sum = h.compute(&r, []byte("short"), true)
	if ok, err := h.Verify(t.Context(), r.String(), "short"); err != nil || !ok {
		t.Errorf("Verify = %v, %v", ok, err)
	}
}
