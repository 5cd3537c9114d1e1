package ratelimit

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// deviceKeep is how long a token is good for: as long as browsers keep a cookie at the most.
	deviceKeep = 400 * day
	// A token is a version, the device's id, the time of issue in seconds, and a MAC over these and the account.
	deviceVersion = 1
	idAt          = 1
	issuedAt      = idAt + 16
	macAt         = issuedAt + 8
	tokenSize     = macAt + 32
	// tokenText is its length in base64url. The size is a multiple of three, so that there is one spelling only.
	tokenText = tokenSize / 3 * 4
)

// Devices issues and checks the tokens that show that a device has logged in to an account before. A token is no
// credential: all it gives is failures of its own, apart from those of strangers. It is safe for concurrent use.
type Devices struct{ key []byte }

// NewDevices returns a Devices. The key has at least 32 bytes, and all nodes have the same.
func NewDevices(key []byte) (*Devices, error) {
	if len(key) < minKey {
		return nil, fmt.Errorf("ratelimit: a device key of %d bytes; it takes %d", len(key), minKey)
	}
	return &Devices{key: slices.Clone(key)}, nil
}

// Issue returns a token, of 76 characters of base64url, for a new device that has just logged in to that account, which
// is named by its canonical address. A device that sent a good token needs no other.
func (d *Devices) Issue(account string, now time.Time) string {
	var b [tokenSize]byte
	b[0] = deviceVersion
	_, _ = rand.Read(b[idAt:issuedAt]) // never fails
	binary.BigEndian.PutUint64(b[issuedAt:macAt], uint64(now.Unix()))
	copy(b[macAt:], d.mac(b[:macAt], account))
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Check returns the id of the device if the token was issued for that account less than 400 days ago. A token from the
// future is good: the clock was set back.
func (d *Devices) Check(token, account string, now time.Time) (deviceID string, ok bool) {
	if len(token) != tokenText || strings.ContainsAny(token, "\r\n") { // which the decoder skips
		return "", false
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || b[0] != deviceVersion || !hmac.Equal(b[macAt:], d.mac(b[:macAt], account)) {
		return "", false
	}
	issued := time.Unix(int64(binary.BigEndian.Uint64(b[issuedAt:macAt])), 0)
	if now.Sub(issued) >= deviceKeep {
		return "", false
	}
	return base64.RawURLEncoding.EncodeToString(b[idAt:issuedAt]), true
}

func (d *Devices) mac(head []byte, account string) []byte {
	return fingerprint(d.key, "device", string(head), account)
}
