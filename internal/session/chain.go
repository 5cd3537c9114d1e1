package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"time"
)

// chain is what a session's record has of its refresh tokens: enough to know the newest three again, and to give whoever
// presents an older one of them the same successor as before. No token can be read out of it.
type chain struct {
	// newest is the hash of the token of the session's generation.
	newest [sha256.Size]byte
	// parent leads from the generation before to the newest, and grandparent to the parent.
	// They are empty in a session that is too young for them.
	parent, grandparent link
	// usedAt is when the parent was first used, which made the newest. From then on the grandparent is good for the
	// grace only.
	usedAt time.Time
}

// link is a token that was used: its hash, and its successor's secret sealed under a key that derives from the token.
type link struct {
	hash   [sha256.Size]byte
	sealed [sealedBytes]byte
}

const (
	nonceBytes  = 12
	sealedBytes = nonceBytes + secretBytes + 16
	linkBytes   = sha256.Size + sealedBytes
	chainFormat = 1
	chainBytes  = 1 + 8 + sha256.Size + 2*linkBytes
)

var errChain = errors.New("session: the record of a session's refresh tokens is not readable")

// next returns the chain after token, the newest one, was used and made successor.
func (c chain) next(token, successor refreshToken, now time.Time) chain {
	return chain{
		newest:      successor.hash(),
		parent:      link{hash: token.hash(), sealed: token.seal(successor)},
		grandparent: c.parent,
		usedAt:      now,
	}
}

// is reports whether the link is of that token.
func (l *link) is(t refreshToken) bool {
	h := t.hash()
	return subtle.ConstantTimeCompare(l.hash[:], h[:]) == 1
}

// successor opens what the token leads to.
func (l *link) successor(t refreshToken) (refreshToken, error) {
	next := refreshToken{session: t.session, generation: t.generation + 1}
	nonce, text := l.sealed[:nonceBytes], l.sealed[nonceBytes:]
	secret, err := t.aead().Open(next.secret[:0], nonce, text, nil)
	if err != nil || len(secret) != secretBytes {
		return refreshToken{}, errChain
	}
	return next, nil
}

// hash returns what a record knows the token by. The secret has 256 random bits: there is nothing to be searched.
func (t refreshToken) hash() [sha256.Size]byte {
	return sha256.Sum256(append([]byte("countersign refresh token\x00"), t.secret[:]...))
}

// seal returns the secret of successor, readable to who has t.
func (t refreshToken) seal(successor refreshToken) (sealed [sealedBytes]byte) {
	nonce := sealed[:nonceBytes]
	_, _ = rand.Read(nonce) // never fails
	t.aead().Seal(nonce, nonce, successor.secret[:], nil)
	return sealed
}

func (t refreshToken) aead() cipher.AEAD {
	key, err := hkdf.Expand(sha256.New, t.secret[:], "countersign refresh successor", 32)
	if err != nil { // the length is one that it gives
		panic(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

// encode returns the chain as it stands in the record.
func (c *chain) encode() []byte {
	b := make([]byte, 0, chainBytes)
	b = append(b, chainFormat)
	b = binary.BigEndian.AppendUint64(b, uint64(unixMicro(c.usedAt)))
	b = append(b, c.newest[:]...)
	for _, l := range []*link{&c.parent, &c.grandparent} {
		b = append(b, l.hash[:]...)
		b = append(b, l.sealed[:]...)
	}
	return b
}

func decodeChain(b []byte) (c chain, err error) {
	if len(b) != chainBytes || b[0] != chainFormat {
		return c, errChain
	}
	if used := int64(binary.BigEndian.Uint64(b[1:])); used != 0 {
		c.usedAt = time.UnixMicro(used)
	}
	b = b[9:]
	b = b[copy(c.newest[:], b):]
	for _, l := range []*link{&c.parent, &c.grandparent} {
		b = b[copy(l.hash[:], b):]
		b = b[copy(l.sealed[:], b):]
	}
	return c, nil
}

func unixMicro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}
