package token

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/jwt/jwk"
)

// ring is the keys at one moment. It does not change: another one takes its place.
type ring struct {
	// keys are those that verify, the one written last first. There is at least one.
	keys []ringKey
	// newest is the id of the key written last, which may be none of them.
	newest string
	byID   map[string][]*jwt.Key // each alone, as a jwt.KeySet returns it
	// over are the keys whose last token has expired, and dead the ids of those that can be deleted.
	over []ringKey
	dead []string
	// jwks is the JWK set of the public halves, and etag names it.
	jwks []byte
	etag string
}

// ringKey is a key and its part in the rotation.
type ringKey struct {
	*jwt.Key
	createdAt time.Time
	signsAt   time.Time
	// endsAt is when the last token that the key signed has expired; zero while no other follows it.
	endsAt time.Time
	// sealed is what the store has of it.
	sealed []byte
}

// keepOver is for how long a key is kept, and not used, when its last token has expired: the clock may be wrong.
const keepOver = time.Hour

// newRing returns the ring of these keys, the one written last first. A key signs until one that was written after it does,
// and verifies for a token's lifetime longer. What is dead is told by the steady clock.
func newRing(keys []ringKey, lifetime time.Duration, now, steady time.Time) (*ring, error) {
	r := &ring{byID: make(map[string][]*jwt.Key, len(keys))}
	var signedUntil time.Time // by the keys that were written before
	for _, k := range keys {
		if !signedUntil.IsZero() {
			k.endsAt = signedUntil.Add(lifetime)
		}
		if signedUntil.IsZero() || k.signsAt.Before(signedUntil) {
			signedUntil = k.signsAt
		}
		if k.endsAt.IsZero() || now.Before(k.endsAt) {
			r.keys = append(r.keys, k)
			r.byID[k.ID()] = []*jwt.Key{k.Key}
			continue
		}
		r.over = append(r.over, k)
		if !steady.Before(k.endsAt.Add(keepOver)) {
			r.dead = append(r.dead, k.ID())
		}
	}
	return r, r.publish()
}

// sharedRing is the ring of a secret that other services have too.
func sharedRing(key *jwt.Key) *ring {
	r := &ring{keys: []ringKey{{Key: key}}, byID: map[string][]*jwt.Key{"": {key}}}
	if err := r.publish(); err != nil { // an empty set can be written
		panic(err)
	}
	return r
}

// signing returns the place of the key that signs at now: the last written of those whose time has come. A clock that is
// behind that of whoever made the first key must not be without one.
func (r *ring) signing(now time.Time) int {
	for i := range r.keys {
		if !r.keys[i].signsAt.After(now) {
			return i
		}
	}
	return len(r.keys) - 1
}

// find returns the key of that id and algorithm, used or not; the zero value if there is none.
func (r *ring) find(id string, alg jwt.Algorithm) ringKey {
	if r == nil {
		return ringKey{}
	}
	for _, keys := range [][]ringKey{r.keys, r.over} {
		for _, k := range keys {
			if k.ID() == id && k.Algorithm() == alg {
				return k
			}
		}
	}
	return ringKey{}
}

// holds reports whether key, and not only one of its id, is in the ring.
func (r *ring) holds(key *jwt.Key) bool {
	return slices.ContainsFunc(r.keys, func(k ringKey) bool { return k.Key == key })
}

// publish prepares the JWK set: keys that will sign, that signs, that have signed. Secrets have no public half.
func (r *ring) publish() (err error) {
	var public []*jwt.Key
	for _, k := range r.keys {
		if p := k.Public(); p != nil {
			public = append(public, p)
		}
	}
	if r.jwks, err = jwk.MarshalSet(public...); err != nil {
		return err
	}
	r.etag = etag(r.jwks)
	return nil
}

// etag names a document by its content.
func etag(doc []byte) string {
	sum := sha256.Sum256(doc)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}

// keySet is a [jwt.KeySet] over the ring.
type keySet struct{ s *Service }

// Keys returns the key of the token. Every token that this server signs names one.
func (ks keySet) Keys(ctx context.Context, h jwt.Header) ([]*jwt.Key, error) {
	if keys, ok := ks.s.ring.Load().byID[h.KeyID]; ok {
		return keys, nil
	}
	if h.KeyID == "" {
		return nil, nil
	}
	if err := ks.s.follow.wait(ctx); err != nil {
		return nil, err
	}
	return ks.s.ring.Load().byID[h.KeyID], nil
}

// State is what a key is for.
type State string

// The states of a key, in the order in which it has them.
const (
	Pending   State = "pending"  // published, so that all know it when it signs
	Signing   State = "signs"    // new tokens are signed with it
	Verifying State = "verifies" // its tokens are still good
)

// KeyInfo says what a key is and does.
type KeyInfo struct {
	ID        string
	Algorithm jwt.Algorithm
	State     State
	CreatedAt time.Time
	SignsAt   time.Time
	// EndsAt is when the key's last token has expired; zero while no other follows it.
	EndsAt time.Time
	// Public is the public half; nil for a secret.
	Public *jwt.Key
}

// Keys returns the server's own keys, the one written last first. Under a shared secret there are none.
func (s *Service) Keys() []KeyInfo {
	if s.shared() {
		return nil
	}
	r := s.ring.Load()
	signing := r.signing(s.cfg.Now())
	infos := make([]KeyInfo, len(r.keys))
	for i, k := range r.keys {
		state := Pending
		switch {
		case i == signing:
			state = Signing
		case i > signing:
			state = Verifying
		}
		infos[i] = KeyInfo{k.ID(), k.Algorithm(), state, k.createdAt, k.signsAt, k.endsAt, k.Public()}
	}
	return infos
}

// SealedAs returns the kind and the id that the private part of a key is sealed as. The algorithm is part of it, so that it
// cannot be changed either.
func SealedAs(k store.SigningKey) (kind, id string) { return "signing key", k.Algorithm + " " + k.ID }
