// Package app puts the server together: configuration to store to services to routes. It alone knows all the parts.
package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/countersign-auth/countersign/internal/account"
	"github.com/countersign-auth/countersign/internal/admin"
	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/apikey"
	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/config"
	"github.com/countersign-auth/countersign/internal/login/withpassword"
	"github.com/countersign-auth/countersign/internal/ratelimit"
	"github.com/countersign-auth/countersign/internal/revocation"
	"github.com/countersign-auth/countersign/internal/seal"
	"github.com/countersign-auth/countersign/internal/session"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/token"
	"github.com/countersign-auth/countersign/jwt"
)

// realm is the realm of every challenge.
const realm = "countersign"

// App is everything but the listener: the store and the services over it. Close it when done.
type App struct {
	Config    *config.Config
	Store     store.Store
	Tokens    *token.Service
	Revoked   *revocation.Set
	Sessions  *session.Service
	Guard     *session.Guard
	Audit     *audit.Log
	Logins    *ratelimit.Logins
	Passwords *withpassword.Service
	Admin     *admin.Service
	APIKeys   *apikey.Service

	box    *seal.Box
	feed   *revocation.Feed
	issuer string
	log    *slog.Logger
	now    func() time.Time
	steady func() time.Time // never ahead, unlike now
	// longest is the time.Duration that a token was made for which may be out, here or elsewhere.
	longest atomic.Int64
	// lifetimeChanged has something in it when the record of that is to be read at once.
	lifetimeChanged chan struct{}
}

// Open opens the store and makes the services. Addr is where the server listens, or would: it is the issuer until one
// is set. Now is the clock; nil means the machine's, which may jump: then what cannot be undone goes by another one.
func Open(ctx context.Context, cfg *config.Config, addr string, log *slog.Logger, now func() time.Time) (_ *App, err error) {
	steady := now
	if now == nil {
		now, steady = time.Now, newSteadyClock()
	}
	a := &App{Config: cfg, log: log, now: now, steady: steady, lifetimeChanged: make(chan struct{}, 1)}
	if a.Store, err = OpenStore(ctx, cfg); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = a.Store.Close() // the first error says more
		}
	}()
	if a.box, err = a.openBox(ctx); err != nil {
		return nil, err
	}
	a.issuer = cfg.IssuerAt(addr)
	if err := a.openTokens(ctx); err != nil {
		return nil, err
	}
	a.Audit = audit.New(a.Store, log, now)
	keys, err := a.openKeys(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.openSessions(ctx, keys); err != nil {
		return nil, err
	}
	if err := a.openLogins(keys); err != nil {
		return nil, err
	}
	a.Admin = admin.New(admin.Config{Users: a.Store, Sessions: a.Sessions, Passwords: a.Passwords, Logins: a.Logins, Audit: a.Audit, Now: a.now})
	a.APIKeys, err = apikey.New(apikey.Config{
		Store: a.Store, Audit: a.Audit, Scopes: cfg.APIKeyScopes, Realm: realm, Proxies: api.Proxies(cfg.TrustedProxies), Log: log, Now: now,
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

func (a *App) openTokens(ctx context.Context) (err error) {
	cfg := a.Config.JWT
	claims, err := token.ParseTemplate(cfg.Claims)
	if err != nil {
		return fmt.Errorf("jwt.claims: %w", err)
	}
	known, _, err := a.readLifetime(ctx)
	if err != nil {
		return err
	}
	a.longest.Store(int64(known.longest(a.steady())))
	a.Tokens, err = token.Open(ctx, a.Store, token.Config{
		Issuer: a.issuer, Audience: cmp.Or(cfg.Audience, a.issuer), TTL: cfg.AccessTTL,
		LongestTTL: func() time.Duration { return time.Duration(a.longest.Load()) },
		Secret:     []byte(cfg.Secret.Reveal()), InsecureAllowShortSecret: cfg.InsecureAllowShortSecret,
		Box: a.box, Algorithm: jwt.Algorithm(cfg.Algorithm), RotateEvery: cfg.RotateEvery, PublishAhead: cfg.PublishAhead, Claims: claims,
		LegacySecret: []byte(cfg.LegacySecret.Reveal()), LegacyUntil: cfg.AcceptLegacyUntil,
		Log: a.log, Now: a.now, Steady: a.steady,
	})
	return err
}

// closeTimeout bounds how long Close waits for the audit log to be written.
const closeTimeout = 5 * time.Second

// Close writes what the audit log still counts and of what use keys were, and closes the store and the files of the services.
func (a *App) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	a.APIKeys.Close()
	return errors.Join(a.Audit.Close(ctx), a.Passwords.Policy.Close(), a.Store.Close())
}

// Handler returns all routes behind all middleware.
func (a *App) Handler() (http.Handler, error) {
	proxies := api.Proxies(a.Config.TrustedProxies)
	rt := api.NewRouter("Countersign", Version(), "Signup, login and signed tokens for any API.", a.issuer)
	rt.Security(a.Config.TokenQueryParameter)
	for _, addRoutes := range a.methods(proxies) {
		if err := addRoutes(rt); err != nil {
			return nil, err
		}
	}
	a.Sessions.Routes(rt, session.HTTP{Guard: a.Guard, Proxies: proxies})
	account.Routes(rt, account.HTTP{
		Log: a.log, Users: a.Store, Sessions: a.Sessions, Guard: a.Guard, Audit: a.Audit, Proxies: proxies,
		TokenParameter: a.Config.TokenQueryParameter, Now: a.now,
	})
	a.APIKeys.Routes(rt, a.Guard)
	a.Admin.Routes(rt, admin.HTTP{Log: a.log, Guard: a.APIKeys.Guard(), Proxies: proxies, Realm: realm})
	if a.feed == nil {
		a.Tokens.Routes(rt, "")
	} else {
		a.Tokens.Routes(rt, revocation.Path)
		a.feed.Routes(rt)
	}
	forwardAuth, err := a.forwardAuth(proxies)
	if err != nil {
		return nil, err
	}
	beside := forwardAuth.Routes(rt)
	a.healthRoutes(rt)
	if err := rt.ServeDocs(); err != nil {
		return nil, err
	}
	return api.Wrap(api.Config{
		Log: a.log, AccessLog: a.Config.AccessLog, Origins: a.Config.CORSOrigins, Proxies: proxies,
		HTTPS: a.Config.TLS.CertFile != "", Beside: beside, Now: a.now,
	}, rt)
}

// Version returns the version of this binary, as the Go toolchain recorded it.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "0.1.0-dev"
	}
	return info.Main.Version
}
