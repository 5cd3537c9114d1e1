// Package seal keeps secrets at rest: what the store holds of them opens only with the master key, and only as the
// record that it was sealed as.
//
// A sealed record is a version byte, the 8 bytes that name the master key, a random nonce of 12 bytes, and AES-256-GCM's
// ciphertext with its tag. The kind and the id of the record are its additional data, so that whoever can write to the
// database cannot put one record in another's place.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// Sentinels of [Box.Open].
var (
	// ErrNotSealed says that the record is none that Seal made: an earlier version of the server wrote secrets in the clear.
	ErrNotSealed = errors.New("seal: not sealed")
	// ErrOtherKey says that the record is sealed under a master key that is not at hand.
	ErrOtherKey = errors.New("seal: sealed under another master key")
	// ErrDamaged says that the record was changed, or was sealed as another one.
	ErrDamaged = errors.New("seal: damaged, or in another record's place")
)

// Size is the length of a master key, in bytes.
const Size = 32

const (
	version = 0xc5 // no DER, PEM or JSON begins with it
	idBytes = 8
	header  = 1 + idBytes
	// overhead is how much longer a record is than its secret: header, nonce and tag.
	overhead = header + 12 + 16
)

// ID names a master key and tells nothing of it.
type ID [idBytes]byte

// String returns the ID as hex digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Box seals and opens secrets. It is safe for concurrent use.
type Box struct{ keys []masterKey }

type masterKey struct {
	id   ID
	aead cipher.AEAD
}

// New returns a Box that seals under the first master key, and opens what is sealed under any.
func New(masters ...[]byte) (*Box, error) {
	if len(masters) == 0 {
		return nil, errors.New("seal: no master key")
	}
	b := &Box{}
	for i, master := range masters {
		if len(master) != Size {
			return nil, fmt.Errorf("seal: master key %d has %d bytes, must have %d", i+1, len(master), Size)
		}
		k, err := derive(master)
		if err != nil {
			return nil, fmt.Errorf("seal: %w", err)
		}
		if b.holds(k.id) {
			return nil, fmt.Errorf("seal: master key %d is there twice", i+1)
		}
		b.keys = append(b.keys, k)
	}
	return b, nil
}

// derive returns what seals under a master key. Both its name and its AES key derive from it (RFC 5869), so that the name
// tells nothing and the master key itself encrypts nothing.
func derive(master []byte) (k masterKey, err error) {
	id, err := hkdf.Key(sha256.New, master, nil, "countersign master key id", idBytes)
	if err != nil {
		return k, err
	}
	key, err := hkdf.Key(sha256.New, master, nil, "countersign seal aes-256-gcm", 32)
	if err != nil {
		return k, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return k, err
	}
	k.id = ID(id)
	k.aead, err = cipher.NewGCMWithRandomNonce(block)
	return k, err
}

// ID names the master key that Seal uses.
func (b *Box) ID() ID { return b.keys[0].id }

// Seal returns secret as the record of that kind and id.
func (b *Box) Seal(kind, id string, secret []byte) []byte {
	k := b.keys[0]
	record := make([]byte, header, overhead+len(secret))
	record[0] = version
	copy(record[1:], k.id[:])
	return k.aead.Seal(record, nil, secret, additional(record[:header], kind, id))
}

// Open returns the secret in the record of that kind and id.
func (b *Box) Open(kind, id string, record []byte) ([]byte, error) {
	sealedBy, ok := KeyOf(record)
	if !ok {
		return nil, ErrNotSealed
	}
	at := b.find(sealedBy)
	if at < 0 {
		return nil, fmt.Errorf("%w: it needs %s, and %s is at hand", ErrOtherKey, sealedBy, b.ID())
	}
	secret, err := b.keys[at].aead.Open(nil, nil, record[header:], additional(record[:header], kind, id))
	if err != nil {
		return nil, ErrDamaged
	}
	return secret, nil
}

// Current reports whether record is sealed under the master key that Seal uses.
func (b *Box) Current(record []byte) bool {
	id, ok := KeyOf(record)
	return ok && id == b.ID()
}

// KeyOf returns the master key that record says it is sealed under; false when it is not sealed.
func KeyOf(record []byte) (id ID, ok bool) {
	if len(record) < overhead || record[0] != version {
		return id, false
	}
	return ID(record[1:header]), true
}

func (b *Box) holds(id ID) bool { return b.find(id) >= 0 }

func (b *Box) find(id ID) int {
	return slices.IndexFunc(b.keys, func(k masterKey) bool { return k.id == id })
}

// additional returns the additional data. The lengths keep apart what would run together.
func additional(head []byte, kind, id string) []byte {
	data := slices.Clone(head)
	for _, part := range []string{kind, id} {
		data = binary.AppendUvarint(data, uint64(len(part)))
		data = append(data, part...)
	}
	return data
}
