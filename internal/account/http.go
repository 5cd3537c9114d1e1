package account

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

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
	Token   string      `json:"token,omitempty" doc:"The token of the request"`
}

// ProfileUser is the user of a token.
type ProfileUser struct {
	ID    string `json:"_id"`
	Email string `json:"email"`
}

// AppendJSON implements [api.Appender].
func (p Profile) AppendJSON(b []byte) []byte {
	b = append(b, `{"message":`...)
	b = api.AppendString(b, p.Message)
	b = append(b, `,"user":{"_id":`...)
	b = api.AppendString(b, p.User.ID)
	b = append(b, `,"email":`...)
	b = api.AppendString(b, p.User.Email)
	b = append(b, '}')
	if p.Token != "" { // it was verified, so it is base64url and dots: there is nothing to escape
		b = append(b, `,"token":"`...)
		b = append(b, p.Token...)
		b = append(b, '"')
	}
	return append(b, '}')
}

// HTTP is what the routes need.
type HTTP struct {
	Log    *slog.Logger
	Users  store.Users
	Tokens *token.Service
	// Now is the clock; nil means time.Now.
	Now func() time.Time
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
	}, guard.HandlerFunc(cfg.profile))
	return nil
}

// guard finds the holder of a token. Holders are pointers because what is remembered of a token is handed on many times.
func (cfg HTTP) guard() (*passport.Guard[*token.Holder], error) {
	from := bearer.Header()
	if cfg.TokenParameter != "" {
		from = bearer.First(bearer.Header(), bearer.Query(cfg.TokenParameter))
	}
	cache, err := bearer.NewCache(cfg.Tokens, Holder(cfg.Users), bearer.CacheConfig[*token.Holder]{Live: live, Now: cfg.Now})
	if err != nil {
		return nil, err
	}
	strategy, err := bearer.NewCached(cache, bearer.Config{Extract: from, Realm: cfg.Realm})
	if err != nil {
		return nil, err
	}
	registry, err := passport.NewRegistry(passport.Named[*token.Holder]{Name: "bearer", Strategy: strategy})
	if err != nil {
		return nil, err
	}
	return registry.Any(passport.Options[*token.Holder]{
		Realm: cfg.Realm,
		// Fail logs a fault with the request's id, which the guard's own log would not know.
		Logger:  slog.New(slog.DiscardHandler),
		Respond: func(w http.ResponseWriter, r *http.Request, err error) { api.Fail(cfg.Log, w, r, err) },
	}, "bearer")
}

// live reports whether a token that was found good once may be believed again without a look into the database.
func live(_ *jwt.Token, h *token.Holder) bool { return !h.Legacy }

func (cfg HTTP) profile(w http.ResponseWriter, r *http.Request, id passport.Identity[*token.Holder]) {
	t, ok := id.Info.(*jwt.Token)
	if !ok {
		api.Fail(cfg.Log, w, r, errors.New("profile: the guard has no token"))
		return
	}
	api.AppendedJSON(w, Profile{
		Message: "You made it to the secure route",
		User:    ProfileUser{ID: id.User.ID, Email: id.User.Email},
		Token:   t.Compact(),
	})
}
