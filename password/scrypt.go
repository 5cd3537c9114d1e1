package password

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"golang.org/x/crypto/scrypt"
)

// Bounds of scrypt (RFC 7914). They let through what is recommended (OWASP: 128
// MiB, which is N=2^17, r=8, p=1) and stay around two seconds of one core.
const (
	scryptMaxLogN   = 21
	scryptMaxR      = 64
	scryptMaxP      = 64
	scryptMaxMemory = 256 << 20 // 128·N·r
	scryptMaxWork   = 512 << 20 // 128·N·r·p

	// What Werkzeug and Django write: hashlib.scrypt's default of dklen.
	pythonScryptBytes = 64
)

// parsePHCScrypt takes $scrypt$ln=14,r=8,p=1$ with salt and sum in base64
// without padding, as Passlib and RustCrypto write it.
func parsePHCScrypt(s string) (foreign, error) {
	f := strings.SplitN(s, "$", 6)
	if len(f) != 5 {
		return foreign{}, malformed("scrypt: wrong number of fields")
	}
	v, err := phcParameters("scrypt", f[2], "ln", "r", "p")
	if err != nil {
		return foreign{}, err
	}
	logN, err := number("scrypt ln", v["ln"], 1, scryptMaxLogN)
	if err != nil {
		return foreign{}, err
	}
	salt, err := decode("scrypt salt", f[3], base64.RawStdEncoding)
	if err != nil {
		return foreign{}, err
	}
	sum, err := decode("scrypt sum", f[4], base64.RawStdEncoding)
	if err != nil {
		return foreign{}, err
	}
	return newScrypt("scrypt", logN, v["r"], v["p"], salt, sum)
}

// parseWerkzeugScrypt takes scrypt:32768:8:1$ with the salt as text and the sum
// in hexadecimal, as Werkzeug writes since 2.3 (werkzeug.security).
func parseWerkzeugScrypt(s string) (foreign, error) {
	f := strings.SplitN(s, "$", 4)
	p := strings.SplitN(f[0], ":", 5)
	if len(f) != 3 || len(p) != 4 {
		return foreign{}, malformed("werkzeug-scrypt: wrong number of fields")
	}
	logN, err := logOfN(p[1])
	if err != nil {
		return foreign{}, err
	}
	salt, err := saltText("werkzeug-scrypt salt", f[1], foreignMaxSaltBytes)
	if err != nil {
		return foreign{}, err
	}
	sum, err := lowerHex("werkzeug-scrypt sum", f[2], pythonScryptBytes)
	if err != nil {
		return foreign{}, err
	}
	return newScrypt("werkzeug-scrypt", logN, p[2], p[3], salt, sum)
}

// parseDjangoScrypt takes scrypt$N$salt$r$p$ with the salt as text and the sum
// in base64 with padding, as Django writes since 4.0
// (django.contrib.auth.hashers.ScryptPasswordHasher).
func parseDjangoScrypt(s string) (foreign, error) {
	f := strings.SplitN(s, "$", 7)
	if len(f) != 6 {
		return foreign{}, malformed("django-scrypt: wrong number of fields")
	}
	logN, err := logOfN(f[1])
	if err != nil {
		return foreign{}, err
	}
	salt, err := saltText("django-scrypt salt", f[2], foreignMaxSaltBytes)
	if err != nil {
		return foreign{}, err
	}
	sum, err := decode("django-scrypt sum", f[5], base64.StdEncoding)
	if err != nil {
		return foreign{}, err
	}
	if len(sum) != pythonScryptBytes {
		return foreign{}, malformed("django-scrypt: sum of the wrong length")
	}
	return newScrypt("django-scrypt", logN, f[3], f[4], salt, sum)
}

func logOfN(digits string) (int, error) {
	n, err := number("scrypt N", digits, 2, 1<<scryptMaxLogN)
	if err == nil && n&(n-1) != 0 {
		err = fmt.Errorf("%w: scrypt N is not a power of two", ErrParameters)
	}
	return bits.Len(uint(n)) - 1, err
}

// lowerHex reads n bytes of hexadecimal. Python writes small letters, and
// compares the text.
func lowerHex(name, s string, n int) ([]byte, error) {
	if len(s) != 2*n || !onlyOf("0123456789abcdef", s) {
		return nil, malformed(name + " is not hexadecimal of the right length")
	}
	return hex.DecodeString(s)
}

func newScrypt(format string, logN int, rDigits, pDigits string, salt, sum []byte) (foreign, error) {
	r, err := number("scrypt r", rDigits, 1, scryptMaxR)
	if err != nil {
		return foreign{}, err
	}
	p, err := number("scrypt p", pDigits, 1, scryptMaxP)
	if err != nil {
		return foreign{}, err
	}
	n := 1 << logN
	memory := int64(128*r) << logN
	if memory > scryptMaxMemory || memory*int64(p) > scryptMaxWork {
		return foreign{}, fmt.Errorf("%w: scrypt over %d bytes of memory, or %d times p", ErrParameters,
			scryptMaxMemory, scryptMaxWork)
	}
	if err := within("scrypt salt", len(salt), 1, foreignMaxSaltBytes); err != nil {
		return foreign{}, err
	}
	if err := within("scrypt sum", len(sum), foreignMinSumBytes, foreignMaxSumBytes); err != nil {
		return foreign{}, err
	}
	return foreign{
		format: format,
		sum:    sum,
		memory: memory + int64(128*r*p),
		derive: func(password []byte) []byte {
			b, err := scrypt.Key(password, salt, n, r, p, len(sum))
			if err != nil { // the parameters are impossible
				panic("password: " + err.Error())
			}
			return b
		},
		details: append([]Detail{{"N", strconv.Itoa(n)}, {"r", rDigits}, {"p", pDigits}}, sizes(len(salt), len(sum))...),
		guesses: scryptWork / float64(memory*int64(p)),
	}, nil
}
