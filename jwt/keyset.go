package jwt

import (
	"context"
)

// KeySet finds the keys that a token may have been signed with. Implementations must be safe for concurrent
// use.
type KeySet interface {
	// Keys returns the candidates for a token with this header, best first: by key ID when the header has one.
	// The header is not verified yet, so nothing in it is more than a key to look up.
	//
	// The verifier itself passes over candidates that are bound to another algorithm or have another ID than
	// the header's. No candidate at all is not an error: the token is then refused with [ErrUnknownKey].
	// An error means that the keys could not be looked up, and says nothing of the token; the verifier returns
	// it wrapped in [ErrKeysUnavailable].
	Keys(ctx context.Context, h Header) ([]*Key, error)
}

// Header is the part of a JOSE header (RFC 7515 section 4.1) that means something here. Until a token is
// verified, everything in it is the claim of whoever sent it.
type Header struct {
	Algorithm   string // "alg"
	Type        string // "typ", empty when absent
	KeyID       string // "kid", empty when absent; at most 256 bytes
	ContentType string // "cty", empty when absent
}

// StaticKeys is a [KeySet] that does not change. Use [NewStaticKeys], which refuses a set that cannot work.
type StaticKeys []*Key

// NewStaticKeys returns a set of these keys. It refuses no keys at all, a nil key, and two keys with one ID.
// Keys without an ID are allowed, and are tried for tokens whose "kid" no other key has.
func NewStaticKeys(keys ...*Key) (StaticKeys, error) {
	s := append(StaticKeys(nil), keys...)
	if err := s.validate(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s StaticKeys) validate() error {
	if len(s) == 0 {
		return keyErrorf("the set has no keys")
	}
	seen := make(map[string]bool, len(s))
	for _, k := range s {
		if k == nil || k.m == nil {
			return keyErrorf("the set has a nil key")
		}
		if k.id != "" && seen[k.id] {
			return keyErrorf("two keys of the set have the ID %q", k.id)
		}
		seen[k.id] = true
	}
	return nil
}

// Keys returns the key with the header's ID, or else the keys without an ID; all keys when the header has none.
func (s StaticKeys) Keys(_ context.Context, h Header) ([]*Key, error) {
	if h.KeyID == "" {
		return s, nil
	}
	for i, k := range s {
		if k != nil && k.id == h.KeyID {
			return s[i : i+1 : i+1], nil
		}
	}
	var anonymous []*Key
	for _, k := range s {
		if k != nil && k.id == "" {
			anonymous = append(anonymous, k)
		}
	}
	return anonymous, nil
}

// named reports whether the token's kid can mean k: an unnamed key or an unnamed token leave it open.
func (k *Key) named(kid string) bool {
	return k != nil && k.m != nil && (kid == "" || k.id == "" || k.id == kid)
}

// fits reports whether k may verify a token with this header.
func (k *Key) fits(h Header) bool { return k.named(h.KeyID) && string(k.alg) == h.Algorithm }
