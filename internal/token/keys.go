package token

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign-auth/countersign/internal/seal"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/jwt/jwk"
)

// Sentinels of the changes to the keys.
var (
	// ErrShared says that a secret that other services have signs the tokens: there is nothing to rotate.
	ErrShared = errors.New("tokens are signed with the shared jwt.secret; there are no other keys")
	// ErrSigns says that the key signs, and so cannot be deleted.
	ErrSigns = errors.New("the key signs the tokens")
	// ErrTooMany says that there are as many keys as verifiers can be expected to read.
	ErrTooMany = errors.New("there are too many keys already")
)

// maxKeys bounds the keys: whoever reads a JWK set bounds it too.
const maxKeys = 50

// openRing reads the keys, and makes the first one if there is none. Of several servers that start on an empty store, one
// makes it and all use it. Unlike later, every key must open.
func (s *Service) openRing(ctx context.Context) error {
	records, err := s.store.SigningKeys(ctx)
	if err == nil && len(records) == 0 {
		if err = s.firstKey(ctx); err == nil {
			records, err = s.store.SigningKeys(ctx)
		}
	}
	if err != nil {
		return fmt.Errorf("signing keys: %w", err)
	}
	keys, err := s.unsealAll(records)
	if err != nil {
		return err
	}
	r, err := newRing(keys, s.Lifetime(), s.cfg.Now(), s.cfg.Steady())
	if err != nil {
		return err
	}
	r.newest = records[0].ID
	s.ring.Store(r)
	return nil
}

func (s *Service) firstKey(ctx context.Context) error {
	key, err := generate(orElse(s.cfg.Algorithm, jwt.ES256))
	if err != nil {
		return err
	}
	now := s.cfg.Now()
	record, err := s.record(key, now, now)
	if err != nil {
		return err
	}
	err = s.store.AddKey(ctx, record, "")
	if errors.Is(err, store.ErrConflict) {
		return nil // another server was faster
	}
	return err
}

func orElse(a, b jwt.Algorithm) jwt.Algorithm {
	if a == "" {
		return b
	}
	return a
}

// generate makes a key with an id of its own, which no command line takes for a flag.
func generate(alg jwt.Algorithm) (*jwt.Key, error) {
	for {
		key, err := jwt.GenerateKey(alg, jwt.KeyOptions{})
		if err == nil {
			key, err = named(key)
		}
		if err != nil || !strings.HasPrefix(key.ID(), "-") {
			return key, err
		}
	}
}

// named returns the key with an id: the one that it has, its thumbprint, or a random one for a secret, whose thumbprint would
// tell something of it.
func named(key *jwt.Key) (*jwt.Key, error) {
	if key.ID() != "" {
		return key, nil
	}
	if key.Algorithm().Symmetric() {
		random := make([]byte, 16)
		_, _ = rand.Read(random) // never fails
		return jwt.NewSecretKey(key.Algorithm(), key.Secret(), jwt.KeyOptions{ID: base64.RawURLEncoding.EncodeToString(random)})
	}
	id, err := jwk.Thumbprint(key)
	if err != nil {
		return nil, err
	}
	return jwt.NewPrivateKey(key.Algorithm(), key.PrivateKey(), jwt.KeyOptions{ID: id})
}

// record returns the key as the store keeps it.
func (s *Service) record(key *jwt.Key, createdAt, signsAt time.Time) (k store.SigningKey, err error) {
	secret, err := private(key)
	if err != nil {
		return k, err
	}
	k = store.SigningKey{ID: key.ID(), Algorithm: string(key.Algorithm()), CreatedAt: createdAt, SignsAt: signsAt}
	kind, id := SealedAs(k)
	k.Private = s.cfg.Box.Seal(kind, id, secret)
	return k, nil
}

// unsealAll returns the keys of the records that can be opened, and what is wrong with the others.
func (s *Service) unsealAll(records []store.SigningKey) (keys []ringKey, err error) {
	for _, r := range records {
		k, faulty := s.unsealAnew(r)
		if faulty != nil {
			err = errors.Join(err, fmt.Errorf("signing key %s: %w", r.ID, faulty))
		}
		if k.Key != nil {
			keys = append(keys, ringKey{Key: k.Key, sealed: k.sealed, createdAt: r.CreatedAt, signsAt: r.SignsAt})
		}
	}
	return keys, err
}

// unsealAnew opens a record if it is not as it was. A key that is only sealed anew keeps its place in memory, where caches
// know it; even if it is sealed under a master key that is not at hand.
func (s *Service) unsealAnew(r store.SigningKey) (ringKey, error) {
	known := s.ring.Load().find(r.ID, jwt.Algorithm(r.Algorithm))
	if known.Key != nil && bytes.Equal(known.sealed, r.Private) {
		return known, nil
	}
	key, err := s.unseal(r)
	switch {
	case err == nil && known.Key != nil && same(known.Key, key):
		key = known.Key
	case errors.Is(err, seal.ErrOtherKey):
		return known, err
	}
	return ringKey{Key: key, sealed: r.Private}, err
}

