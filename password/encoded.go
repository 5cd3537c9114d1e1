package password

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

const (
	bcryptStringBytes = 60
	bcryptSaltBytes   = 16
	bcryptSumBytes    = 23 // the 24th byte was lost in the first implementation

	argon2SaltBytes = 16
	argon2SumBytes  = 32
	longMarkBytes   = 8

	argon2MinSaltBytes = 8
	argon2MinSumBytes  = 16
	argon2MaxBytes     = 64 // of salt and of sum

	// maxEncodedBytes bounds what is parsed: an argon2id string with the
	// longest of everything has 222 bytes.
	maxEncodedBytes = 256
)

const (
	bcryptAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	stdAlphabet    = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
)

// Encodings are immutable. That of bcrypt is not Strict: see parseBcrypt.
var (
	bcryptEncoding = base64.NewEncoding(bcryptAlphabet).WithPadding(base64.NoPadding)
	argon2Encoding = base64.RawStdEncoding.Strict()
)

// A record is a stored string taken apart.
type record struct {
	algorithm Algorithm
	variant   byte         // bcrypt: a, b, x or y
	cost      int          // bcrypt
	argon2    Argon2Params // argon2id
	salt, sum []byte
	long      bool // argon2id: the salt bears the mark of a password over 72 bytes
}

// isOwn reports whether a string is of an algorithm that a Hasher writes.
func isOwn(encoded string) bool {
	return strings.HasPrefix(encoded, "$2") || strings.HasPrefix(encoded, "$argon2id$")
}

// parse takes a stored string apart. What it returns is within the bounds.
func parse(encoded string) (record, error) {
	switch {
	case len(encoded) > maxEncodedBytes:
		return record{}, malformed("too long")
	case strings.HasPrefix(encoded, "$2"):
		return parseBcrypt(encoded)
	case strings.HasPrefix(encoded, "$argon2id$"):
		return parseArgon2id(encoded)
	}
	return record{}, malformed("unknown prefix")
}

// String returns the record as it is stored.
func (r record) String() string {
	if r.algorithm == Bcrypt {
		return fmt.Sprintf("$2%c$%02d$%s%s", r.variant, r.cost,
			bcryptEncoding.EncodeToString(r.salt), bcryptEncoding.EncodeToString(r.sum))
	}
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", r.argon2.MemoryKiB, r.argon2.Time, r.argon2.Threads,
		argon2Encoding.EncodeToString(r.salt), argon2Encoding.EncodeToString(r.sum))
}

// parseBcrypt takes exactly $2v$cc$ with 22 characters of salt and 31 of sum.
//
// The salt's last character holds two bits, and four that every implementation
// ignores when it verifies and most write as zero; Passlib up to 1.5.2 wrote
// random ones, so they are ignored here. The sum's last character holds two
// unused bits that all write as zero, and that x/crypto compares; they must be
// zero here, so that no two strings are the same hash by them.
func parseBcrypt(s string) (record, error) {
	if len(s) != bcryptStringBytes || s[3] != '$' || s[6] != '$' {
		return record{}, malformed("bcrypt: wrong length or separators")
	}
	r := record{algorithm: Bcrypt, variant: s[2]}
	if strings.IndexByte("abxy", r.variant) < 0 {
		return record{}, malformed("bcrypt: unknown variant")
	}
	if !onlyOf("0123456789", s[4:6]) {
		return record{}, malformed("bcrypt: cost is not two digits")
	}
	r.cost = int(s[4]-'0')*10 + int(s[5]-'0')
	if err := checkBcryptCost(r.cost); err != nil {
		return record{}, err
	}
	if !onlyOf(bcryptAlphabet, s[7:]) {
		return record{}, malformed("bcrypt: character outside of its alphabet")
	}
	var err error
	if r.salt, err = bcryptEncoding.DecodeString(s[7:29]); err != nil {
		return record{}, malformed("bcrypt: salt")
	}
	if r.sum, err = bcryptEncoding.Strict().DecodeString(s[29:]); err != nil {
		return record{}, malformed("bcrypt: sum has unused bits set")
	}
	return r, nil
}

// parseArgon2id takes a PHC string of version 1.3 without key id or data,
// numbers without leading zeros, base64 canonical and without padding.
func parseArgon2id(s string) (record, error) {
	f := strings.SplitN(s, "$", 7)
	if len(f) != 6 {
		return record{}, malformed("argon2id: wrong number of fields")
	}
	if f[2] != "v=19" {
		return record{}, malformed("argon2id: version is not 19")
	}
	r := record{algorithm: Argon2id}
	var err error
	if r.argon2, err = parseArgon2Params(f[3]); err != nil {
		return record{}, err
	}
	if r.salt, err = argon2Bytes("salt", f[4], argon2MinSaltBytes); err != nil {
		return record{}, err
	}
	if r.sum, err = argon2Bytes("sum", f[5], argon2MinSumBytes); err != nil {
		return record{}, err
	}
	if n := len(r.salt) - longMarkBytes; n == argon2SaltBytes {
		r.long = subtle.ConstantTimeCompare(r.salt[n:], longMark(r.salt[:n])) == 1
	}
	return r, nil
}

// parseArgon2Params takes m, t and p in any order: the reference implementation
// writes m,t,p, and Node's argon2 0.45 writes m,p,t.
func parseArgon2Params(s string) (Argon2Params, error) {
	fields := strings.SplitN(s, ",", 4)
	if len(fields) != 3 {
		return Argon2Params{}, malformed("argon2id: parameters are not m, t and p")
	}
	var m, t, p uint64
	to := map[string]*uint64{"m": &m, "t": &t, "p": &p}
	for _, field := range fields {
		name, digits, _ := strings.Cut(field, "=")
		if to[name] == nil || digits == "" || digits[0] == '0' || !onlyOf("0123456789", digits) {
			return Argon2Params{}, malformed("argon2id: parameter unknown, repeated or not a number")
		}
		n, err := strconv.ParseUint(digits, 10, 32)
		if err != nil {
			return Argon2Params{}, fmt.Errorf("%w: argon2id %s has over 32 bits", ErrParameters, name)
		}
		*to[name] = n
		delete(to, name)
	}
	if p > argon2MaxThreads {
		return Argon2Params{}, threadsError(p)
	}
	params := Argon2Params{MemoryKiB: uint32(m), Time: uint32(t), Threads: uint8(p)}
	return params, params.check()
}

func argon2Bytes(name, s string, least int) ([]byte, error) {
	// encoding/base64 skips CR and LF even when strict.
	if !onlyOf(stdAlphabet, s) {
		return nil, malformed("argon2id: character outside of base64 in " + name)
	}
	b, err := argon2Encoding.DecodeString(s)
	if err != nil {
		return nil, malformed("argon2id: base64 of " + name)
	}
	if len(b) < least || len(b) > argon2MaxBytes {
		return nil, fmt.Errorf("%w: argon2id %s of %d bytes is not within %d to %d",
			ErrParameters, name, len(b), least, argon2MaxBytes)
	}
	return b, nil
}

func onlyOf(alphabet, s string) bool {
	for i := range len(s) {
		if strings.IndexByte(alphabet, s[i]) < 0 {
			return false
		}
	}
	return true
}

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrFormat, what) }
