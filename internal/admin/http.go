package admin

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/countersign-auth/countersign/internal/account"
	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/apikey"
	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/login"
	"github.com/countersign-auth/countersign/internal/login/withpassword"
	"github.com/countersign-auth/countersign/internal/session"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/problem"
)

// HTTP is what the routes need beside the service.
type HTTP struct {
	Log *slog.Logger
	// Guard knows the owners of API keys, and nobody else: no cookie of a browser opens these routes.
	Guard   *passport.Guard[*passport.Principal]
	Proxies api.Proxies
	// Realm is the realm of challenges.
	Realm string
}

type handler struct {
	HTTP
	service *Service
}

const (
	pathUsers    = "/admin/api/users"
	pathUser     = pathUsers + "/{id}"
	pathSessions = pathUser + "/sessions"
	tag          = "Administration"
)

// Routes adds /admin/api/users and what is below it.
func (s *Service) Routes(rt *api.Router, cfg HTTP) {
	cfg.Guard = cfg.Guard.Require(passport.RequireScope(apikey.AdminScope))
	h := &handler{cfg, s}
	add := func(reason string, op api.Operation, run operation) {
		op.Tag, op.Key, op.AnyID = tag, true, true
		rt.Handle(&op, h.handle(reason, run))
	}
	add("list_users", api.Operation{
		Method: http.MethodGet, Path: pathUsers, ID: "adminListUsers", Summary: "List users, or search them by the beginning of their address",
		Description: "In the order of their ids or, with prefix, of their addresses.",
		Query: []api.Parameter{
			{Name: "prefix", Doc: "What addresses begin with, in whatever case", Value: ""},
			{Name: "after", Doc: "The next of the page before", Value: ""},
			{Name: "limit", Doc: "How many at the most: 1 to 200, and 50 if left out", Value: 0},
		},
		OK: UserList{}, Problems: []int{400, 401},
	}, h.list)
	add("create_user", api.Operation{
		Method: http.MethodPost, Path: pathUsers, ID: "adminCreateUser", Summary: "Make a user",
		Body: Creation{}, Status: http.StatusCreated, OK: UserRecord{}, Problems: []int{400, 401, 408, 409, 415, 422},
	}, h.create)
	add("read_user", api.Operation{
		Method: http.MethodGet, Path: pathUser, ID: "adminReadUser", Summary: "Read a user", OK: UserRecord{}, Problems: []int{400, 401, 404},
	}, h.read)
	add("change_user", api.Operation{
		Method: http.MethodPatch, Path: pathUser, ID: "adminChangeUser", Summary: "Disable or enable a user, set roles and admin_data",
		Description: "All that the body names is changed at once, or nothing.",
		Body:        Patch{}, OK: UserRecord{}, Problems: []int{400, 401, 404, 408, 409, 415, 422},
	}, h.change)
	add("delete_user", api.Operation{
		Method: http.MethodDelete, Path: pathUser, ID: "adminDeleteUser", Summary: "Delete a user, with all sessions and tokens",
		Status: http.StatusNoContent, Problems: []int{400, 401, 404},
	}, h.remove)
	add("list_sessions", api.Operation{
		Method: http.MethodGet, Path: pathSessions, ID: "adminListSessions", Summary: "List a user's sessions",
		OK: account.Sessions{}, Problems: []int{400, 401, 404},
	}, h.sessions)
	add("end_sessions", api.Operation{
		Method: http.MethodDelete, Path: pathSessions, ID: "adminEndSessions", Summary: "End all sessions and tokens of a user",
		Status: http.StatusNoContent, Problems: []int{400, 401, 404},
	}, h.endSessions)
	add("end_session", api.Operation{
		Method: http.MethodDelete, Path: pathSessions + "/{session}", ID: "adminEndSession", Summary: "End one session of a user, with its tokens",
		Status: http.StatusNoContent, Problems: []int{400, 401, 404},
	}, h.endSession)
}

// operation does what a route is for. A nil answer is a 204, and an error a problem.
type operation func(c *call) (answer any, err error)

