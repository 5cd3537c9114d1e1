package password

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"hash"
	"strings"
)

// parseLDAP takes the salted schemes that OpenLDAP and its pw-sha2 module write
// in userPassword: {SSHA}, {SSHA256}, {SSHA384} and {SSHA512}, the base64 of
// sum and salt, where the sum is the hash of password and salt (RFC 2307,
// section 5.3, has the braces and the unsalted kind). The name of the scheme is
// taken in any case, as OpenLDAP does.
func parseLDAP(s string) (foreign, error) {
	scheme, data, _ := strings.Cut(s[1:], "}")
	var h func() hash.Hash
	var size int
	rate := sha1Guesses
	switch strings.ToUpper(scheme) {
	case "SSHA":
		h, size = sha1.New, sha1.Size
	case "SSHA256":
		h, size, rate = sha256.New, sha256.Size, sha256Guesses
	case "SSHA384":
		h, size, rate = sha512.New384, sha512.Size384, sha512Guesses
	case "SSHA512":
		h, size, rate = sha512.New, sha512.Size, sha512Guesses
	default:
		return foreign{}, malformed("ldap: unknown scheme")
	}
	b, err := decode("ldap sum", data, base64.StdEncoding)
	if err != nil {
		return foreign{}, err
	}
	if len(b) < size {
		return foreign{}, malformed("ldap: sum too short")
	}
	sum, salt := b[:size], b[size:]
	if err := within("ldap salt", len(salt), 1, foreignMaxSaltBytes); err != nil {
		return foreign{}, err
	}
	return foreign{
		format: "ldap-" + strings.ToLower(scheme),
		sum:    sum,
		derive: func(password []byte) []byte {
			d := h()
			d.Write(password)
			d.Write(salt)
			return d.Sum(nil)
		},
		details: sizes(len(salt), size),
		guesses: rate,
	}, nil
}
