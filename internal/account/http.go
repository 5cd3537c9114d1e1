package account

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/token"
	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/bearer"
)

// Profile is the answer to /user/profile.
type Profile struct {
	Message string      `json:"message" example:"You made it to the secure route"`
	User    ProfileUser `json:"user"`
	Token   string      `json:"token" doc:"The token of the request"`
}

// ProfileUser is the user of a token.
type ProfileUser struct {
	ID    string `json:"_id"`
	Email string `json:"email"`
}

// HTTP is what the routes need.
type HTTP struct {
	Log    *slog.Logger
	Users  store.Users
	Tokens *token.Service
	// Realm is the realm of challenges.
	Realm string
	// TokenParameter is the query parameter that may carry a token; empty for none.
	TokenParameter string
}

// Routes adds /user/profile.
func Routes(rt *api.Router, cfg HTTP) error {
	guard, err := cfg.guard()
	if err != nil {
		return err
	}
	rt.Handle(&api.Operation{
		Method: http.MethodGet, Path: "/user/profile", ID: "profile", Tag: "Founding routes",
		Summary: "Read whom the token speaks for",
		Bearer:  true, TokenParameter: cfg.TokenParameter, OK: Profile{},
		Problems: []int{400, 401},
	}, guard.Handler(http.HandlerFunc(cfg.profile)))
	return nil
}

func (cfg HTTP) guard() (*passport.Guard[token.Holder], error) {
	from := bearer.Header()
	if cfg.TokenParameter != "" {
		from = bearer.First(bearer.Header(), bearer.Query(cfg.TokenParameter))
	}
	strategy, err := bearer.New(cfg.Tokens, Holder(cfg.Users), bearer.Config{Extract: from, Realm: cfg.Realm})
	if err != nil {
		return nil, err
	}
	registry, err := passport.NewRegistry(passport.Named[token.Holder]{Name: "bearer", Strategy: strategy})
	if err != nil {
		return nil, err
	}
	return registry.Any(passport.Options[token.Holder]{
		Realm: cfg.Realm,
		// Fail logs a fault with the request's id, which the guard's own log would not know.
		Logger:  slog.New(slog.DiscardHandler),
		Respond: func(w http.ResponseWriter, r *http.Request, err error) { api.Fail(cfg.Log, w, r, err) },
	}, "bearer")
}

func (cfg HTTP) profile(w http.ResponseWriter, r *http.Request) {
	identity, ok := passport.IdentityFrom[token.Holder](r.Context())
	t, isToken := identity.Info.(*jwt.Token)
	if !ok || !isToken {
		api.Fail(cfg.Log, w, r, errors.New("profile: no identity behind the guard"))
		return
	}
	api.JSON(w, Profile{
		Message: "You made it to the secure route",
		User:    ProfileUser{ID: identity.User.ID, Email: identity.User.Email},
		Token:   t.Compact(),
	})
}
