package account

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/session"
	"github.com/countersign-auth/countersign/internal/token"
	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport"
)

// Profile is the answer to /user/profile.
type Profile struct {
	Message string      `json:"message" example:"You made it to the secure route"`
	User    ProfileUser `json:"user"`
	Token   string      `json:"token,omitempty" doc:"The token of the request; not there in a browser session"`
}

// ProfileUser is the user of a token.
type ProfileUser struct {
	ID    string `json:"_id"`
	Email string `json:"email"`
}

// HTTP is what the routes need.
type HTTP struct {
	Log   *slog.Logger
	Guard *session.Guard
	// TokenParameter is the query parameter that may carry a token; empty for none.
	TokenParameter string
}

// Routes adds /user/profile.
func Routes(rt *api.Router, cfg HTTP) {
	rt.Handle(&api.Operation{
		Method: http.MethodGet, Path: "/user/profile", ID: "profile", Tag: "Founding routes",
		Summary: "Read whom the token speaks for",
		Bearer:  true, TokenParameter: cfg.TokenParameter, OK: Profile{},
		Problems: []int{400, 401},
	}, cfg.Guard.Founding(http.HandlerFunc(cfg.profile)))
}

func (cfg HTTP) profile(w http.ResponseWriter, r *http.Request) {
	identity, ok := passport.IdentityFrom[*token.Holder](r.Context())
	t, isToken := identity.Info.(*jwt.Token)
	if !ok || !isToken {
		api.Fail(cfg.Log, w, r, errors.New("profile: no identity behind the guard"))
		return
	}
	p := Profile{
		Message: "You made it to the secure route",
		User:    ProfileUser{ID: identity.User.ID, Email: identity.User.Email},
	}
	if !session.HasCookie(r) { // no script shall read what is in a cookie
		p.Token = t.Compact()
	}
	api.JSON(w, p)
}
