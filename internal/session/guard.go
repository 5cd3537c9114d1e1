package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/token"
	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/bearer"
	"github.com/countersign-auth/countersign/problem"
)

// GuardConfig is what a Guard is made of. Every field but TokenParameter and Cookies is required.
type GuardConfig struct {
	Users   store.Users
	Tokens  *token.Service
	Revoked Revoked
	// Fresh is how long after a login what is sensitive may be done.
	Fresh time.Duration
	// Realm is the realm of challenges.
	Realm string
	// TokenParameter is the query parameter that may carry a token on the routes that take one there; empty for none.
	TokenParameter string
	// Cookies are those that may carry a token.
	Cookies Cookies
	Log     *slog.Logger
	Now     func() time.Time
}

// Guard lets requests with a good access token through: in the Authorization header, in the cookie of a browser session
// or, on some routes, in the query. It is safe for concurrent use.
type Guard struct {
	GuardConfig
	cache           *bearer.Cache[*token.Holder]
	plain, founding entrance
}

// entrance is a guard and its one strategy, which knows some holders at once.
type entrance struct {
	*passport.Guard[*token.Holder]
	*bearer.Strategy[*token.Holder]
}

// Handler answers a request of a known holder, whom it must not change. What it returns is answered as an error.
type Handler func(w http.ResponseWriter, r *http.Request, holder *token.Holder) error

// NewGuard returns a Guard.
func NewGuard(cfg GuardConfig) (_ *Guard, err error) {
	g := &Guard{GuardConfig: cfg}
	g.cache, err = bearer.NewCache(cfg.Tokens, g.Holder, bearer.CacheConfig[*token.Holder]{Live: g.live, Now: cfg.Now})
	if err != nil {
		return nil, err
	}
	if g.plain, err = g.guard(bearer.Header(), bearer.Cookie(cfg.Cookies.access())); err != nil {
		return nil, err
	}
	if cfg.TokenParameter == "" {
		g.founding = g.plain
		return g, nil
	}
	g.founding, err = g.guard(bearer.Header(), bearer.Query(cfg.TokenParameter), bearer.Cookie(cfg.Cookies.access()))
	return g, err
}

func (g *Guard) guard(from ...bearer.Extractor) (e entrance, err error) {
	if e.Strategy, err = bearer.NewCached(g.cache, bearer.Options{Extract: bearer.First(from...), Realm: g.Realm}); err != nil {
		return e, err
	}
	registry, err := passport.NewRegistry(passport.Named[*token.Holder]{Name: "bearer", Strategy: e.Strategy})
	if err != nil {
		return e, err
	}
	e.Guard, err = registry.Any(passport.Options[*token.Holder]{
		Realm: g.Realm,
		// Fail logs a fault with the request's id, which the guard's own log would not know.
		Logger:  slog.New(slog.DiscardHandler),
		Respond: func(w http.ResponseWriter, r *http.Request, err error) { api.Fail(g.Log, w, r, err) },
	}, "bearer")
	return e, err
}

// Cache holds the tokens that were let through, so that one that comes again need not be verified. Its numbers are metrics.
func (g *Guard) Cache() *bearer.Cache[*token.Holder] { return g.cache }

// Strategy is what Protect asks of a request, for what decides itself how it answers. Its info is the *jwt.Token.
func (g *Guard) Strategy() passport.Strategy[*token.Holder] { return g.plain.Strategy }

