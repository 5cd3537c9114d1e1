// Package token signs the access tokens of this server and says whose a token is.
//
// Under the server's own keys a token has the type at+jwt (RFC 9068), exactly, and names its key. Under a shared secret it
// has the type JWT, and JWT, at+jwt or none are accepted, because services that share the secret mint tokens too. Tokens of
// the founding Express app are a third kind, accepted for a time.
package token

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/countersign-auth/countersign/internal/seal"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/jwt"
)

// Config says how tokens are signed and which are accepted.
type Config struct {
	// Issuer and Audience are the iss and aud of tokens.
	Issuer, Audience string
	// TTL is how long an access token lives.
	TTL time.Duration
	// LongestTTL, if not nil, says for how long one may have been made that is out, whoever made it.
	LongestTTL func() time.Duration
	// Secret, when not empty, signs with HS256 instead of with a key from the store.
	Secret                   []byte
	InsecureAllowShortSecret bool
	// Box seals the keys in the store. Without a Secret it is required.
	Box *seal.Box
	// Algorithm is that of new keys. Empty means that of the newest key, and ES256 for the first one.
	Algorithm jwt.Algorithm
	// RotateEvery is for how long a key signs before the next one does; 0 means until somebody rotates.
	RotateEvery time.Duration
	// PublishAhead is for how long a key is published before it signs. 0 means 10 minutes.
	PublishAhead time.Duration
	// Claims are what tokens say of their users beside the claims that all have.
	Claims Template
	// LegacySecret is the founding app's. Its tokens are accepted until LegacyUntil. Empty accepts none.
	LegacySecret []byte
	LegacyUntil  time.Time
	// Log receives what goes wrong while keys are followed; nil means none.
	Log *slog.Logger
	// Now is the clock; nil means time.Now. Steady is one that does not jump ahead, for what cannot be undone; nil means Now.
	Now, Steady func() time.Time
}

// Leeway is how far the clocks of the services that mint and check tokens may differ.
const Leeway = 30 * time.Second

const defaultPublishAhead = 10 * time.Minute

// Algorithms returns those that the server's own keys may have.
func Algorithms() []jwt.Algorithm {
	return []jwt.Algorithm{jwt.ES256, jwt.RS256, jwt.PS256, jwt.ES384, jwt.EdDSA, jwt.HS256}
}

// Service signs and verifies. It is safe for concurrent use.
type Service struct {
	cfg   Config
	typ   string
	store store.Keys
	// ring is what signs and verifies now. Under a shared secret it has that alone, and never changes.
	ring   atomic.Pointer[ring]
	follow follower
	wake   chan struct{} // has something in it when Run is to read the keys at once
	own    *jwt.Verifier
	legacy *jwt.Verifier // nil when there are no legacy tokens
	// legacyKey is what legacy verifies with.
	legacyKey *jwt.Key
	complain  complaints
}

