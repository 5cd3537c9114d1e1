package withpassword

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/login"
	"github.com/countersign-auth/countersign/internal/session"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/token"
	"github.com/countersign-auth/countersign/passport/local"
	"github.com/countersign-auth/countersign/problem"
)

// Credentials is the body of /signup and /login.
type Credentials struct {
	Email    string `json:"email" format:"email" example:"mike@example.com" doc:"The bare address, of at most 254 bytes"`
	Password string `json:"password" format:"password" example:"correct horse battery" doc:"Any text without NUL, of at most 1,024 bytes. A new one has 8 characters or more, or what password.min_length says, and is refused when it is common or known from a breach, or has the e-mail address or the name of the service in it"`
}

// Created is the answer to /signup.
type Created struct {
	Message string `json:"message" example:"Signup successful"`
	User    User   `json:"user"`
}

// User is a user as sign-up shows it.
type User struct {
	ID        string    `json:"_id" doc:"Opaque and unchanging"`
	Email     string    `json:"email"`
	CreatedAt time.Time `json:"created_at"`
}

// Login is the body of /login.
type Login struct {
	Credentials
	session.Wish
}

// Passwords is the body of /user/password.
type Passwords struct {
	Current string `json:"current_password" format:"password" example:"correct horse battery"`
	New     string `json:"new_password" format:"password" example:"battery staple correct" doc:"As at /signup, and not the current one"`
}

// HTTP is what the routes need beside the service.
type HTTP struct {
	Log     *slog.Logger
	Proxies api.Proxies
	Devices login.Devices
	Guard   *session.Guard
}

type handler struct {
	HTTP
	service *Service
	// reader reads an address and a password, and change the current password and a new one.
	reader, change local.Reader
}

// Routes adds /signup, /login and /user/password.
func (s *Service) Routes(rt *api.Router, cfg HTTP) error {
	h := &handler{
		HTTP: cfg, service: s,
		reader: local.Reader{UsernameField: "email", MaxBody: api.MaxBody},
		change: local.Reader{UsernameField: currentField, PasswordField: newField, MaxBody: api.MaxBody},
	}
	if err := errors.Join(h.reader.Validate(), h.change.Validate()); err != nil {
		return err
	}
	rt.Handle(&api.Operation{
		Method: http.MethodPost, Path: "/signup", ID: "signup", Tag: "Founding routes",
		Summary:     "Make a user",
		Description: "Addresses compare case-insensitively. The answer never holds the password or its hash.",
		Body:        Credentials{}, Forms: true, OK: Created{},
		Problems: []int{400, 408, 409, 415, 422, 429},
	}, http.HandlerFunc(h.signUp))
	rt.Handle(&api.Operation{
		Method: http.MethodPost, Path: "/login", ID: "login", Tag: "Founding routes",
		Summary:     "Log in with address and password",
		Description: "The answer to a wrong password and to an unknown address is the same, in words and in time.",
		Body:        Login{}, Forms: true, OK: session.Answer{},
		Problems: []int{400, 401, 408, 415, 429},
	}, http.HandlerFunc(h.logIn))
	rt.Handle(&api.Operation{
		Method: http.MethodPost, Path: "/user/password", ID: "changePassword", Tag: "Account",
		Summary: "Change the password",
		Description: "Asks for the current one, which is throttled as a login is. The session of the token is kept; all others end, " +
			"with their tokens.",
		Bearer: true, Body: Passwords{}, Forms: true, Status: http.StatusNoContent,
		Problems: []int{400, 401, 404, 408, 409, 415, 422, 429},
	}, cfg.Guard.Protect(h.changePassword))
	return nil
}

func (h *handler) signUp(w http.ResponseWriter, r *http.Request) {
	c, err := h.reader.Read(r)
	if err != nil {
		api.Fail(h.Log, w, r, err)
		return
	}
	user, err := h.service.SignUp(r.Context(), c.Username, c.Password, h.Devices.Client(w, r, h.Proxies))
	if err != nil {
		api.Fail(h.Log, w, r, h.explain(err))
		return
	}
	api.JSON(w, Created{Message: "Signup successful", User: User{ID: user.ID, Email: user.Email, CreatedAt: user.CreatedAt.UTC().Truncate(time.Second)}})
}

func (h *handler) logIn(w http.ResponseWriter, r *http.Request) {
	c, err := h.reader.Read(r)
	if err != nil {
		api.Fail(h.Log, w, r, err)
		return
	}
	var wish session.Wish
	err = api.Body{Forms: true, Others: true}.Read(r, &wish) // what the reader has read it has put back
	if err == nil {
		err = wish.Check()
	}
	if err != nil {
		api.Fail(h.Log, w, r, err)
		return
	}
	client := h.Devices.Client(w, r, h.Proxies)
	opened, err := h.service.LogIn(r.Context(), c.Username, c.Password, wish.Brief(), client)
	if err != nil {
		api.Fail(h.Log, w, r, h.explain(err))
		return
	}
	h.Devices.Remember(w, client, opened.Device)
	api.JSON(w, h.service.Flow.Sessions.Begin(w, r, opened.Tokens, wish.InCookie(), session.ClientOf(w, r, h.Proxies)))
}

func (h *handler) changePassword(w http.ResponseWriter, r *http.Request, holder *token.Holder) error {
	c, err := h.change.Read(r)
	if err != nil {
		return err
	}
	user, err := h.Guard.User(r.Context(), holder)
	if err != nil {
		return err
	}
	err = h.service.ChangePassword(r.Context(), Change{
		User: user, Session: holder.Session, Current: c.Username, New: c.Password, Client: h.Devices.Client(w, r, h.Proxies),
	})
	if errors.Is(err, store.ErrNotFound) {
		return h.Guard.Ended()
	}
	if err != nil {
		return h.explain(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// blocklistRetry is when to come back after a failed look into the blocklist: not at once, for somebody has to see to it.
const blocklistRetry = time.Minute

func (h *handler) explain(err error) error { return Explain(err, h.Guard.Realm) }

// Explain returns what a client may know of an error of a Service, with challenges of that realm, and other errors as they are.
func Explain(err error, realm string) error {
	var invalid *InvalidError
	switch {
	case errors.As(err, &invalid):
		return problem.New(http.StatusUnprocessableEntity, "invalid_fields", "Some fields are not valid.").WithFields(invalid.Fields...)
	case errors.Is(err, ErrTaken):
		return problem.New(http.StatusConflict, "email_taken", "There is a user with this e-mail address already.")
	case errors.Is(err, ErrIDTaken):
		return problem.New(http.StatusConflict, "id_taken", "There is a user with this id already.")
	case errors.Is(err, ErrNoPassword):
		return problem.New(http.StatusConflict, "no_password", "This user has no password that could be changed.")
	case errors.Is(err, ErrBlocklist):
		return problem.New(http.StatusServiceUnavailable, "password_check_unavailable", "New passwords cannot be checked at this moment. Try again later.").
			WithRetryAfter(blocklistRetry).WithCause(err)
	default:
		return login.Explain(err, realm)
	}
}