// Founding lets requests through as Protect does, and takes a token in the query too. The token and the holder are
// remembered for others: next must not change them.
func (g *Guard) Founding(next func(w http.ResponseWriter, r *http.Request, t *jwt.Token, holder *token.Holder)) http.Handler {
	guarded := g.founding.HandlerFunc(func(w http.ResponseWriter, r *http.Request, id passport.Identity[*token.Holder]) {
		t, ok := id.Info.(*jwt.Token)
		if !ok {
			api.Fail(g.Log, w, r, errors.New("session: the guard has no token"))
			return
		}
		next(w, r, t, id.User)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if holder, t, ok := g.founding.Known(r); ok { // most requests, on a route that does little else
			next(w, r, t, holder)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// Protect lets requests with a token through to next.
func (g *Guard) Protect(next Handler) http.Handler {
	return g.plain.HandlerFunc(func(w http.ResponseWriter, r *http.Request, id passport.Identity[*token.Holder]) {
		if err := next(w, r, id.User); err != nil {
			api.Fail(g.Log, w, r, err)
		}
	})
}

// ProtectFresh is Protect for what is sensitive: it asks for a login that is not long ago.
func (g *Guard) ProtectFresh(next Handler) http.Handler {
	return g.Protect(func(w http.ResponseWriter, r *http.Request, holder *token.Holder) error {
		if age := g.Now().Sub(holder.AuthAt); age > g.Fresh || age < -token.Leeway {
			return g.reauthenticate()
		}
		return next(w, r, holder)
	})
}

// reauthenticate asks for a login. The challenge is that of RFC 9470; the status is 403 for the sake of clients that
// answer every 401 with a refresh, which would not help.
func (g *Guard) reauthenticate() error {
	const detail = "This needs a login of a short while ago. Log in again."
	challenge := problem.BearerError(g.Realm, "insufficient_user_authentication", detail)
	challenge.Params = append(challenge.Params, problem.Param{Name: "max_age", Value: strconv.Itoa(int(g.Fresh.Seconds()))})
	return problem.New(http.StatusForbidden, "reauthenticate", detail).WithChallenges(challenge)
}

// errEnded is the answer for a token of a session that has ended.
var errEnded = problem.New(http.StatusUnauthorized, bearer.CodeInvalidToken, "The session has ended.")

// Holder returns whom a verified token speaks for; false when nobody any more. It fits passport/bearer's Load.
//
// A token of this server is believed without the database unless its session or epoch has ended. Of one that the founding app
// made, or a service that shares the secret, the server can end neither: its user is looked up each time.
func (g *Guard) Holder(ctx context.Context, t *jwt.Token) (*token.Holder, bool, error) {
	holder, ok := token.HolderOf(t)
	switch {
	case !ok:
		return nil, false, nil
	case g.Revoked.Ended(holder.Session, holder.Epoch):
		return nil, false, errEnded
	case holder.Legacy, holder.Foreign:
		ok, err := g.lookUp(ctx, &holder)
		return &holder, ok, err
	}
	return &holder, true, nil
}

// live reports whether a token that Holder has let through can be let through again without asking: what Holder looks up
// each time never can.
func (g *Guard) live(t *jwt.Token, holder *token.Holder) bool {
	return !holder.Legacy && !holder.Foreign && g.Tokens.Live(t) && !g.Revoked.Ended(holder.Session, holder.Epoch)
}

// lookUp reports whether the user of a token may come in who cannot be known from the token. Where services share the
// secret, a user whom only they know is their matter.
func (g *Guard) lookUp(ctx context.Context, holder *token.Holder) (bool, error) {
	user, err := g.Users.User(ctx, holder.ID)
	if errors.Is(err, store.ErrNotFound) {
		return holder.Foreign && !holder.Legacy && g.Tokens.Shared(), nil
	}
	if err != nil {
		return false, fmt.Errorf("user of a token: %w", err)
	}
	if holder.Legacy {
		holder.Email = user.Email
	}
	return !user.Disabled(), nil
}

// User returns the user of a holder as the store has it now, for routes that need more than a token says. The error is a
// [problem.Error] when there is none: 401 when the user is gone or may no longer come in, 404 when the user was never
// one of this server but is known to a service that shares the secret.
func (g *Guard) User(ctx context.Context, holder *token.Holder) (store.User, error) {
	user, err := g.Users.User(ctx, holder.ID)
	switch {
	case errors.Is(err, store.ErrNotFound) && holder.Foreign:
		return store.User{}, problem.New(http.StatusNotFound, "no_user", "This server has no user of the token's id.")
	case errors.Is(err, store.ErrNotFound):
		return store.User{}, g.Ended()
	case err != nil:
		return store.User{}, fmt.Errorf("user of a token: %w", err)
	case user.Disabled():
		return store.User{}, g.Ended()
	case !holder.Foreign && !holder.Legacy && holder.Epoch != user.Epoch: // ended on another node, a moment ago
		return store.User{}, g.Ended()
	}
	return user, nil
}

// Ended returns the answer for a token whose user or session turns out to have ended behind the guard.
func (g *Guard) Ended() error {
	return errEnded.WithChallenges(problem.BearerError(g.Realm, bearer.CodeInvalidToken, errEnded.Detail))
}