// Open returns a Service. Without a secret it signs with the keys in the store, and makes the first one there.
func Open(ctx context.Context, keys store.Keys, cfg Config) (*Service, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Steady == nil {
		cfg.Steady = cfg.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.PublishAhead == 0 {
		cfg.PublishAhead = defaultPublishAhead
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Service{
		cfg: cfg, store: keys, wake: make(chan struct{}, 1), complain: complaints{log: cfg.Log, said: map[string]time.Time{}},
	}
	s.follow.load = s.load
	var set jwt.KeySet = keySet{s}
	types := []string{"at+jwt"}
	if len(cfg.Secret) > 0 {
		key, err := jwt.NewSecretKey(jwt.HS256, cfg.Secret, jwt.KeyOptions{InsecureAllowShortSecret: cfg.InsecureAllowShortSecret})
		if err != nil {
			return nil, fmt.Errorf("jwt.secret: %w", err)
		}
		set, s.typ, types = jwt.StaticKeys{key}, "JWT", []string{"JWT", "at+jwt", ""}
		s.ring.Store(sharedRing(key))
	} else {
		s.typ = "at+jwt"
		if err := s.openRing(ctx); err != nil {
			return nil, err
		}
	}
	var err error
	s.own, err = jwt.NewVerifier(set, jwt.Expect{Issuer: cfg.Issuer, Audience: cfg.Audience, Type: types, Leeway: Leeway, Now: cfg.Now})
	if err != nil {
		return nil, err
	}
	if len(cfg.LegacySecret) > 0 {
		err = s.acceptLegacy()
	}
	return s, err
}

func (cfg *Config) validate() error {
	switch shared := len(cfg.Secret) > 0; {
	case cfg.Algorithm != "" && !slices.Contains(Algorithms(), cfg.Algorithm):
		return fmt.Errorf("token: the algorithm %q is none of %v", cfg.Algorithm, Algorithms())
	case shared && cfg.Algorithm != "" && cfg.Algorithm != jwt.HS256:
		return errors.New("token: a shared secret signs with HS256 alone")
	case !shared && cfg.Box == nil:
		return errors.New("token: keys need a box to be sealed in")
	case cfg.TTL <= 0:
		return errors.New("token: tokens must live for a while")
	case cfg.PublishAhead < 0 || cfg.RotateEvery < 0:
		return errors.New("token: the times of the rotation must not be negative")
	case cfg.RotateEvery > 0 && cfg.RotateEvery <= cfg.PublishAhead+Lifetime(cfg.TTL):
		return fmt.Errorf("token: keys must sign for longer than the %v in which a new one is published and the last tokens of an old one expire",
			cfg.PublishAhead+Lifetime(cfg.TTL))
	}
	return nil
}

// shared reports whether a secret that other services have too signs the tokens.
func (s *Service) shared() bool { return len(s.cfg.Secret) > 0 }

// Verify returns the token if it is one of ours, or of the founding app while those are accepted. A token that names a key
// which is not known here may be of another node's newest one: then the keys are read again first.
func (s *Service) Verify(ctx context.Context, token string) (*jwt.Token, error) {
	t, err := s.own.Verify(ctx, token)
	if err == nil || errors.Is(err, jwt.ErrKeysUnavailable) || !s.legacyAccepted() {
		return t, err
	}
	if old, oldErr := s.legacy.Verify(ctx, token); oldErr == nil && isLegacy(old) {
		return old, nil
	}
	return nil, err
}

// Explain says of each check whether the token passes it. A token of the founding app is explained as such while
// those are accepted and it passes.
func (s *Service) Explain(ctx context.Context, token string) jwt.Explanation {
	if s.legacyAccepted() {
		if old, err := s.legacy.Verify(ctx, token); err == nil && isLegacy(old) {
			return s.legacy.Explain(ctx, token)
		}
	}
	return s.own.Explain(ctx, token)
}

// Live reports whether t, which Verify returned, would still be taken for its key: that key still verifies or, of a
// token of the founding app, those are still accepted. It is for caches, costs tens of nanoseconds, and says nothing of the rest.
func (s *Service) Live(t *jwt.Token) bool {
	if s.ring.Load().holds(t.Key) {
		return true
	}
	return s.legacyKey != nil && t.Key == s.legacyKey && s.legacyAccepted()
}

// Shared reports whether tokens are signed with a secret that other services may have too, and mint with.
func (s *Service) Shared() bool { return s.shared() }

// Lifetime is how long after its making a token may still be taken somewhere: its time to live, and the leeway of who made it
// and of who checks it. So long a revocation must be kept, and a key that signs no more.
func (s *Service) Lifetime() time.Duration {
	if s.cfg.LongestTTL == nil {
		return Lifetime(s.cfg.TTL)
	}
	return Lifetime(max(s.cfg.TTL, s.cfg.LongestTTL()))
}

// Lifetime is [Service.Lifetime] for tokens that live for ttl.
func Lifetime(ttl time.Duration) time.Duration { return ttl + 2*Leeway }

func (s *Service) acceptLegacy() (err error) {
	s.legacyKey, err = jwt.NewSecretKey(jwt.HS256, s.cfg.LegacySecret, jwt.KeyOptions{InsecureAllowShortSecret: true})
	if err != nil {
		return fmt.Errorf("jwt.legacy_secret_file: %w", err)
	}
	s.legacy, err = jwt.NewVerifier(jwt.StaticKeys{s.legacyKey}, jwt.Expect{
		InsecureAnyIssuer: true, InsecureAnyAudience: true, InsecureAllowNoExpiry: true,
		Leeway: Leeway, Now: s.cfg.Now,
	})
	return err
}

func (s *Service) legacyAccepted() bool {
	return s.legacy != nil && s.cfg.Now().Before(s.cfg.LegacyUntil)
}
