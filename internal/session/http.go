package session

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/token"
	"github.com/countersign-auth/countersign/problem"
)

// HTTP is what the routes need beside the service.
type HTTP struct {
	Guard   *Guard
	Proxies api.Proxies
}

// RefreshBody is the body of /token/refresh.
type RefreshBody struct {
	RefreshToken string `json:"refresh_token,omitempty" doc:"Not sent in a browser session, which has it in a cookie"`
}

// LogoutBody is the body of /logout.
type LogoutBody struct {
	RefreshToken string `json:"refresh_token,omitempty" doc:"Instead of an access token"`
	Scope        string `json:"scope,omitempty" enum:"this,others,all" doc:"Which sessions end: this one, which is the default, all others, or all"`
}

type handler struct {
	HTTP
	service *Service
}

// Routes adds /token/refresh and /logout.
func (s *Service) Routes(rt *api.Router, cfg HTTP) {
	h := &handler{cfg, s}
	rt.Handle(&api.Operation{
		Method: http.MethodPost, Path: "/token/refresh", ID: "refresh", Tag: "Sessions",
		Summary: "Buy new tokens for a refresh token",
		Description: "Each refresh token is replaced by its successor. Sent again, because the answer was lost or two tabs had the same thought, " +
			"it buys that same successor, until that one is used. An older token ends the session.",
		Body: RefreshBody{}, BodyOptional: true, Forms: true, OK: Answer{},
		Problems: []int{400, 401, 408, 415},
	}, h.handle(h.refresh))
	rt.Handle(&api.Operation{
		Method: http.MethodPost, Path: "/logout", ID: "logout", Tag: "Sessions",
		Summary:     "End this session, all others, or all",
		Description: "Takes an access token in the header, a refresh token in the body, or the cookies of a browser session.",
		Bearer:      true, Body: LogoutBody{}, BodyOptional: true, Forms: true, Status: http.StatusNoContent,
		Problems: []int{400, 401, 408, 415},
	}, h.handle(h.logOut))
}

func (h *handler) handle(f func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := f(w, r); err != nil {
			api.Fail(h.Guard.Log, w, r, err)
		}
	})
}

// ClientOf returns who sends r.
func ClientOf(w http.ResponseWriter, r *http.Request, proxies api.Proxies) Client {
	c := Client{Device: r.UserAgent(), RequestID: w.Header().Get("X-Request-Id")}
	if addr := proxies.Client(r); addr.IsValid() {
		c.Addr = addr.String()
	}
	return c
}

func (h *handler) refresh(w http.ResponseWriter, r *http.Request) error {
	var body RefreshBody
	if err := (api.Body{Forms: true, Optional: true}).Read(r, &body); err != nil {
		return err
	}
	text, cookie, err := h.service.Cookies.refreshTokenOf(r, body.RefreshToken)
	if err != nil {
		return err
	}
	if text == "" {
		return problem.New(http.StatusBadRequest, "missing_fields", "A field is missing or empty.").
			WithFields(problem.Field{Name: "refresh_token", Code: "missing", Detail: "This field is required."})
	}
	tokens, err := h.service.Refresh(r.Context(), text, ClientOf(w, r, h.Proxies))
	if err != nil { // the cookies stay: by now the browser may have those of another session
		return h.explain(err)
	}
	api.JSON(w, h.service.Cookies.deliver(w, tokens, cookie))
	return nil
}

// refreshTokenOf returns the one refresh token of a request, and whether it came in a cookie. In the query there must be
// none: a URL is logged and remembered.
func (c Cookies) refreshTokenOf(r *http.Request, inBody string) (text string, cookie bool, err error) {
	if r.URL.Query().Has("refresh_token") {
		return "", false, problem.New(http.StatusBadRequest, "credentials_in_query",
			"Send credentials in the body: the URL of a request is logged and remembered.")
	}
	cookies := r.CookiesNamed(c.refresh())
	switch {
	case len(cookies) == 0:
		return inBody, false, nil
	case len(cookies) > 1, inBody != "":
		return "", false, problem.New(http.StatusBadRequest, "invalid_request", "The request has more than one refresh token; send exactly one.")
	}
	return cookies[0].Value, true, nil
}

func (h *handler) logOut(w http.ResponseWriter, r *http.Request) error {
	var body LogoutBody
	if err := (api.Body{Forms: true, Optional: true}).Read(r, &body); err != nil {
		return err
	}
	switch body.Scope {
	case "", "this", "others", "all":
	default:
		return problem.New(http.StatusBadRequest, "invalid_fields", "A field is not as it must be.").
			WithFields(problem.Field{Name: "scope", Code: "unknown", Detail: "This field must be this, others or all."})
	}
	text, _, err := h.service.Cookies.refreshTokenOf(r, body.RefreshToken)
	if err != nil {
		return err
	}
	switch {
	case text == "":
		h.Guard.Protect(func(w http.ResponseWriter, r *http.Request, holder *token.Holder) error {
			return h.end(w, r, holder.ID, holder.Session, body.Scope)
		}).ServeHTTP(w, r)
		return nil
	case r.Header.Get("Authorization") != "":
		return problem.New(http.StatusBadRequest, "invalid_request", "The request has an access token and a refresh token; send one of them.")
	}
	// In a browser session the access token may have expired; the refresh token says the same.
	user, session, err := h.service.Whose(r.Context(), text, ClientOf(w, r, h.Proxies))
	if errors.Is(err, ErrInvalid) {
		h.service.Cookies.Clear(w, r)
	}
	if err != nil {
		return h.explain(err)
	}
	return h.end(w, r, user, session, body.Scope)
}

func (h *handler) end(w http.ResponseWriter, r *http.Request, user, session, scope string) (err error) {
	ctx, cancel := Lasting(r)
	defer cancel()
	switch {
	case scope == "all":
		_, err = h.service.EndAll(ctx, user, nil)
	case session == "":
		return problem.New(http.StatusBadRequest, "no_session", "This token belongs to no session of this server.")
	case scope == "others":
		err = h.service.End(ctx, user, store.Which{Except: session})
	default:
		err = h.service.EndOwn(ctx, user, session)
	}
	if IsDone(err) {
		client := ClientOf(w, r, h.Proxies)
		h.service.Audit.Done(ctx, store.Event{
			Kind: "logout", Reason: cmp.Or(scope, "this"), UserID: user, Client: client.Addr, RequestID: client.RequestID,
		})
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) { // that it has ended already is what was wanted
		return err
	}
	if scope != "others" {
		h.service.Cookies.Clear(w, r)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// Lasting returns a context for what is done to its end once it is begun, whether the client of r still waits or not.
func Lasting(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(r.Context()), endTimeout)
}

// explain says what a client may know of err.
func (h *handler) explain(err error) error {
	if errors.Is(err, ErrInvalid) {
		return problem.New(http.StatusUnauthorized, "invalid_refresh_token", "The refresh token is not valid, or its session has ended. Log in again.").
			WithChallenges(problem.Bearer(h.Guard.Realm))
	}
	return err
}
