package ratelimit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
)

// keyer names counters. Without its key nobody can tell from a name what is counted, nor try out which address it is.
type keyer struct{ secret []byte }

// of returns the name of the counter of that subject in that scope. 144 bits of a MAC do not collide.
func (k keyer) of(scope string, subject ...string) string {
	sum := fingerprint(k.secret, scope, subject...)
	return scope + ":" + base64.RawURLEncoding.EncodeToString(sum[:18])
}

// fingerprint returns the HMAC-SHA-256 over parts that are told apart by their lengths: no two lists of them look alike.
func fingerprint(key []byte, scope string, parts ...string) []byte {
	mac := hmac.New(sha256.New, key)
	var length [8]byte
	for _, part := range append([]string{"countersign/ratelimit/1", scope}, parts...) {
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		mac.Write(length[:])
		mac.Write([]byte(part))
	}
	return mac.Sum(nil)
}
