package account

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/session"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/token"
	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/problem"
)

// Profile is the answer to /user/profile.
type Profile struct {
	Message string      `json:"message" example:"You made it to the secure route"`
	User    ProfileUser `json:"user"`
	Token   string      `json:"token,omitempty" doc:"The token of the request; not there in a browser session"`
}

const welcome = "You made it to the secure route"

// ProfileUser is the user of a token.
type ProfileUser struct {
	ID    string `json:"_id"`
	Email string `json:"email"`
}

// AppendJSON implements [api.Appender].
func (p Profile) AppendJSON(b []byte) []byte {
	if p.Message == welcome {
		b = append(b, `{"message":"`+welcome+`","user":{"_id":`...)
	} else {
		b = append(b, `{"message":`...)
		b = api.AppendString(b, p.Message)
		b = append(b, `,"user":{"_id":`...)
	}
	b = api.AppendString(b, p.User.ID)
	b = append(b, `,"email":`...)
	b = api.AppendString(b, p.User.Email)
	b = append(b, '}')
	if p.Token != "" { // a token that was verified is base64url and dots, and there is nothing to escape
		b = append(b, `,"token":"`...)
		b = append(b, p.Token...)
		b = append(b, '"')
	}
	return append(b, '}')
}

// Overview is the answer to GET /user.
type Overview struct {
	User     Account  `json:"user"`
	Session  *Session `json:"session,omitempty" doc:"The session of the token; not there for a token of another kind"`
	Sessions int      `json:"sessions" doc:"How many sessions the user has"`
}

// Change is the body of PATCH /user.
type Change struct {
	Data api.Object `json:"data" doc:"Replaces what was there: a JSON object of at most 8 KiB in compact form. The body is nested 32 deep at the most"`
}

// Changed is the answer to PATCH /user.
type Changed struct {
	User Account `json:"user"`
}

// Sessions is the answer to GET /user/sessions.
type Sessions struct {
	Sessions []Session `json:"sessions" nullable:"false" doc:"Those that are alive, the one used last first"`
}

// HTTP is what the routes need.
type HTTP struct {
	Log      *slog.Logger
	Users    store.Users
	Sessions *session.Service
	Guard    *session.Guard
	Audit    *audit.Log
	Proxies  api.Proxies
	// TokenParameter is the query parameter that may carry a token to /user/profile; empty for none.
	TokenParameter string
	Now            func() time.Time
}

// Routes adds /user and what is below it.
func Routes(rt *api.Router, cfg HTTP) {
	rt.Handle(&api.Operation{
		Method: http.MethodGet, Path: "/user/profile", ID: "profile", Tag: "Founding routes",
		Summary: "Read whom the token speaks for",
		Bearer:  true, TokenParameter: cfg.TokenParameter, OK: Profile{},
		Problems: []int{400, 401},
	}, cfg.Guard.Founding(cfg.profile))
	cfg.userRoutes(rt)
}

func (cfg HTTP) profile(w http.ResponseWriter, r *http.Request, t *jwt.Token, holder *token.Holder) {
	p := Profile{
		Message: welcome,
		User:    ProfileUser{ID: holder.ID, Email: holder.Email},
	}
	if !cfg.Sessions.Cookies.Carried(r) { // no script shall read what is in a cookie
		p.Token = t.Compact()
	}
	api.AppendedJSON(w, p)
}

// userRoutes adds /user and the sessions below it.
func (cfg HTTP) userRoutes(rt *api.Router) {
	rt.Handle(&api.Operation{
		Method: http.MethodGet, Path: "/user", ID: "account", Tag: "Account",
		Summary:     "Read what the server holds of the user",
		Description: "As it is in the database now, whatever the token says.",
		Bearer:      true, OK: Overview{}, Problems: []int{400, 401, 404},
	}, cfg.Guard.Protect(cfg.read))
	rt.Handle(&api.Operation{
		Method: http.MethodPatch, Path: "/user", ID: "changeAccount", Tag: "Account",
		Summary: "Replace the user's own data", Bearer: true, Body: Change{}, OK: Changed{},
		Problems: []int{400, 401, 404, 408, 415, 422},
	}, cfg.Guard.Protect(cfg.change))
	rt.Handle(&api.Operation{
		Method: http.MethodDelete, Path: "/user", ID: "deleteAccount", Tag: "Account",
		Summary: "Delete the user, with all sessions and tokens",
		Description: "Asks for a login of a short while ago: 403 with the code reauthenticate when it was longer. " +
			"The address is free at once, for a new user.",
		Bearer: true, Status: http.StatusNoContent, Problems: []int{400, 401, 404},
	}, cfg.Guard.ProtectFresh(cfg.remove))
	rt.Handle(&api.Operation{
		Method: http.MethodGet, Path: "/user/sessions", ID: "sessions", Tag: "Sessions",
		Summary: "List the user's sessions", Bearer: true, OK: Sessions{}, Problems: []int{400, 401, 404},
	}, cfg.Guard.Protect(cfg.list))
	rt.Handle(&api.Operation{
		Method: http.MethodDelete, Path: "/user/sessions/{id}", ID: "endSession", Tag: "Sessions",
		Summary: "End one of the user's sessions, with all its tokens", Bearer: true,
		Status: http.StatusNoContent, Problems: []int{400, 401, 404},
	}, cfg.Guard.Protect(cfg.end))
}

