package password

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/unicode/norm"
)

// watch records the hash operations of h, which must not be in use yet.
func watch(h *Hasher) *[]operation {
	var (
		mu  sync.Mutex
		ops []operation
	)
	h.observe = func(o operation) {
		mu.Lock()
		defer mu.Unlock()
		ops = append(ops, o)
	}
	return &ops
}

// effort is what operations come to, whether on stored hashes or dummies.
type effort struct {
	Rounds int // of bcrypt
	Argon2 []Argon2Params
}

func sum(ops []operation) (w effort) {
	for _, o := range ops {
		if o.Algorithm == Bcrypt {
			w.Rounds += 1 << o.Cost
		} else {
			w.Argon2 = append(w.Argon2, o.Argon2)
		}
	}
	return w
}

func onStored(ops []operation) (n int) {
	for _, o := range ops {
		if o.Real {
			n++
		}
	}
	return n
}

// guesses are of every kind that the code tells apart.
func guesses() map[string]string {
	return map[string]string{
		"empty": "", "short": "guess", "71": count(71), "72": count(72), "73": count(73),
		"1024": count(1024), "1025": count(1025), "huge": strings.Repeat("x", 1<<20),
		"NUL":           "a\x00b",
		"NUL, long":     "a\x00" + count(73),
		"Latin-1":       "caf\xe9",
		"Latin-1, long": "caf\xe9" + count(73),
		"108 to 72":     norm.NFD.String(strings.Repeat("é", 36)),
		"111 to 74":     norm.NFD.String(strings.Repeat("é", 37)),
		"60 to 180":     strings.Repeat("\U0001d160", 15),
		"short right":   "right",
		"long right":    "right" + count(100),
	}
}

// TestEqualWork is the promise of the package documentation: for any guess, what
// is stored does not show in the work.
func TestEqualWork(t *testing.T) {
	t.Parallel()
	config := cheapConfig(Bcrypt)
	config.BcryptCost = 6
	params := config.Argon2
	expect := func(a Algorithm, normal int) effort {
		switch {
		case normal > MaxBytes:
			return effort{}
		case a == Argon2id:
			return effort{Argon2: []Argon2Params{params}}
		case normal > 72:
			return effort{Rounds: 1 << 6, Argon2: []Argon2Params{params}}
		}
		return effort{Rounds: 1 << 6}
	}
	for _, a := range []Algorithm{Bcrypt, Argon2id} {
		config := config
		config.Algorithm = a
		stored := map[string]string{
			"own":      mustHash(t, mustNew(t, config), "right"),
			"own long": mustHash(t, mustNew(t, config), "right"+count(100)),
		}
		if a == Bcrypt {
			low := config
			low.BcryptCost = 4
			stored["own of lower cost"] = mustHash(t, mustNew(t, low), "right")
			stored["imported"] = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
			stored["imported 2x"] = "$2x$05$6bNw2HLQYeqHYyBfLMsv/OiwqTymGIGzFsA4hOTWebfehXHNprcAS"
		} else {
			// Made under bcrypt before the setting was changed.
			was := config
			was.Algorithm = Bcrypt
			stored["marked"] = mustHash(t, mustNew(t, was), "right"+count(100))
		}
		for name, guess := range guesses() {
			t.Run(fmt.Sprint(a, "/", name), func(t *testing.T) {
				t.Parallel()
				want := expect(a, len(norm.NFC.String(guess)))
				h := mustNew(t, config)
				ops := watch(h)
				if err := h.VerifyAbsent(t.Context(), guess); err != nil {
					t.Error(err)
				}
				if d := cmp.Diff(want, sum(*ops)); d != "" || onStored(*ops) != 0 {
					t.Errorf("absent: %v %s", *ops, d)
				}
				for kind, encoded := range stored {
					verify := h.Verify
					if strings.HasPrefix(kind, "imported") {
						verify = h.VerifyImported
					}
					*ops = nil
					if _, err := verify(t.Context(), encoded, guess); err != nil {
						t.Error(err)
					}
					if d := cmp.Diff(want, sum(*ops)); d != "" {
						t.Errorf("%s: %v %s", kind, *ops, d)
					}
				}
			})
		}
	}
}

