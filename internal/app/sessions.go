package app

import (
	"cmp"
	"context"
	"fmt"

	"github.com/countersign-auth/countersign/internal/config"
	"github.com/countersign-auth/countersign/internal/revocation"
	"github.com/countersign-auth/countersign/internal/session"
	"github.com/countersign-auth/countersign/jwt"
)

// openSessions makes what keeps sessions and knows which have ended.
func (a *App) openSessions(ctx context.Context, keys func(purpose string) []byte) (err error) {
	if a.Revoked, err = revocation.New(a.Store, revocation.Config{Log: a.log, Now: a.now, Steady: a.steady}); err != nil {
		return err
	}
	if err := a.Revoked.Load(ctx); err != nil {
		return fmt.Errorf("revocations: %w", err)
	}
	if a.feed, err = a.openFeed(keys("feed padding")); err != nil {
		return err
	}
	limits, cookies := a.Config.Session, session.Cookies{Domain: a.Config.CookieDomain}
	a.Sessions, err = session.New(session.Config{
		Store: a.Store, Tokens: a.Tokens, Revoked: a.Revoked, Audit: a.Audit, Key: keys("refresh"), Cookies: cookies, Log: a.log, Now: a.now,
		Limits: session.Limits{
			Idle: limits.Idle, Max: limits.Max, Brief: limits.Brief, PerUser: limits.PerUser,
			Grace: limits.RefreshGrace, Fresh: limits.Fresh,
		},
	})
	if err != nil {
		return err
	}
	a.Guard, err = session.NewGuard(session.GuardConfig{
		Users: a.Store, Tokens: a.Tokens, Revoked: a.Revoked, Fresh: a.Config.Session.Fresh, Realm: realm,
		TokenParameter: a.Config.TokenQueryParameter, Cookies: cookies, Log: a.log, Now: a.now,
	})
	return err
}

// openFeed returns the feed; nil when there can be none.
func (a *App) openFeed(padding []byte) (*revocation.Feed, error) {
	if !a.feedIsOfUse() {
		return nil, nil
	}
	return revocation.NewFeed(a.Revoked, a.Tokens.SignFor, revocation.FeedConfig{
		Issuer: a.issuer, Key: padding, Lifetime: a.Tokens.Lifetime, Log: a.log, Now: a.now,
	})
}

// feedIsOfUse reports whether others can verify the feed, and find nothing out by it. The feed is public: under a secret that
// is too short its signature would let anybody search for that. Under a secret of the server's own, nobody else can verify it.
func (a *App) feedIsOfUse() bool {
	cfg := a.Config.JWT
	if cfg.Secret != "" {
		return len(cfg.Secret) >= config.MinSecret
	}
	return !cmp.Or(jwt.Algorithm(cfg.Algorithm), a.Tokens.Keys()[0].Algorithm).Symmetric()
}
