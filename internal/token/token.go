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
	"time"

	"github.com/google/uuid"

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
	typ    string
	own    *jwt.Verifier
	legacy *jwt.Verifier // nil when there are no legacy tokens
	keys   []store.SigningKey
	jwks   []byte
}

// Open returns a Service. Without a secret it signs with the newest key in the store, and makes the first one there.
func Open(ctx context.Context, keys store.Keys, cfg Config) (*Service, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Service{cfg: cfg}
	types := []string{"at+jwt"}
	var verify []*jwt.Key
	if len(cfg.Secret) > 0 {
		key, err := jwt.NewSecretKey(jwt.HS256, cfg.Secret, jwt.KeyOptions{InsecureAllowShortSecret: cfg.InsecureAllowShortSecret})
		if err != nil {
			return nil, fmt.Errorf("jwt.secret: %w", err)
		}
		s.sign, s.typ, verify, types = key, "JWT", []*jwt.Key{key}, []string{"JWT", "at+jwt", ""}
	} else {
		own, err := s.openKeys(ctx, keys)
		if err != nil {
			return nil, err
		}
		s.sign, s.typ, verify = own[0], "at+jwt", own
	}
	if err := s.publish(verify); err != nil {
		return nil, err
	}
	set, err := jwt.NewStaticKeys(verify...)
	if err != nil {
		return nil, err
	}
	s.own, err = jwt.NewVerifier(set, jwt.Expect{Issuer: cfg.Issuer, Audience: cfg.Audience, Type: types, Leeway: Leeway, Now: cfg.Now})
	if err != nil {
		return nil, err
	}
	if len(cfg.LegacySecret) > 0 {
		s.legacy, err = legacyVerifier(cfg)
	}
	return s, err
}

// User is whom a token is made for.
type User struct{ ID, Email string }

// Access is an access token.
type Access struct {
	Token string
	TTL   time.Duration
}

// userClaim keeps the shape that the founding app gave its tokens.
type userClaim struct {
	ID    string `json:"_id"`
	Email string `json:"email"`
}

// Mint returns a new access token for u in the session of that id.
func (s *Service) Mint(u User, session string) (Access, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Access{}, err
	}
	now := s.cfg.Now()
	signed, err := jwt.Sign(s.sign, s.typ, jwt.Claims{
		Issuer: s.cfg.Issuer, Audience: []string{s.cfg.Audience}, Subject: u.ID, ID: id.String(),
		IssuedAt: now, ExpiresAt: now.Add(s.cfg.TTL),
		Extra: map[string]any{"sid": session, "user": userClaim(u)},
	})
	return Access{Token: signed, TTL: s.cfg.TTL}, err
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

// Holder is whom a verified token speaks for.
type Holder struct {
	User
	// Legacy says that the founding app made the token: it may live for ever, so its user must be looked up.
	Legacy bool
}

// HolderOf returns whom a token that Verify returned speaks for; false when it does not say.
func HolderOf(t *jwt.Token) (h Holder, ok bool) {
	h.ID, ok = t.String("user", "_id")
	h.Email, _ = t.String("user", "email")
	h.Legacy = isLegacy(t)
	if !ok {
		if _, hasUser := t.Claim("user"); !hasUser { // a service that shares the secret may name the user by sub alone
			h.ID = t.Subject
		}
	}
	return h, h.ID != "" && (h.Legacy || t.Subject == h.ID)
}

func legacyVerifier(cfg Config) (*jwt.Verifier, error) {
	key, err := jwt.NewSecretKey(jwt.HS256, cfg.LegacySecret, jwt.KeyOptions{InsecureAllowShortSecret: true})
	if err != nil {
		return nil, fmt.Errorf("jwt.legacy_secret_file: %w", err)
	}
	return jwt.NewVerifier(jwt.StaticKeys{key}, jwt.Expect{
		InsecureAnyIssuer: true, InsecureAnyAudience: true, InsecureAllowNoExpiry: true,
		Leeway: Leeway, Now: cfg.Now,
	})
}

func (s *Service) legacyAccepted() bool {
	return s.legacy != nil && s.cfg.Now().Before(s.cfg.LegacyUntil)
}

// isLegacy reports whether the founding app made t. It named no issuer; a token that names one must pass as ours,
// even when both secrets are the same.
func isLegacy(t *jwt.Token) bool {
	if t.Issuer != "" {
		return false
	}
	_, hasIssuer := t.Claim("iss")
	_, hasUser := t.String("user", "_id")
	return !hasIssuer && hasUser
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