// TestWork tells which operations are on the stored hash, and what the cases
// cost for which the package documentation admits a difference.
func TestWork(t *testing.T) {
	t.Parallel()
	b, a := cheapConfig(Bcrypt), cheapConfig(Argon2id)
	high := b
	high.BcryptCost = 5
	short, long := "right", "right"+count(100)
	bShort, bLong := mustHash(t, mustNew(t, b), short), mustHash(t, mustNew(t, b), long)
	aShort, aLong := mustHash(t, mustNew(t, a), short), mustHash(t, mustNew(t, a), long)
	highShort := mustHash(t, mustNew(t, high), short)
	const (
		dummyB, dummyA = "b4 ", "a "
		realB, realA   = "B4 ", "A "
	)
	for _, tt := range []struct {
		name           string
		config         Config
		encoded, guess string
		imported       bool
		want           string
		ok             bool
	}{
		{"bcrypt, right", b, bShort, short, false, realB, true},
		{"bcrypt, wrong", b, bShort, "wrong", false, realB, false},
		{"bcrypt, long", b, bShort, long, false, dummyB + dummyA, false},
		{"long, right", b, bLong, long, false, dummyB + realA, true},
		{"long, wrong", b, bLong, long + "x", false, dummyB + realA, false},
		{"long, short", b, bLong, short, false, dummyB, false},
		{"imported, short", b, bShort, short, true, realB, true},
		{"imported, long", b, bShort, long, true, realB + dummyA, false},
		{"lower cost", high, bShort, short, false, realB + dummyB, true},
		{"argon2id, right", a, aShort, short, false, realA, true},
		{"argon2id, long", a, aLong, long, false, realA, true},
		{"argon2id, marked, right", a, bLong, long, false, realA, true},
		{"argon2id, marked, short", a, bLong, short, false, dummyA, false},
		{"argon2id, bcrypt, long", a, bShort, long, false, dummyA, false},

		// What remains to be seen until the string is renewed.
		{"left argon2id, short", b, aShort, short, false, realA, true},
		{"left argon2id, of a long one, short", b, aLong, short, false, realA, false},
		{"left argon2id, of a long one, long", b, aLong, long, false, dummyB + realA, true},
		{"left bcrypt, short", a, bShort, short, false, realB, true},
		{"higher cost", b, highShort, short, false, "B5 ", true},
	} {
		h := mustNew(t, tt.config)
		ops := watch(h)
		verify := h.Verify
		if tt.imported {
			verify = h.VerifyImported
		}
		ok, err := verify(t.Context(), tt.encoded, tt.guess)
		if err != nil || ok != tt.ok || letters(*ops) != tt.want {
			t.Errorf("%s: %v, %v, operations %q; want %v, %q", tt.name, ok, err, letters(*ops), tt.ok, tt.want)
		}
	}
}

// letters writes operations as b4 and a, in capitals where they are real.
func letters(ops []operation) string {
	var b strings.Builder
	for _, o := range ops {
		s := "a "
		switch o.Algorithm {
		case Bcrypt:
			s = fmt.Sprintf("b%d ", o.Cost)
		case Argon2id:
		default:
			s = string(o.Algorithm) + " "
		}
		if o.Real {
			s = strings.ToUpper(s)
		}
		b.WriteString(s)
	}
	return b.String()
}

