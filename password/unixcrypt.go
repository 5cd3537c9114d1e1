package password

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"strconv"
	"strings"

	cryptbase64 "github.com/go-crypt/x/base64"
	"github.com/go-crypt/x/crypt"
)

const (
	cryptAlphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

	shaCryptMaxSalt       = 16
	shaCryptDefaultRounds = 5000
	shaCryptMinRounds     = 1000
	shaCryptMaxRounds     = 1_000_000
	// shaCryptMaxWork bounds the rounds times the bytes that go into one. At the
	// most rounds it is reached over 512 bytes of password, which crypt(3) of
	// libxcrypt does not take, and under 555,000 rounds over 1024.
	shaCryptMaxWork   = shaCryptMaxRounds * (shaCryptRoundSize + 512)
	shaCryptRoundSize = 128

	md5CryptMaxSalt = 8
	md5CryptRounds  = 1000

	phpassSalt    = 8
	phpassMinLog  = 7 // of the rounds, as in phpass
	phpassMaxLog  = 20
	phpassMaxWork = (1 << phpassMaxLog) * (md5.Size + MaxBytes) // bytes hashed
)

// parseSHACrypt takes $5$ and $6$, SHA-crypt with SHA-256 and SHA-512 (Drepper,
// "Unix crypt using SHA-256 and SHA-512", 0.6), with or without rounds=….
//
// The specification moves rounds that are out of its range to the nearest in
// range, and cuts a salt to 16 characters, when it computes; but what it then
// writes has the number and the salt that were used, so that a string with
// others matches nothing.
func parseSHACrypt(s string) (foreign, error) {
	format, h, chars, lastBits := "sha256-crypt", sha256.New, 43, 4
	rate := float64(sha256CryptRounds)
	if s[1] == '6' {
		format, h, chars, lastBits, rate = "sha512-crypt", sha512.New, 86, 2, sha512CryptRounds
	}
	rest, rounds := s[3:], shaCryptDefaultRounds
	if r, given := strings.CutPrefix(rest, "rounds="); given {
		digits, after, _ := strings.Cut(r, "$")
		var err error
		if rounds, err = number(format+" rounds", digits, shaCryptMinRounds, shaCryptMaxRounds); err != nil {
			return foreign{}, err
		}
		rest = after
	}
	salt, sum, err := saltAndSum(format, rest, shaCryptMaxSalt, chars, lastBits)
	if err != nil {
		return foreign{}, err
	}
	return foreign{
		format: format,
		sum:    sum,
		derive: func(password []byte) []byte {
			return shaCrypt(h, password, salt, rounds)
		},
		details: append([]Detail{{"rounds", strconv.Itoa(rounds)}}, sizes(len(salt), h().Size())...),
		guesses: rate / float64(rounds),
	}, nil
}

func shaCrypt(h func() hash.Hash, password, salt []byte, rounds int) []byte {
	if int64(rounds)*int64(shaCryptRoundSize+len(password)) > shaCryptMaxWork {
		return nil
	}
	return crypt.KeySHACrypt(h, password, salt, rounds)
}

// parseMD5Crypt takes $1$ of Poul-Henning Kamp's crypt (FreeBSD 2.0), and $apr1$,
// the same but for its name within the hash, as Apache's htpasswd writes.
func parseMD5Crypt(s string) (foreign, error) {
	format, magic := "md5-crypt", "$1$"
	if strings.HasPrefix(s, "$apr1$") {
		format, magic = "apr1-md5-crypt", "$apr1$"
	}
	salt, sum, err := saltAndSum(format, s[len(magic):], md5CryptMaxSalt, 22, 2)
	if err != nil {
		return foreign{}, err
	}
	return foreign{
		format: format,
		sum:    sum,
		derive: func(password []byte) []byte {
			return md5Crypt(magic, password, salt)
		},
		details: append([]Detail{{"rounds", strconv.Itoa(md5CryptRounds)}}, sizes(len(salt), md5.Size)...),
		guesses: md5Iterations / md5CryptRounds,
	}, nil
}

