// Package token signs the access tokens of this server and says whose a token is.
//
// Under the server's own keys a token has the type at+jwt (RFC 9068), exactly. Under a shared secret it has the type
// JWT, and JWT, at+jwt or none are accepted, because services that share the secret mint tokens too. Tokens of the
// founding Express app are a third kind, accepted for a time.
package token

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/jwt/jwk"
)

// Config says how tokens are signed and which are accepted.
type Config struct {
	// Issuer and Audience are the iss and aud of tokens.
	Issuer, Audience string
	// TTL is how long an access token lives.
	TTL time.Duration
	// Secret, when not empty, signs with HS256 instead of with a key from the store.
	Secret                   []byte
	InsecureAllowShortSecret bool
	// LegacySecret is the founding app's. Its tokens are accepted until LegacyUntil. Empty accepts none.
	LegacySecret []byte
	LegacyUntil  time.Time
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Leeway is how far the clocks of the services that mint and check tokens may differ.
const Leeway = 30 * time.Second

// Service signs and verifies. It is safe for concurrent use.
type Service struct {
	cfg    Config
	sign   *jwt.Key
	verify []*jwt.Key
	typ    string
	own    *jwt.Verifier
	legacy *jwt.Verifier // nil when there are no legacy tokens
	// legacyKey is what legacy verifies with.
	legacyKey *jwt.Key
	keys      []store.SigningKey
	jwks      []byte
}

// Open returns a Service. Without a secret it signs with the newest key in the store, and makes the first one there.
func Open(ctx context.Context, keys store.Keys, cfg Config) (*Service, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Service{cfg: cfg}
	types := []string{"at+jwt"}
	if len(cfg.Secret) > 0 {
		key, err := jwt.NewSecretKey(jwt.HS256, cfg.Secret, jwt.KeyOptions{InsecureAllowShortSecret: cfg.InsecureAllowShortSecret})
		if err != nil {
			return nil, fmt.Errorf("jwt.secret: %w", err)
		}
		s.sign, s.typ, s.verify, types = key, "JWT", []*jwt.Key{key}, []string{"JWT", "at+jwt", ""}
	} else {
		own, err := s.openKeys(ctx, keys)
		if err != nil {
			return nil, err
		}
		s.sign, s.typ, s.verify = own[0], "at+jwt", own
	}
	if err := s.publish(s.verify); err != nil {
		return nil, err
	}
	set, err := jwt.NewStaticKeys(s.verify...)
	if err != nil {
		return nil, err
	}
	s.own, err = jwt.NewVerifier(set, jwt.Expect{Issuer: cfg.Issuer, Audience: cfg.Audience, Type: types, Leeway: Leeway, Now: cfg.Now})
	if err != nil {
		return nil, err
	}
	if len(cfg.LegacySecret) > 0 {
		err = s.acceptLegacy()
	}
	return s, err
}

// Verify returns the token if it is one of ours, or of the founding app while those are accepted.
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
// token of the founding app, those are still accepted. It is for caches, and says nothing of the rest.
func (s *Service) Live(t *jwt.Token) bool {
	return slices.Contains(s.verify, t.Key) || s.legacyKey != nil && t.Key == s.legacyKey && s.legacyAccepted()
}

// Lifetime is how long after its making a token may still be taken somewhere: its time to live, and the leeway of who made it
// and of who checks it. So long a revocation must be kept, and a key that signs no more.
func (s *Service) Lifetime() time.Duration { return s.cfg.TTL + 2*Leeway }

// Run keeps the keys as the store has them, until ctx ends.
func (s *Service) Run(ctx context.Context) { <-ctx.Done() }

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

// publish prepares the JWK set of the public halves. A shared secret has none.
func (s *Service) publish(keys []*jwt.Key) (err error) {
	var public []*jwt.Key
	for _, k := range keys {
		if p := k.Public(); p != nil {
			public = append(public, p)
		}
	}
	s.jwks, err = jwk.MarshalSet(public...)
	return err
}
