package password

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	// foreignMaxSaltBytes bounds the salts of other software; what is in use has
	// 4 (OpenLDAP) to 32 bytes.
	foreignMaxSaltBytes = 64
	// A sum of fewer bytes has so few values that a password other than the
	// right one is found to match by trying.
	foreignMinSumBytes = 10
	foreignMaxSumBytes = 64
)

// A foreign is a stored string of a format that only other software writes,
// taken apart. derive and prehash take the bytes of the password as they were
// sent; they keep nothing and write to nothing of the caller's.
type foreign struct {
	format string // its name for people, such as "django-pbkdf2-sha256"
	// sum is what derive returns for the right password.
	sum []byte
	// memory is the bytes that derive holds while it runs; 0 for next to nothing.
	memory int64
	// derive takes a few seconds of one core at most, and cannot be
	// interrupted. It returns nil for a password on which more would be
	// spent: that one never matches.
	derive func(password []byte) []byte

	// inner, of bcrypt within another string, is the bcrypt string, and prehash
	// makes what stands for the password there. derive and sum are nil then.
	inner   string
	prehash func(password []byte) []byte

	details []Detail // for Inspect
	guesses float64  // a second, on a graphics card; see strength
}

// parseForeign takes a string of other software apart. What it returns is
// within the bounds. The error is [ErrFormat] or [ErrParameters], and no work
// has been done.
func parseForeign(encoded string) (foreign, error) {
	if len(encoded) > maxEncodedBytes {
		return foreign{}, malformed("too long")
	}
	for _, f := range []struct {
		prefix string
		parse  func(string) (foreign, error)
	}{
		{"$argon2i$", parseArgon2i},
		{"argon2$", parseDjangoArgon2},
		{"$scrypt$", parsePHCScrypt},
		{"scrypt:", parseWerkzeugScrypt},
		{"scrypt$", parseDjangoScrypt},
		{"$pbkdf2", parsePHCPBKDF2},
		{"pbkdf2:", parseWerkzeugPBKDF2},
		{"pbkdf2_", parseDjangoPBKDF2},
		{"bcrypt$", parseDjangoBcrypt},
		{"bcrypt_sha256$", parseDjangoBcryptSHA256},
		{"$wp$", parseWordPressBcrypt},
		{"$P$", parsePhpass},
		{"$H$", parsePhpass},
		{"$1$", parseMD5Crypt},
		{"$apr1$", parseMD5Crypt},
		{"$5$", parseSHACrypt},
		{"$6$", parseSHACrypt},
		{"{", parseLDAP},
	} {
		if strings.HasPrefix(encoded, f.prefix) {
			return f.parse(encoded)
		}
	}
	return foreign{}, malformed("unknown prefix")
}

// number reads a decimal number without sign or leading zeros.
func number(name, digits string, least, most int) (int, error) {
	if digits == "" || digits[0] == '0' || !onlyOf("0123456789", digits) {
		return 0, malformed(name + " is not a number")
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || n < uint64(least) || n > uint64(most) {
		return 0, fmt.Errorf("%w: %s is not within %d to %d", ErrParameters, name, least, most)
	}
	return int(n), nil
}

// phcParameters takes "a=1,b=2" apart, in any order. Each name is one of names
// and stands there once at most.
func phcParameters(format, s string, names ...string) (map[string]string, error) {
	fields := strings.SplitN(s, ",", len(names)+1)
	values := make(map[string]string, len(names))
	for _, field := range fields {
		name, value, _ := strings.Cut(field, "=")
		if _, twice := values[name]; twice || !slices.Contains(names, name) {
			return nil, malformed(format + ": parameter unknown or repeated")
		}
		values[name] = value
	}
	return values, nil
}

// decode reads base64 in its canonical form, padded or not as encoding says.
func decode(name, s string, encoding *base64.Encoding) ([]byte, error) {
	// encoding/base64 skips CR and LF even when strict.
	if !onlyOf(stdAlphabet+"=", s) {
		return nil, malformed(name + " has a character outside of base64")
	}
	b, err := encoding.Strict().DecodeString(s)
	if err != nil {
		return nil, malformed(name + " is not base64")
	}
	return b, nil
}

// saltText checks a salt that is used as it is written.
func saltText(name, s string, most int) ([]byte, error) {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == '$' {
			return nil, malformed(name + " has a character that no salt has")
		}
	}
	return []byte(s), within(name, len(s), 1, most)
}

func within(name string, n, least, most int) error {
	if n < least || n > most {
		return fmt.Errorf("%w: %s of %d bytes is not within %d to %d", ErrParameters, name, n, least, most)
	}
	return nil
}

// sizes are the details of every salted hash.
func sizes(salt, sum int) []Detail {
	return []Detail{{"salt", strconv.Itoa(salt) + " bytes"}, {"sum", strconv.Itoa(sum) + " bytes"}}
}
