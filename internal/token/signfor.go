package token

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/countersign-auth/countersign/jwt"
)

// derivedBytes is the size of a secret that derives from a shared one.
const derivedBytes = 32

// SignFor signs claims that are no access token, as a token of the type typ. A private key signs it like an access
// token, and only the type tells them apart. A secret must not: under jwt.secret access tokens of several types are taken.
// So it is signed with HS256 under a key that derives from the secret (HKDF-SHA256 without salt, info "countersign " and typ,
// 32 bytes), which whoever has the secret can derive too.
func (s *Service) SignFor(typ string, c jwt.Claims) (string, error) {
	if name := strings.TrimPrefix(strings.ToLower(typ), "application/"); slices.Contains([]string{"", "jwt", "at+jwt"}, name) {
		return "", fmt.Errorf("token: %q is a type of access tokens", typ)
	}
	r := s.ring.Load()
	key := r.keys[r.signing(s.cfg.Now())].Key
	if secret := key.Secret(); secret != nil {
		derived, err := hkdf.Key(sha256.New, secret, nil, "countersign "+typ, derivedBytes)
		if err != nil {
			return "", err
		}
		if key, err = jwt.NewSecretKey(jwt.HS256, derived, jwt.KeyOptions{ID: key.ID()}); err != nil {
			return "", err
		}
	}
	return jwt.Sign(key, typ, c)
}
