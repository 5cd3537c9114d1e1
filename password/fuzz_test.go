package password

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	xbcrypt "golang.org/x/crypto/bcrypt"
)

func FuzzParse(f *testing.F) {
	for _, v := range append(blowfishVectors(), nodeVectors()...) {
		f.Add(v.encoded)
	}
	f.Add("$argon2id$v=19$m=4294967295,t=4294967295,p=255$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
	f.Add("$2b$31$CCCCCCCCCCCCCCCCCCCCC/E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")
	f.Fuzz(func(t *testing.T, encoded string) {
		r, err := parse(encoded)
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrParameters) {
				t.Errorf("error %v", err)
			}
			return
		}
		switch r.algorithm {
		case Bcrypt:
			if r.cost < 4 || r.cost > 16 || len(r.salt) != 16 || len(r.sum) != 23 || len(encoded) != 60 {
				t.Errorf("out of bounds: %+v", r)
			}
		case Argon2id:
			if p := r.argon2; p.check() != nil || uint64(p.MemoryKiB)*uint64(p.Time) > 1<<20 ||
				len(r.salt) < 8 || len(r.salt) > 64 || len(r.sum) < 16 || len(r.sum) > 64 {
				t.Errorf("out of bounds: %+v", r)
			}
		default:
			t.Errorf("algorithm %q", r.algorithm)
		}
		again, err := parse(r.String())
		if err != nil || again.String() != r.String() || !bytes.Equal(again.sum, r.sum) {
			t.Errorf("%q becomes %q, then %q: %v", encoded, r.String(), again.String(), err)
		}
	})
}

// FuzzBcrypt holds hash and verification against x/crypto/bcrypt.
func FuzzBcrypt(f *testing.F) {
	salt := []byte("sixteen bytes ok")
	for _, n := range []int{1, 17, 71, 72, 73, 300, 1024, 1025} {
		f.Add([]byte(count(n)), []byte(count(n)), salt)
		f.Add([]byte(count(n)), []byte(count(n+1)), salt)
	}
	f.Add([]byte("abc"), []byte("abc\x00abc"), salt)
	f.Add([]byte("\xa3"), []byte("\xff\xff\xa3"), salt)
	f.Add([]byte(""), []byte(""), salt)
	h := cheap(f, Bcrypt)
	f.Fuzz(func(t *testing.T, password, guess, salt []byte) {
		if len(salt) < 16 {
			return
		}
		r := record{algorithm: Bcrypt, variant: 'b', cost: 4, salt: salt[:16]}
		r.sum = h.compute(&r, password, true)
		encoded := r.String()
		if err := xbcrypt.CompareHashAndPassword([]byte(encoded), password); err != nil {
			t.Fatalf("x/crypto does not take %q for %q: %v", encoded, password, err)
		}
		theirs := xbcrypt.CompareHashAndPassword([]byte(encoded), guess) == nil
		possible := len(guess) > 0 && bytes.IndexByte(guess, 0) < 0 && !newGuessTooLong(guess)
		if got, err := h.VerifyImported(t.Context(), encoded, string(guess)); err != nil || got != (theirs && possible) {
			t.Errorf("VerifyImported(%q, %q) = %v, %v; x/crypto says %v", encoded, guess, got, err, theirs)
		}
		g, reason := newGuess(string(guess))
		theirs = xbcrypt.CompareHashAndPassword([]byte(encoded), g.normal) == nil
		if got, err := h.Verify(t.Context(), encoded, string(guess)); err != nil || got != (theirs && reason == nil && !g.long()) {
			t.Errorf("Verify(%q, %q) = %v, %v; x/crypto says %v, %v", encoded, guess, got, err, theirs, reason)
		}
	})
}

func newGuessTooLong(b []byte) bool {
	g, _ := newGuess(string(b))
	return g.tooLong()
}

func TestAgainstXCrypto(t *testing.T) {
	t.Parallel()
	for cost := 4; cost <= 6; cost++ {
		c := cheapConfig(Bcrypt)
		c.BcryptCost = cost
		h := mustNew(t, c)
		if err := xbcrypt.CompareHashAndPassword([]byte(mustHash(t, h, "pässwörd")), []byte("pässwörd")); err != nil {
			t.Errorf("cost %d: %v", cost, err)
		}
		theirs, err := xbcrypt.GenerateFromPassword([]byte("pässwörd"), cost)
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := h.Verify(t.Context(), string(theirs), "pässwörd"); err != nil || !ok {
			t.Errorf("cost %d: %v, %v", cost, ok, err)
		}
		if ok, _ := h.Verify(t.Context(), string(theirs), strings.ToUpper("pässwörd")); ok {
			t.Errorf("cost %d: matches capitals", cost)
		}
	}
}
