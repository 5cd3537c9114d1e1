package password

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// An Info says what a stored string is. It holds neither salt nor sum.
type Info struct {
	// Format names the format, and with it often the software that writes it:
	// "bcrypt", "argon2id", "django-pbkdf2-sha256", "ldap-ssha".
	Format string
	// Details are the parameters, in the order in which people write them, and
	// the lengths of salt and sum.
	Details []Detail
	// Verifiable tells whether this package can check a password against the
	// string: with [Hasher.Verify] if it is bcrypt or argon2id, else with
	// [Hasher.VerifyImported].
	Verifiable bool
	// Strength compares what a stolen string costs a thief with the package's
	// default, bcrypt at cost 10, in words and in orders of magnitude. It is
	// empty if the string is not verifiable.
	Strength string
}

// A Detail is one parameter of a stored string, such as "cost" and "12".
type Detail struct{ Name, Value string }

// Inspect says what a stored string is: its format, its parameters, and how
// strong it is. It computes no hash.
//
// A format that is known by its prefix but not supported is no error; see
// [Info.Verifiable]. The error is [ErrFormat] for a string that is malformed or
// unknown, [ErrParameters] for one whose parameters are out of the bounds of
// this package, which will not verify it.
func Inspect(encoded string) (Info, error) {
	if isOwn(encoded) {
		r, err := parse(encoded)
		switch {
		case err != nil:
			return Info{}, err
		case r.algorithm == Bcrypt:
			return Info{"bcrypt", bcryptDetails(r), true, strength(bcryptGuesses(r.cost))}, nil
		}
		return Info{"argon2id", argon2Details(r), true, strength(argon2Guesses(r.argon2))}, nil
	}
	if name := unsupported(encoded); name != "" {
		return Info{Format: name}, nil
	}
	f, err := parseForeign(encoded)
	if err != nil {
		return Info{}, err
	}
	return Info{f.format, f.details, true, strength(f.guesses)}, nil
}

// unsupported returns the name of a format that is not supported, or "".
func unsupported(encoded string) string {
	for _, f := range []struct{ prefix, name string }{
		{"$y$", "yescrypt"},
		{"$gy$", "gost-yescrypt"},
		{"$7$", "scrypt of crypt(3)"},
		{"$argon2d$", "argon2d"},
		{"$sha1$", "sha1-crypt"},
		{"$md5", "md5-crypt of Sun"},
		{"$3$", "NT hash"},
		{"{SHA}", "ldap-sha, without salt"},
		{"{MD5}", "ldap-md5, without salt"},
		{"{SMD5}", "ldap-smd5"},
		{"{CRYPT}", "ldap-crypt (what follows the brace is an ordinary string)"},
	} {
		if strings.HasPrefix(encoded, f.prefix) {
			return f.name
		}
	}
	return ""
}

// How many guesses a graphics card of 2022 makes in a second, in orders of
// magnitude. Those of bcrypt, argon2id, scrypt and PBKDF2 are from the table by
// Steve Thomas (tobtu.com/minimum-password-settings) on which OWASP's
// recommendations rest: 10,000 a second at bcrypt's cost 9, at 19 MiB and two
// passes of argon2id, at N=2^17 and r=8 of scrypt, and at 1,300,000, 600,000 or
// 210,000 iterations of PBKDF2. The others are hashcat's, of one RTX 4090.
const (
	defaultGuesses = 1e4 / 2

	argon2Work = 1e4 * (19 << 10) * 2 // KiB times passes
	scryptWork = 1e4 * (128 << 20)    // bytes times p

	sha1Iterations   = 1e4 * 1_300_000
	sha256Iterations = 1e4 * 600_000
	sha512Iterations = 1e4 * 210_000

	md5Iterations     = 1e11
	sha256CryptRounds = 1e10
	sha512CryptRounds = 6e9

	sha1Guesses   = 5e10
	sha256Guesses = 2e10
	sha512Guesses = 7e9
)

func bcryptGuesses(cost int) float64 {
	return defaultGuesses * math.Exp2(float64(DefaultBcryptCost-cost))
}

func argon2Guesses(p Argon2Params) float64 {
	return argon2Work / float64(uint64(p.MemoryKiB)*uint64(p.Time))
}

func strength(guesses float64) string {
	switch times := guesses / defaultGuesses; {
	case times <= 0.4:
		return "stronger than the default: guessing is about " + roughly(1/times) + " times as slow"
	case times <= 2.5:
		return "about as strong as the default"
	case times <= 500:
		return "weaker than the default: guessing is about " + roughly(times) + " times as fast"
	default:
		return "far weaker than the default: guessing is about " + roughly(times) + " times as fast"
	}
}

// roughly returns a number of at least 1 with one digit that counts.
func roughly(n float64) string {
	unit := math.Pow(10, math.Floor(math.Log10(n)))
	return strconv.FormatFloat(math.Round(n/unit)*unit, 'f', 0, 64)
}

func bcryptDetails(r record) []Detail {
	return append([]Detail{{"variant", "2" + string(r.variant)}, {"cost", strconv.Itoa(r.cost)}},
		sizes(len(r.salt), len(r.sum))...)
}

func argon2Details(r record) []Detail {
	return append([]Detail{
		{"memory", fmt.Sprintf("%d KiB", r.argon2.MemoryKiB)},
		{"passes", strconv.FormatUint(uint64(r.argon2.Time), 10)},
		{"threads", strconv.Itoa(int(r.argon2.Threads))},
	}, sizes(len(r.salt), len(r.sum))...)
}
