package password

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"strconv"
	"strings"
)

// A prf is a hash that PBKDF2 (RFC 8018, section 5.2) is used with.
type prf struct {
	name string
	new  func() hash.Hash
	size int
	// most bounds the iterations times the blocks of output, so that one sum
	// takes two or three seconds of a core without instructions for the hash.
	// It lets through Keycloak's 1,300,000 of SHA-1 and 600,000 of SHA-256,
	// each with 64 bytes of output (four blocks and two), and Django's and
	// Werkzeug's million and more of SHA-256.
	most int
	rate float64 // iterations that a graphics card makes in a second
}

func prfByName(name string) (prf, bool) {
	switch name {
	case "sha1":
		return prf{name, sha1.New, sha1.Size, 6_000_000, sha1Iterations}, true
	case "sha256":
		return prf{name, sha256.New, sha256.Size, 3_000_000, sha256Iterations}, true
	case "sha512":
		return prf{name, sha512.New, sha512.Size, 2_000_000, sha512Iterations}, true
	}
	return prf{}, false
}

// parsePHCPBKDF2 takes $pbkdf2-sha256$, $pbkdf2-sha512$ and $pbkdf2$ (SHA-1;
// also $pbkdf2-sha1$) in two forms. The one is Passlib's, where the iterations
// stand alone and base64 has a point for the plus. The other is the PHC form
// with i=…, and in RustCrypto's l=…, which is the length of the sum. Without, it
// has the length of the hash. Keycloak's JSON goes into the form with l.
func parsePHCPBKDF2(s string) (foreign, error) {
	f := strings.SplitN(s, "$", 6)
	if len(f) != 5 {
		return foreign{}, malformed("pbkdf2: wrong number of fields")
	}
	name := "sha1"
	if f[1] != "pbkdf2" {
		name = strings.TrimPrefix(f[1], "pbkdf2-")
	}
	h, ok := prfByName(name)
	if !ok {
		return foreign{}, malformed("pbkdf2: unknown hash")
	}
	format, iterations, length := "passlib-pbkdf2-"+name, f[2], strconv.Itoa(h.size)
	if strings.Contains(f[2], "=") {
		v, err := phcParameters("pbkdf2", f[2], "i", "l")
		if err != nil {
			return foreign{}, err
		}
		format, iterations = "pbkdf2-"+name, v["i"]
		if l, given := v["l"]; given {
			length = l
		}
	} else {
		f[3] = strings.ReplaceAll(f[3], ".", "+")
		f[4] = strings.ReplaceAll(f[4], ".", "+")
	}
	salt, err := decode("pbkdf2 salt", f[3], base64.RawStdEncoding)
	if err != nil {
		return foreign{}, err
	}
	sum, err := decode("pbkdf2 sum", f[4], base64.RawStdEncoding)
	if err != nil {
		return foreign{}, err
	}
	// The beginning of a sum is the sum of fewer bytes: a string that was cut
	// shows by its length alone.
	if length != strconv.Itoa(len(sum)) {
		return foreign{}, malformed("pbkdf2: sum of the wrong length")
	}
	return newPBKDF2(format, h, iterations, salt, sum)
}

// parseDjangoPBKDF2 takes pbkdf2_sha256$ and pbkdf2_sha1$ with iterations, salt
// as text and the sum in base64 with padding
// (django.contrib.auth.hashers.PBKDF2PasswordHasher).
func parseDjangoPBKDF2(s string) (foreign, error) {
	f := strings.SplitN(s, "$", 5)
	name := strings.TrimPrefix(f[0], "pbkdf2_")
	h, ok := prfByName(name)
	if len(f) != 4 || !ok || name == "sha512" {
		return foreign{}, malformed("django-pbkdf2: unknown hash or wrong number of fields")
	}
	salt, err := saltText("django-pbkdf2 salt", f[2], foreignMaxSaltBytes)
	if err != nil {
		return foreign{}, err
	}
	sum, err := decode("django-pbkdf2 sum", f[3], base64.StdEncoding)
	if err != nil {
		return foreign{}, err
	}
	if len(sum) != h.size {
		return foreign{}, malformed("django-pbkdf2: sum of the wrong length")
	}
	return newPBKDF2("django-pbkdf2-"+name, h, f[1], salt, sum)
}

// parseWerkzeugPBKDF2 takes pbkdf2:sha256:600000$ with the salt as text and the
// sum in hexadecimal (werkzeug.security). A string without iterations means
// whatever Werkzeug's default is that day, and is not taken.
func parseWerkzeugPBKDF2(s string) (foreign, error) {
	f := strings.SplitN(s, "$", 4)
	p := strings.SplitN(f[0], ":", 4)
	if len(f) != 3 || len(p) != 3 {
		return foreign{}, malformed("werkzeug-pbkdf2: wrong number of fields")
	}
	h, ok := prfByName(p[1])
	if !ok {
		return foreign{}, malformed("werkzeug-pbkdf2: unknown hash")
	}
	salt, err := saltText("werkzeug-pbkdf2 salt", f[1], foreignMaxSaltBytes)
	if err != nil {
		return foreign{}, err
	}
	sum, err := lowerHex("werkzeug-pbkdf2 sum", f[2], h.size)
	if err != nil {
		return foreign{}, err
	}
	return newPBKDF2("werkzeug-pbkdf2-"+h.name, h, p[2], salt, sum)
}

func newPBKDF2(format string, h prf, digits string, salt, sum []byte) (foreign, error) {
	iterations, err := number("pbkdf2 iterations", digits, 1, h.most)
	if err != nil {
		return foreign{}, err
	}
	if err := within("pbkdf2 salt", len(salt), 1, foreignMaxSaltBytes); err != nil {
		return foreign{}, err
	}
	if err := within("pbkdf2 sum", len(sum), foreignMinSumBytes, foreignMaxSumBytes); err != nil {
		return foreign{}, err
	}
	if blocks := (len(sum) + h.size - 1) / h.size; iterations*blocks > h.most {
		return foreign{}, fmt.Errorf("%w: pbkdf2 iterations times %d blocks are over %d", ErrParameters, blocks, h.most)
	}
	return foreign{
		format: format,
		sum:    sum,
		derive: func(password []byte) []byte {
			b, err := pbkdf2.Key(h.new, string(password), salt, iterations, len(sum))
			if err != nil { // only under GODEBUG=fips140=only
				panic("password: " + err.Error())
			}
			return b
		},
		details: append([]Detail{{"hash", h.name}, {"iterations", digits}}, sizes(len(salt), len(sum))...),
		// A guess needs the first block only.
		guesses: h.rate / float64(iterations),
	}, nil
}