// Not even a guess that happens to be what a dummy is the hash of matches.
func TestDummiesNeverMatch(t *testing.T) {
	t.Parallel()
	h := cheap(t, Bcrypt)
	short, long := mustHash(t, h, "stored"), mustHash(t, h, count(100))
	h.dummyBcrypt.sum = h.compute(&h.dummyBcrypt, []byte("guess"), false)
	if ok, err := h.Verify(t.Context(), long, "guess"); ok || err != nil {
		t.Errorf("bcrypt: %v, %v", ok, err)
	}
	h.dummyArgon2id.sum = h.compute(&h.dummyArgon2id, []byte(count(73)), false)
	if ok, err := h.Verify(t.Context(), short, count(73)); ok || err != nil {
		t.Errorf("argon2id: %v, %v", ok, err)
	}
}

func TestNeedsRehash(t *testing.T) {
	t.Parallel()
	base := cheapConfig(Bcrypt)
	with := func(change func(*Config)) Config { c := base; change(&c); return c }
	configs := []Config{
		base,
		with(func(c *Config) { c.BcryptCost = 5 }),
		with(func(c *Config) { c.Argon2.MemoryKiB = 16 }),
		with(func(c *Config) { c.Algorithm = Argon2id }),
		with(func(c *Config) { c.Algorithm = Argon2id; c.Argon2.Time = 2 }),
		with(func(c *Config) { c.Algorithm = Argon2id; c.Argon2 = Argon2Params{32, 1, 2} }),
	}
	// What a configuration writes it leaves alone, whatever the password, so that
	// renewal ends.
	for _, c := range configs {
		h := mustNew(t, c)
		for _, password := range []string{"x", count(72), count(73), count(1024)} {
			if encoded := mustHash(t, h, password); h.NeedsRehash(encoded) {
				t.Errorf("%v: own hash %q is to be renewed", c, encoded)
			}
		}
	}
	hb, ha := mustNew(t, configs[0]), mustNew(t, configs[3])
	for _, tt := range []struct {
		name    string
		h       *Hasher
		encoded string
		want    bool
	}{
		{"2a", hb, strings.Replace(mustHash(t, hb, "x"), "$2b$", "$2a$", 1), true},
		{"2x", hb, strings.Replace(mustHash(t, hb, "x"), "$2b$", "$2x$", 1), true},
		{"2y", hb, strings.Replace(mustHash(t, hb, "x"), "$2b$", "$2y$", 1), true},
		{"lower cost", mustNew(t, configs[1]), mustHash(t, hb, "x"), true},
		{"higher cost", hb, mustHash(t, mustNew(t, configs[1]), "x"), true},
		{"bcrypt under argon2id", ha, mustHash(t, hb, "x"), true},
		{"short argon2id under bcrypt", hb, mustHash(t, ha, "x"), true},
		{"unmarked long argon2id under bcrypt", hb, mustHash(t, ha, count(73)), true},
		{"marked argon2id under argon2id", ha, mustHash(t, hb, count(73)), false},
		{"marked, other memory", mustNew(t, configs[2]), mustHash(t, hb, count(73)), true},
		{"other time", mustNew(t, configs[4]), mustHash(t, ha, "x"), true},
		{"short salt", ha, "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", true},
		{"short sum", ha, "$argon2id$v=19$m=8,t=1,p=1$c2l4dGVlbiBieXRlcyBvaw$c2l4dGVlbiBieXRlcyBvaw", true},
		{"malformed", hb, "x", true},
	} {
		ops := watch(tt.h)
		if got := tt.h.NeedsRehash(tt.encoded); got != tt.want || len(*ops) > 0 {
			t.Errorf("%s: NeedsRehash(%q) = %v after %v", tt.name, tt.encoded, got, *ops)
		}
		tt.h.observe = nil
	}
}

// compute returns the sum of the password under the parameters and salt of r.
func (h *Hasher) compute(r *record, password []byte, stored bool) (sum []byte) {
	t := &task{}
	t.add(h.work(step{record: *r, real: stored}, password, func(b []byte) { sum = append(sum, b...) }))
	if err := h.pool.run(context.Background(), t); err != nil {
		panic(err)
	}
	return sum
}
