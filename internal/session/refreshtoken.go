package session

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"

	"github.com/google/uuid"
)

// refreshToken is a refresh token taken apart. As text it is the prefix and, in base64url without padding, the session's
// id, the generation (4 bytes, big-endian), the secret and the MAC over all three.
//
// The MAC is no credential but a filter: what this server did not make is refused before the database is asked, and
// never counts as the reuse of an old token.
type refreshToken struct {
	session    uuid.UUID
	generation uint32
	secret     [secretBytes]byte
}

const (
	refreshPrefix = "csr_" // found by scanners for leaked secrets, and never a JWT
	secretBytes   = 32
	macBytes      = 16
	signedBytes   = len(uuid.UUID{}) + 4 + secretBytes
)

var refreshEncoding = base64.RawURLEncoding.Strict()

// refreshLength is the length of a refresh token as text.
var refreshLength = len(refreshPrefix) + refreshEncoding.EncodedLen(signedBytes+macBytes)

// newRefreshToken returns a token with a new secret.
func newRefreshToken(session uuid.UUID, generation uint32) refreshToken {
	t := refreshToken{session: session, generation: generation}
	_, _ = rand.Read(t.secret[:]) // never fails
	return t
}

// encode returns the token as text.
func (t refreshToken) encode(key []byte) string {
	b := make([]byte, 0, signedBytes+macBytes)
	b = append(b, t.session[:]...)
	b = binary.BigEndian.AppendUint32(b, t.generation)
	b = append(b, t.secret[:]...)
	b = append(b, refreshMAC(key, b)...)
	return refreshPrefix + refreshEncoding.EncodeToString(b)
}

// parseRefreshToken returns the token, if the server has made it.
func parseRefreshToken(key []byte, text string) (t refreshToken, ok bool) {
	encoded, isRefresh := strings.CutPrefix(text, refreshPrefix)
	if !isRefresh || len(text) != refreshLength {
		return t, false
	}
	b, err := refreshEncoding.DecodeString(encoded)
	if err != nil || len(b) != signedBytes+macBytes || // the decoder passes over line ends
		!hmac.Equal(b[signedBytes:], refreshMAC(key, b[:signedBytes])) {
		return t, false
	}
	copy(t.session[:], b)
	t.generation = binary.BigEndian.Uint32(b[len(t.session):])
	copy(t.secret[:], b[len(t.session)+4:signedBytes])
	return t, true
}

func refreshMAC(key, signed []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(signed)
	return mac.Sum(nil)[:macBytes]
}