func (cfg HTTP) read(w http.ResponseWriter, r *http.Request, holder *token.Holder) error {
	user, sessions, err := cfg.load(r, holder)
	if err != nil {
		return err
	}
	a := Overview{User: accountOf(user), Sessions: len(sessions)}
	for i := range sessions {
		if sessions[i].Current {
			a.Session = &sessions[i]
		}
	}
	api.JSON(w, a)
	return nil
}

func (cfg HTTP) list(w http.ResponseWriter, r *http.Request, holder *token.Holder) error {
	_, sessions, err := cfg.load(r, holder)
	if err != nil {
		return err
	}
	api.JSON(w, Sessions{Sessions: sessions})
	return nil
}

// load returns the user and their sessions as the store has them.
func (cfg HTTP) load(r *http.Request, holder *token.Holder) (store.User, []Session, error) {
	user, err := cfg.Guard.User(r.Context(), holder)
	if err != nil {
		return store.User{}, nil, err
	}
	records, err := cfg.Sessions.List(r.Context(), user)
	return user, SessionsOf(records, holder.Session), err
}

func (cfg HTTP) change(w http.ResponseWriter, r *http.Request, holder *token.Holder) error {
	var body Change
	if err := (api.Body{}).Read(r, &body); err != nil {
		return err
	}
	if body.Data == nil {
		return problem.New(http.StatusBadRequest, "missing_fields", "A field is missing.").
			WithFields(problem.Field{Name: "data", Code: "missing", Detail: "This field is required."})
	}
	if wrong := CheckData("data", body.Data); len(wrong) > 0 {
		return problem.New(http.StatusUnprocessableEntity, "invalid_fields", "Some fields are not valid.").WithFields(wrong...)
	}
	for {
		user, err := cfg.Guard.User(r.Context(), holder)
		if err != nil {
			return err
		}
		user.Data, user.UpdatedAt = body.Data, cfg.Now()
		err = cfg.Users.UpdateUser(r.Context(), user)
		if errors.Is(err, store.ErrConflict) {
			continue // somebody was faster with something else, or this is the later of two: either way it counts
		}
		if errors.Is(err, store.ErrNotFound) {
			return cfg.Guard.Ended()
		}
		if err == nil {
			api.JSON(w, Changed{User: accountOf(user)})
		}
		return err
	}
}

func (cfg HTTP) remove(w http.ResponseWriter, r *http.Request, holder *token.Holder) error {
	user, err := cfg.Guard.User(r.Context(), holder)
	if err != nil {
		return err
	}
	ctx, cancel := session.Lasting(r)
	defer cancel()
	err = cfg.Sessions.Delete(ctx, user.ID)
	if session.IsDone(err) {
		cfg.Audit.Done(ctx, cfg.event(w, r, holder, "user_deleted", ""))
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) { // that another request has deleted it is what was wanted
		return err
	}
	cfg.Sessions.Cookies.Clear(w, r)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (cfg HTTP) end(w http.ResponseWriter, r *http.Request, holder *token.Holder) error {
	unknown := problem.New(http.StatusNotFound, "no_session", "The user has no session of this id.")
	id := r.PathValue("id")
	ctx, cancel := session.Lasting(r)
	defer cancel()
	err := cfg.Sessions.End(ctx, holder.ID, store.Which{Only: id})
	if errors.Is(err, store.ErrNotFound) {
		return unknown
	}
	if session.IsDone(err) {
		cfg.Audit.Done(ctx, cfg.event(w, r, holder, "session", "ended"))
	}
	if err != nil {
		return err
	}
	if id == holder.Session {
		cfg.Sessions.Cookies.Clear(w, r)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (cfg HTTP) event(w http.ResponseWriter, r *http.Request, holder *token.Holder, kind, reason string) store.Event {
	client := session.ClientOf(w, r, cfg.Proxies)
	return store.Event{
		Kind: kind, Result: audit.OK, Reason: reason, UserID: holder.ID, Client: client.Addr, RequestID: client.RequestID,
	}
}