// md5Crypt is here because go-crypt/x has $1$ alone.
func md5Crypt(magic string, password, salt []byte) []byte {
	alternate := md5Of(password, salt, password)
	parts := [][]byte{password, []byte(magic), salt}
	for n := len(password); n > 0; n -= md5.Size {
		parts = append(parts, alternate[:min(n, md5.Size)])
	}
	// A NUL for each bit of the length that is set, and the first character for
	// the others: a slip of the original, and what everyone does since.
	for n := len(password); n > 0; n >>= 1 {
		if n&1 != 0 {
			parts = append(parts, []byte{0})
		} else {
			parts = append(parts, password[:1])
		}
	}
	sum := md5Of(parts...)
	for i := range md5CryptRounds {
		first, last := sum, password
		if i&1 != 0 {
			first, last = password, sum
		}
		parts = append(parts[:0], first)
		if i%3 != 0 {
			parts = append(parts, salt)
		}
		if i%7 != 0 {
			parts = append(parts, password)
		}
		sum = md5Of(append(parts, last)...)
	}
	var out [md5.Size]byte
	for i, from := range [md5.Size]int{12, 6, 0, 13, 7, 1, 14, 8, 2, 15, 9, 3, 5, 10, 4, 11} {
		out[i] = sum[from]
	}
	return cryptbase64.EncodeCrypt(out[:])
}

func md5Of(parts ...[]byte) []byte {
	d := md5.New()
	for _, p := range parts {
		d.Write(p)
	}
	return d.Sum(nil)
}

// parsePhpass takes $P$ and $H$ of phpass's portable hashes (Solar Designer),
// which WordPress wrote before 6.8 and phpBB 3.0: an iterated MD5.
func parsePhpass(s string) (foreign, error) {
	rest := s[3:]
	if len(rest) < 1+phpassSalt {
		return foreign{}, malformed("phpass: too short")
	}
	log := strings.IndexByte(cryptAlphabet, rest[0])
	if log < 0 {
		return foreign{}, malformed("phpass: rounds outside of the alphabet")
	}
	if log < phpassMinLog || log > phpassMaxLog {
		return foreign{}, fmt.Errorf("%w: phpass rounds 2^%d are not within 2^%d to 2^%d", ErrParameters,
			log, phpassMinLog, phpassMaxLog)
	}
	salt, err := saltText("phpass salt", rest[1:1+phpassSalt], phpassSalt)
	if err != nil {
		return foreign{}, err
	}
	sum, err := cryptSum("phpass", rest[1+phpassSalt:], 22, 2)
	if err != nil {
		return foreign{}, err
	}
	return foreign{
		format:  "phpass",
		sum:     sum,
		derive:  func(password []byte) []byte { return phpass(password, salt, 1<<log) },
		details: append([]Detail{{"rounds", strconv.Itoa(1 << log)}}, sizes(phpassSalt, md5.Size)...),
		guesses: md5Iterations / float64(int(1)<<log),
	}, nil
}

func phpass(password, salt []byte, rounds int) []byte {
	if int64(rounds)*int64(md5.Size+len(password)) > phpassMaxWork {
		return nil
	}
	// What is hashed: first salt and password, then each sum and the password.
	b := make([]byte, md5.Size+len(password))
	defer clear(b)
	start := md5.Size - len(salt)
	copy(b[start:], salt)
	copy(b[md5.Size:], password)
	sum := md5.Sum(b[start:])
	for range rounds {
		copy(b, sum[:])
		sum = md5.Sum(b)
	}
	return cryptbase64.EncodeCrypt(sum[:])
}

// saltAndSum takes what is left of a crypt(3) string apart.
func saltAndSum(format, s string, saltMost, chars, lastBits int) (salt, sum []byte, err error) {
	text, tail, _ := strings.Cut(s, "$")
	if salt, err = saltText(format+" salt", text, saltMost); err != nil {
		return nil, nil, err
	}
	sum, err = cryptSum(format, tail, chars, lastBits)
	return salt, sum, err
}

// cryptSum checks a sum in the base64 of crypt(3), of which the last character
// holds fewer than six bits. It stays text, which is what crypt(3) compares.
func cryptSum(format, s string, chars, lastBits int) ([]byte, error) {
	if len(s) != chars || !onlyOf(cryptAlphabet, s) {
		return nil, malformed(format + ": sum has the wrong length or alphabet")
	}
	if strings.IndexByte(cryptAlphabet, s[chars-1])>>lastBits != 0 {
		return nil, malformed(format + ": sum has unused bits set")
	}
	return []byte(s), nil
}
