package password

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// parseDjangoBcryptSHA256 takes bcrypt_sha256$$2b$12$…, which is bcrypt of the
// SHA-256 of the password in hexadecimal
// (django.contrib.auth.hashers.BCryptSHA256PasswordHasher).
func parseDjangoBcryptSHA256(s string) (foreign, error) {
	return newPrehashed("django-bcrypt-sha256", strings.TrimPrefix(s, "bcrypt_sha256$"), func(password []byte) []byte {
		sum := sha256.Sum256(password)
		return hex.AppendEncode(nil, sum[:])
	})
}

// parseDjangoBcrypt takes bcrypt$$2b$12$…, which is bcrypt under another name. It
// sees 72 bytes of the password.
func parseDjangoBcrypt(s string) (foreign, error) {
	return newPrehashed("django-bcrypt", strings.TrimPrefix(s, "bcrypt$"), bytes.Clone)
}

// parseWordPressBcrypt takes $wp$2y$10$…, which WordPress writes since 6.8: bcrypt
// of HMAC-SHA-384 of the password in base64. The key is there so that sums of
// SHA-384 from elsewhere are of no use (wp_hash_password in pluggable.php).
//
// WordPress trims the password first, when it is set and at a login.
func parseWordPressBcrypt(s string) (foreign, error) {
	return newPrehashed("wordpress-bcrypt", strings.TrimPrefix(s, "$wp"), func(password []byte) []byte {
		mac := hmac.New(sha512.New384, []byte("wp-sha384"))
		mac.Write(bytes.Trim(password, " \t\n\r\x00\v")) // PHP's trim
		return base64.StdEncoding.AppendEncode(nil, mac.Sum(nil))
	})
}

func newPrehashed(format, inner string, prehash func([]byte) []byte) (foreign, error) {
	if !strings.HasPrefix(inner, "$2") {
		return foreign{}, malformed(format + ": no bcrypt string within")
	}
	r, err := parseBcrypt(inner)
	if err != nil {
		return foreign{}, err
	}
	if r.variant == 'x' { // which none of this software ever had
		return foreign{}, malformed(format + ": variant $2x$")
	}
	return foreign{
		format: format, inner: inner, prehash: prehash,
		details: bcryptDetails(r), guesses: bcryptGuesses(r.cost),
	}, nil
}
