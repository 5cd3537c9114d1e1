package apikey

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"log/slog"
	"strings"
)

// Prefix is what every key begins with.
const Prefix = "csk_"

// How long the parts of a key are, in characters of base32 (RFC 4648, section 6), each of which has five bits.
const (
	idLength       = 16
	secretLength   = 26
	checksumLength = 7
	secretAt       = len(Prefix) + idLength + 1
	checksumAt     = secretAt + secretLength
	keyLength      = checksumAt + checksumLength
)

// alphabet is that of base32, in which no character needs escaping anywhere, and which a double click selects.
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

// ErrMalformed says that a text is no key. It does not repeat the text.
var ErrMalformed = errors.New("apikey: this is no API key")

// Key is a whole key, secret included. The zero Key is none. It keeps itself out of logs and messages.
type Key struct{ text string }

// Generate makes a new key, of the random source of the system.
func Generate() Key {
	// The secret has 130 bits. Of the id 80 will do: it is no secret, and must only be nobody else's.
	text := Prefix + rand.Text()[:idLength] + "_" + rand.Text()[:secretLength]
	return Key{text + checksum(text)}
}

// Parse reads a key. There is one spelling of each: no other case, no space, nothing before or behind. Whether such a key was
// ever given to anybody it cannot say. The error is [ErrMalformed].
func Parse(text string) (Key, error) {
	// The length comes first, so that what is long costs nothing.
	if len(text) != keyLength || text[:len(Prefix)] != Prefix || text[secretAt-1] != '_' {
		return Key{}, ErrMalformed
	}
	if !isBase32(text[len(Prefix):secretAt-1]) || !isBase32(text[secretAt:]) || text[checksumAt:] != checksum(text[:checksumAt]) {
		return Key{}, ErrMalformed
	}
	return Key{text}, nil
}

// checksum is the CRC-32 (IEEE) of a key up to where the checksum stands. It protects from accidents and from nobody.
func checksum(text string) string {
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(text)))
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum)
}

func isBase32(s string) bool {
	for i := range len(s) {
		if strings.IndexByte(alphabet, s[i]) < 0 {
			return false
		}
	}
	return true
}

// ID returns what the record of the key is found by. It is no secret. That of the zero Key is empty.
func (k Key) ID() string {
	if k.text == "" {
		return ""
	}
	return k.text[len(Prefix) : secretAt-1]
}

// Reveal returns the whole text, to be shown once to whom the key is for.
func (k Key) Reveal() string { return k.text }

// Hash returns what a program keeps of the key.
func (k Key) Hash() Hash { return sha256.Sum256([]byte(k.text)) }

// LogValue keeps keys out of logs.
func (Key) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// String keeps keys out of messages.
func (Key) String() string { return "[redacted]" }

// GoString keeps keys out of messages.
func (Key) GoString() string { return "apikey.Key{[redacted]}" }

// MarshalText keeps keys out of what is written as JSON by mistake: it is an error.
func (Key) MarshalText() ([]byte, error) {
	return nil, errors.New("apikey: a key is written by Reveal alone")
}

// Hash is the SHA-256 of a key's text. The zero Hash is that of none.
type Hash [sha256.Size]byte

// Matches reports whether h is the hash of k, in a time that does not depend on what differs.
func (h Hash) Matches(k Key) bool {
	of := k.Hash()
	return subtle.ConstantTimeCompare(h[:], of[:]) == 1
}