// call is a request of somebody whose key opens the routes.
type call struct {
	*http.Request
	by audit.By
	// status is that of the answer; zero means 200.
	status int
	// concerns is the id of the user concerned, once there is known to be one.
	concerns string
}

// handle returns the route of an operation, of which each call is an event.
func (h *handler) handle(reason string, run operation) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := h.admit(w, r)
		if err != nil {
			api.Fail(h.Log, w, r, err)
			return
		}
		answer, err := run(c)
		if err := h.record(c, reason, err); err != nil {
			api.Fail(h.Log, w, r, err)
			return
		}
		if answer == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		api.JSONStatus(w, c.status, answer)
	})
}

// admit returns the call of a request with a key that opens the routes. Others are counted.
func (h *handler) admit(w http.ResponseWriter, r *http.Request) (*call, error) {
	res, err := h.Guard.Check(r)
	if err != nil {
		return nil, err
	}
	client := session.ClientOf(w, r, h.Proxies)
	by := audit.By{Client: client.Addr, RequestID: client.RequestID}
	if res.Kind != passport.Succeeded {
		h.service.Audit.Refused(store.Event{Kind: "admin", Reason: res.Problem.Code, Client: by.Client, RequestID: by.RequestID})
		return nil, res.Problem
	}
	by.Actor = apikey.ActorPrefix + res.Identity.User.Key
	return &call{Request: r, by: by}, nil
}

// record writes the event of a call whose outcome is err, and returns what it is answered with. What was only read is not
// given out without a trace, and what was done is not denied.
func (h *handler) record(c *call, reason string, err error) error {
	event := c.by.Event("admin", reason, c.concerns)
	if err != nil {
		event.Result = audit.Failed
		err = h.explain(err)
	} else if c.Method == http.MethodGet || c.Method == http.MethodHead {
		return h.service.Audit.Record(c.Context(), event)
	}
	h.service.Audit.Done(c.Context(), event)
	return err
}

// explain says what a client may know of err.
func (h *handler) explain(err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return problem.New(http.StatusNotFound, "no_user", "There is no user of this id.")
	case errors.Is(err, ErrVersion):
		return problem.New(http.StatusConflict, "version_conflict", "The user has another version: somebody has changed it. Read it again.")
	default:
		return withpassword.Explain(err, h.Realm)
	}
}

// The bounds of a page.
const (
	usualLimit = 50
	maxLimit   = 200
)

func (h *handler) list(c *call) (any, error) {
	query, err := api.Query(c.Request, "prefix", "after", "limit")
	if err != nil {
		return nil, err
	}
	limit := usualLimit
	if text, ok := query["limit"]; ok {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxLimit {
			return nil, api.BadQuery("A parameter is not as it must be.",
				problem.Field{Name: "limit", Code: "range", Detail: "The limit is a number from 1 to 200."})
		}
	}
	page, err := h.service.Page(c.Context(), query["prefix"], query["after"], limit)
	if errors.Is(err, ErrCursor) {
		return nil, api.BadQuery("A parameter is not as it must be.",
			problem.Field{Name: "after", Code: "unknown", Detail: "This is no next of a page of the same prefix."})
	}
	list := UserList{Users: make([]Entry, 0, len(page.Users)), Next: page.Next}
	for _, u := range page.Users {
		list.Users = append(list.Users, entryOf(u))
	}
	return list, err
}

func (h *handler) create(c *call) (any, error) {
	if _, err := api.Query(c.Request); err != nil {
		return nil, err
	}
	var body Creation
	if err := (api.Body{}).Read(c.Request, &body); err != nil {
		return nil, err
	}
	if missing := body.missing(); len(missing) > 0 {
		return nil, problem.New(http.StatusBadRequest, "missing_fields", "A field is missing or empty.").WithFields(missing...)
	}
	u, err := h.service.Create(c.Context(), withpassword.NewUser{
		Email: body.Email, Password: body.Password, ID: body.ID, Roles: body.Roles, Data: body.Data, AdminData: body.AdminData,
		Client: login.Client{Addr: h.Proxies.Client(c.Request), RequestID: c.by.RequestID}, Actor: c.by.Actor,
	})
	c.concerns, c.status = u.ID, http.StatusCreated
	return UserRecord{Entry: entryOf(u), Data: u.Data, AdminData: u.AdminData}, err
}