// same reports whether two keys of one algorithm are one.
func same(a, b *jwt.Key) bool {
	one, err1 := private(a)
	other, err2 := private(b)
	return err1 == nil && err2 == nil && bytes.Equal(one, other)
}

// private returns what is sealed of a key: the secret, or the private half as PKCS#8.
func private(key *jwt.Key) ([]byte, error) {
	if secret := key.Secret(); secret != nil {
		return secret, nil
	}
	return key.MarshalPKCS8()
}

func (s *Service) unseal(k store.SigningKey) (*jwt.Key, error) {
	kind, id := SealedAs(k)
	secret, err := s.cfg.Box.Open(kind, id, k.Private)
	if err != nil {
		return nil, err
	}
	alg, opt := jwt.Algorithm(k.Algorithm), jwt.KeyOptions{ID: k.ID}
	if alg.Symmetric() {
		return jwt.NewSecretKey(alg, secret, opt)
	}
	return jwt.ParsePKCS8(alg, secret, opt)
}

// Rotate makes a new key, which signs when it has been published for long enough or, atOnce, now. The keys before it verify
// until their last tokens have expired. [store.ErrConflict] says that somebody else has just added a key.
func (s *Service) Rotate(ctx context.Context, atOnce bool) (KeyInfo, error) {
	return s.rotate(ctx, atOnce, "")
}

// rotate is Rotate, but that it adds no key if the one written last has another id than newest. An empty one is any.
func (s *Service) rotate(ctx context.Context, atOnce bool, newest string) (KeyInfo, error) {
	if s.shared() {
		return KeyInfo{}, ErrShared
	}
	key, err := generate(orElse(s.cfg.Algorithm, s.ring.Load().keys[0].Algorithm()))
	if err != nil {
		return KeyInfo{}, err
	}
	return s.add(ctx, key, atOnce, newest)
}

// Import adds a private key or secret that was made elsewhere, as Rotate adds a new one. Without an id it gets its thumbprint.
func (s *Service) Import(ctx context.Context, key *jwt.Key, atOnce bool) (KeyInfo, error) {
	switch {
	case s.shared():
		return KeyInfo{}, ErrShared
	case !key.CanSign():
		return KeyInfo{}, errors.New("it is a public key; only a private one can sign")
	case !slices.Contains(Algorithms(), key.Algorithm()):
		return KeyInfo{}, fmt.Errorf("its algorithm is %s, and must be one of %v", key.Algorithm(), Algorithms())
	}
	key, err := named(key)
	if err != nil {
		return KeyInfo{}, err
	}
	return s.add(ctx, key, atOnce, "")
}

func (s *Service) add(ctx context.Context, key *jwt.Key, atOnce bool, newest string) (KeyInfo, error) {
	records, err := s.store.SigningKeys(ctx)
	switch {
	case err != nil:
		return KeyInfo{}, fmt.Errorf("signing keys: %w", err)
	case len(records) >= maxKeys:
		return KeyInfo{}, fmt.Errorf("%w: %d, of which each goes %v after it has last signed", ErrTooMany, len(records), s.Lifetime()+keepOver)
	}
	if newest == "" && len(records) > 0 {
		newest = records[0].ID
	}
	now := s.cfg.Now()
	signsAt := now
	if !atOnce {
		signsAt = now.Add(s.cfg.PublishAhead)
	}
	record, err := s.record(key, now, signsAt)
	if err != nil {
		return KeyInfo{}, err
	}
	if err := s.store.AddKey(ctx, record, newest); err != nil {
		return KeyInfo{}, fmt.Errorf("signing key %s: %w", key.ID(), err)
	}
	_ = s.follow.wait(ctx) // the key is there, whether it can be read back just now or not
	state := Pending
	if atOnce {
		state = Signing
	}
	return KeyInfo{ID: key.ID(), Algorithm: key.Algorithm(), State: state, CreatedAt: now, SignsAt: signsAt, Public: key.Public()}, nil
}

// Retire deletes a key at once: its tokens are refused from now on, everywhere within a second. ErrSigns if it is the one
// that signs, [store.ErrNotFound] if there is none.
func (s *Service) Retire(ctx context.Context, id string) error {
	if s.shared() {
		return ErrShared
	}
	if err := s.follow.wait(ctx); err != nil {
		return err
	}
	r := s.ring.Load()
	if r.keys[r.signing(s.cfg.Now())].ID() == id {
		return ErrSigns
	}
	if err := s.store.DeleteKey(ctx, id); err != nil {
		return fmt.Errorf("signing key %s: %w", id, err)
	}
	return s.follow.wait(ctx)
}
