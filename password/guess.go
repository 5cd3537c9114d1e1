package password

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxRawBytes bounds what is given to the normalizer. Form C shrinks text by
// less than four (U+1FBE U+0308 U+0301, seven bytes, becomes U+0390, two), so
// that nothing beyond can come down to MaxBytes.
const maxRawBytes = 4 * MaxBytes

// A guess is a password as it came, with its normalized form.
type guess struct {
	raw    string
	normal []byte // nil when raw is over maxRawBytes
}

// newGuess returns the guess and what keeps it from being a password. The guess
// may be used in spite of the error: what cannot be a password now may have
// been one elsewhere, and has to cost as much as another.
func newGuess(password string) (guess, error) {
	g := guess{raw: password}
	if len(password) > maxRawBytes {
		return g, ErrTooLong
	}
	// Form C grows text by at most three, so that no copy is left behind by
	// append.
	g.normal = norm.NFC.AppendString(make([]byte, 0, 3*len(password)), password)
	switch {
	case password == "":
		return g, ErrEmpty
	case !utf8.ValidString(password):
		return g, ErrEncoding
	case strings.IndexByte(password, 0) >= 0:
		return g, ErrNUL
	case len(g.normal) > MaxBytes:
		return g, ErrTooLong
	}
	return g, nil
}

// Check returns the error with which [Hasher.Hash] would refuse the password,
// one of [ErrEmpty], [ErrEncoding], [ErrNUL] and [ErrTooLong], or nil. It is
// fast, and holds no policy beyond what hashing needs.
func Check(password string) error {
	g, err := newGuess(password)
	g.wipe()
	return err
}

// tooLong reports whether the guess is beyond what is hashed at all.
func (g guess) tooLong() bool { return len(g.raw) > maxRawBytes || len(g.normal) > MaxBytes }

// long reports whether the guess is beyond what bcrypt sees.
func (g guess) long() bool { return len(g.normal) > bcryptBytes }

func (g guess) wipe() { clear(g.normal[:cap(g.normal)]) }
