package token

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/jwt"
)

// Grant is what an access token is to say.
type Grant struct {
	// User is whom the token speaks for.
	User store.User
	// Session is the id of the session that the token belongs to.
	Session string
	// AuthAt is when the user proved who they are, and Methods are the ways in which (RFC 8176). Without AuthAt the token
	// does not say that anybody did.
	AuthAt  time.Time
	Methods []string
	// NotAfter is when the token ends at the latest; zero is no bound.
	NotAfter time.Time
}

// Access is an access token.
type Access struct {
	Token string
	TTL   time.Duration
}

// oneFactor is the acr of a login by one factor, in the words of NIST SP 800-63B.
const oneFactor = "aal1"

// ErrEnded says that the token that was asked for would have ended before it began.
var ErrEnded = errors.New("token: its time is over")

// Mint returns a new access token. ErrEnded when g.NotAfter has come.
func (s *Service) Mint(g Grant) (Access, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Access{}, err
	}
	now := s.cfg.Now()
	expires := now.Add(s.cfg.TTL)
	if !g.NotAfter.IsZero() && g.NotAfter.Before(expires) {
		expires = g.NotAfter
	}
	if expires.Unix() <= now.Unix() {
		return Access{}, ErrEnded
	}
	r := s.ring.Load()
	signed, err := jwt.Sign(r.keys[r.signing(now)].Key, s.typ, jwt.Claims{
		Issuer: s.cfg.Issuer, Audience: []string{s.cfg.Audience}, Subject: g.User.ID, ID: id.String(),
		IssuedAt: now, ExpiresAt: expires, Extra: s.claims(g),
	})
	return Access{Token: signed, TTL: expires.Sub(now)}, err
}

// claims returns what a token says beside the registered claims.
func (s *Service) claims(g Grant) map[string]any {
	// The user's claim keeps the shape that the founding app gave its tokens.
	c := map[string]any{"sid": g.Session, "user": map[string]string{"_id": g.User.ID, "email": g.User.Email}}
	if g.User.Epoch != "" {
		c["epoch"] = g.User.Epoch
	}
	if len(g.User.Roles) > 0 {
		c["roles"] = g.User.Roles
	}
	if !g.AuthAt.IsZero() {
		c["auth_time"], c["acr"] = g.AuthAt.Unix(), oneFactor
		if len(g.Methods) > 0 {
			c["amr"] = g.Methods
		}
	}
	operators, own := s.cfg.Claims.fill(c, g.User)
	s.leftOut(slog.LevelError, "claims of jwt.claims do not fit into a token, and are left out", g.User, operators)
	s.leftOut(slog.LevelWarn, "claims that a user writes do not fit into a token, and are left out", g.User, own)
	return c
}

func (s *Service) leftOut(level slog.Level, what string, u store.User, claims []string) {
	if len(claims) > 0 {
		s.complain.about(context.Background(), level, what, fmt.Errorf("user %s: %s", u.ID, strings.Join(claims, ", ")))
	}
}

// User is whom a token names.
type User struct{ ID, Email string }

// Holder is whom a verified token speaks for, and what it says of them.
type Holder struct {
	User
	// Session and Epoch are what the token dies with.
	Session, Epoch string
	Roles          []string
	// AuthAt is when the holder proved who they are; zero when the token does not say.
	AuthAt time.Time
	// Legacy says that the founding app made the token: it may live for ever, so its user must be looked up.
	Legacy bool
	// Foreign says that a service with the shared secret made the token, or an earlier version of this server: it
	// carries nothing that ends with the user, so that must be looked up too.
	Foreign bool
}

// HolderOf returns whom a token that Verify returned speaks for; false when it does not say.
func HolderOf(t *jwt.Token) (h Holder, ok bool) {
	h.ID, ok = t.String("user", "_id")
	h.Email, _ = t.String("user", "email")
	if !ok {
		if _, hasUser := t.Claim("user"); !hasUser { // a service that shares the secret may name the user by sub alone
			h.ID = t.Subject
		}
	}
	if h.Legacy = isLegacy(t); h.Legacy {
		return h, h.ID != ""
	}
	h.Session, _ = t.String("sid")
	h.Epoch, _ = t.String("epoch")
	h.Foreign = h.Epoch == ""
	h.Roles, _ = t.Strings("roles") // else a claim of the same name that means something else
	h.AuthAt, _ = t.Time("auth_time")
	return h, h.ID != "" && t.Subject == h.ID
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