func (b *Creation) missing() (fields []problem.Field) {
	for _, f := range []struct{ name, value string }{{"email", b.Email}, {"password", b.Password}} {
		if f.value == "" {
			fields = append(fields, problem.Field{Name: f.name, Code: "missing", Detail: "This field is required."})
		}
	}
	return fields
}

// user returns the user of the path.
func (h *handler) user(c *call) (store.User, error) {
	if _, err := api.Query(c.Request); err != nil {
		return store.User{}, err
	}
	u, err := h.service.Users.User(c.Context(), c.PathValue("id"))
	c.concerns = u.ID
	return u, err
}

func (h *handler) read(c *call) (any, error) {
	u, err := h.user(c)
	if err != nil {
		return nil, err
	}
	return h.view(c, u)
}

// view returns a user as it is answered.
func (h *handler) view(c *call, u store.User) (any, error) {
	sessions, err := h.service.Sessions.List(c.Context(), u)
	return UserRecord{Entry: entryOf(u), Data: u.Data, AdminData: u.AdminData, Sessions: len(sessions)}, err
}

func (h *handler) change(c *call) (any, error) {
	u, err := h.user(c)
	if err != nil {
		return nil, err
	}
	var body Patch
	if err := (api.Body{}).Read(c.Request, &body); err != nil {
		return nil, err
	}
	change, err := body.change()
	if err != nil {
		return nil, err
	}
	ctx, cancel := session.Lasting(c.Request)
	defer cancel()
	if u, err = h.service.Change(ctx, c.by, u.ID, change); err != nil {
		return nil, err
	}
	return h.view(c, u)
}

// change returns the change that the body asks for.
func (p *Patch) change() (ch Change, err error) {
	if !p.Disabled.Is && !p.Roles.Is && p.AdminData == nil {
		return ch, problem.New(http.StatusBadRequest, "missing_fields", "The body names nothing that is to change.")
	}
	if p.Version.Is && p.Version.Value < 1 {
		return ch, problem.New(http.StatusBadRequest, "invalid_fields", "A field is not as it must be.").
			WithFields(problem.Field{Name: "version", Code: "range", Detail: "A version is 1 or more."})
	}
	ch = Change{AdminData: p.AdminData, Version: p.Version.Value}
	if p.Disabled.Is {
		ch.Disabled = &p.Disabled.Value
	}
	if p.Roles.Is {
		roles, wrong := checkRoles(p.Roles.Value)
		if len(wrong) > 0 {
			return ch, &withpassword.InvalidError{Fields: wrong}
		}
		ch.Roles = func([]string) ([]string, error) { return roles, nil }
	}
	return ch, nil
}

func (h *handler) remove(c *call) (any, error) {
	u, err := h.user(c)
	if err != nil {
		return nil, err
	}
	ctx, cancel := session.Lasting(c.Request)
	defer cancel()
	return nil, h.service.Delete(ctx, c.by, u.ID)
}

func (h *handler) sessions(c *call) (any, error) {
	u, err := h.user(c)
	if err != nil {
		return nil, err
	}
	records, err := h.service.Sessions.List(c.Context(), u)
	return account.Sessions{Sessions: account.SessionsOf(records, "")}, err
}

func (h *handler) endSessions(c *call) (any, error) {
	u, err := h.user(c)
	if err != nil {
		return nil, err
	}
	ctx, cancel := session.Lasting(c.Request)
	defer cancel()
	return nil, h.service.EndSessions(ctx, c.by, u.ID)
}

func (h *handler) endSession(c *call) (any, error) {
	u, err := h.user(c)
	if err != nil {
		return nil, err
	}
	ctx, cancel := session.Lasting(c.Request)
	defer cancel()
	err = h.service.EndSession(ctx, c.by, u.ID, c.PathValue("session"))
	if errors.Is(err, store.ErrNotFound) {
		err = problem.New(http.StatusNotFound, "no_session", "The user has no session of this id.")
	}
	return nil, err
}
