package passport_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/problem"
)

// person is the user of the table.
type person struct{ Name string }

// tableApp is a row's app in our library.
type tableApp struct {
	row      *tableRow
	sessions *passport.Sessions[*person]
	// probe reads the same store, but finds every user: it looks at a session without changing it.
	probe   *passport.Sessions[*person]
	store   *passport.MemoryStore
	waiting *barrier
	lookup  *lookupSeen
}

// build returns the app's handler; the error is what the program would not start for.
func (row *tableRow) build() (*tableApp, http.Handler, error) {
	a := &tableApp{
		row: row, store: passport.NewMemoryStore(100), waiting: newBarrier(len(row.Concurrent)),
		lookup: &lookupSeen{cancelled: make(chan struct{}), began: make(chan struct{})},
	}
	var err error
	cfg := passport.SessionConfig[*person]{Serialize: a.serialize, Deserialize: a.deserialize, InsecureCookie: true, Keep: a.keep()}
	if slices.Contains(row.Serialize, "none") {
		cfg.Serialize = nil
	}
	if slices.Contains(row.Deserialize, "none") {
		cfg.Deserialize = nil
	}
	if a.sessions, err = passport.NewSessions(a.store, cfg); err != nil {
		return nil, nil, err
	}
	cfg.Serialize = func(_ context.Context, u *person) (string, error) { return u.Name, nil }
	cfg.Deserialize = func(_ context.Context, id string) (*person, bool, error) { return &person{id}, true, nil }
	if a.probe, err = passport.NewSessions(a.store, cfg); err != nil {
		return nil, nil, err
	}
	reg, err := a.registry()
	if err != nil {
		return nil, nil, err
	}
	h := a.handler()
	for _, g := range slices.Backward(row.Guards) {
		if h, err = a.guard(reg, &g, h); err != nil {
			return nil, nil, err
		}
	}
	if !row.NoSession {
		h = a.sessions.Middleware(h)
	}
	h = withTenant(h)
	mux := http.NewServeMux()
	mux.Handle("/", h)
	mux.Handle("POST /__seed", a.probe.Middleware(http.HandlerFunc(a.seed)))
	mux.Handle("GET /__session", a.probe.Middleware(http.HandlerFunc(a.dump)))
	return a, mux, nil
}

// tenantKey stands for what an app gets from the request by Passport's passReqToCallback.
type tenantKey struct{}

func withTenant(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tenantKey{}, r.Header.Get("X-Tenant"))))
	})
}

var errDown = errors.New("db.internal is down")

func (a *tableApp) serialize(_ context.Context, u *person) (string, error) {
	switch {
	case slices.Contains(a.row.Serialize, "error"), slices.Equal(a.row.Serialize, []string{"pass"}):
		return "", errDown
	case slices.Contains(a.row.Serialize, "empty"):
		return "", nil
	}
	return u.Name, nil
}

func (a *tableApp) deserialize(_ context.Context, id string) (*person, bool, error) {
	switch {
	case slices.Contains(a.row.Deserialize, "error"), slices.Equal(a.row.Deserialize, []string{"pass"}):
		return nil, false, errDown
	case slices.Contains(a.row.Deserialize, "gone"):
		return nil, false, nil
	}
	return &person{id}, true, nil
}

// keep names the values that survive where the row has keepSessionInfo: all that were there.
func (a *tableApp) keep() (names []string) {
	var opt struct{ KeepSessionInfo bool }
	if len(a.row.Options) > 0 {
		_ = json.Unmarshal(a.row.Options, &opt)
	}
	for _, g := range a.row.Guards {
		opt.KeepSessionInfo = opt.KeepSessionInfo || g.Options["keepSessionInfo"] == true
	}
	if opt.KeepSessionInfo {
		for name := range a.row.SessionBefore {
			names = append(names, name)
		}
	}
	return names
}

// guard maps Passport's options to ours.
func (a *tableApp) guard(reg *passport.Registry[*person], spec *tableGuard, next http.Handler) (http.Handler, error) {
	o, names := spec.Options, []string(spec.Use)
	if spec.Session {
		names = []string{"session"}
	}
	opt := passport.Options[*person]{Logger: quiet, Realm: spec.Go.Realm, Optional: spec.Go.Optional, RememberReturnTo: spec.Go.Remember}
	opt.Authorize = spec.Authorize || o["assignProperty"] != nil
	opt.Login = o["session"] != false && !opt.Authorize && !spec.Callback && !slices.Contains(names, "session")
	opt.SuccessRedirect = words(o["successRedirect"], "")
	if to := words(o["successReturnToOrRedirect"], ""); to != "" {
		opt.SuccessRedirect, opt.ReturnTo = to, true
	}
	opt.FailureRedirect = words(o["failureRedirect"], "")
	opt.SuccessMessage = words(o["successMessage"], words(o["successFlash"], ""))
	opt.FailureMessage = words(o["failureMessage"], words(o["failureFlash"], ""))
	if opt.Login || opt.ReturnTo || opt.RememberReturnTo || opt.SuccessMessage != "" || opt.FailureMessage != "" {
		opt.Sessions = a.sessions
	}
	if o["failWithError"] == true {
		opt.Respond = func(w http.ResponseWriter, _ *http.Request, err error) {
			p := problem.From(err)
			for _, c := range p.Challenges {
				w.Header().Add("WWW-Authenticate", c.String())
			}
			w.Header().Set("X-Error-Class", fmt.Sprintf("%T", p))
			w.WriteHeader(p.Status)
			_, _ = io.WriteString(w, p.Code)
		}
	}
	if spec.Callback {
		opt.OnResult = reportResult
	}
	g, err := reg.Any(opt, names...)
	if err != nil {
		return nil, err
	}
	if spec.Go.Check {
		return checkByHand(g, next), nil
	}
	return g.Handler(next), nil
}

// words is a message of Passport's options as ours take it: a string, for we send no text of a strategy's.
func words(v any, none string) string {
	switch v := v.(type) {
	case string:
		return v
	case map[string]any:
		return words(v["message"], none)
	case bool:
		if v {
			return "Our own words."
		}
	}
	return none
}

// checkByHand is the adapter that another framework would have.
func checkByHand(g *passport.Guard[*person], next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		res, err := g.Check(r)
		switch {
		case err != nil:
			problem.Respond(w, r, err)
		case res.Kind == passport.Failed:
			problem.Respond(w, r, res.Problem)
		default:
			next.ServeHTTP(w, r.WithContext(res.Context(r.Context())))
		}
	})
}

func reportResult(w http.ResponseWriter, _ *http.Request, res passport.Result[*person], _ http.Handler) {
	report := object{"user": false}
	if res.Kind == passport.Succeeded {
		report["user"] = res.Identity.User.Name
		if res.Identity.Info != nil {
			report["info"] = res.Identity.Info
		}
	}
	if p := res.Problem; p != nil {
		report["status"], report["info"] = p.Status, p.Code
	}
	answer(w, object{"callback": report})
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// handler is what stands behind the guards.
func (a *tableApp) handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		extra := object{}
		var err error
		switch a.row.Handler {
		case "echo":
			var body []byte
			body, err = io.ReadAll(r.Body)
			extra["echo"] = string(body)
		case "logout", "logout without callback":
			err = a.sessions.Logout(w, r)
		case "login bob", "login bob without callback":
			err = a.sessions.Login(w, r, &person{"bob"})
		}
		if err != nil {
			problem.Respond(w, r, err)
			return
		}
		whoIs(w, r, extra)
	})
}

func whoIs(w http.ResponseWriter, r *http.Request, out object) {
	out["user"] = "nobody"
	var found []string
	if u, ok := passport.UserFrom[*person](r.Context()); ok {
		out["user"] = u.Name
		found = append(found, "UserFrom")
	}
	if id, ok := passport.AccountFrom[*person](r.Context()); ok {
		out["account"] = id.User.Name
		found = append(found, "AccountFrom")
		if id.Info != nil {
			out["info"] = id.Info
		}
	}
	if info, ok := passport.InfoFrom[any](r.Context()); ok {
		out["info"] = info
		if tok, ok := info.(*jwt.Token); ok {
			out["info"] = object{"token": tok.Subject}
		}
	}
	out["authenticated"], out["unauthenticated"] = out["user"] != "nobody", out["user"] == "nobody"
	out["found_in"] = found
	answer(w, out)
}

// seed fills a session as the row's session_before says.
func (a *tableApp) seed(w http.ResponseWriter, r *http.Request) {
	s := a.probe
	if u, ok := a.row.SessionBefore["user"]; ok {
		_ = s.Login(w, r, &person{fmt.Sprint(u)})
	}
	for k, v := range a.row.SessionBefore {
		switch k {
		case "user":
		case "returnTo":
			_ = s.SetReturnTo(w, r, v.(string)) // refuses what leads out of the site
		case "messages":
			for _, m := range v.([]any) {
				_ = s.AddMessage(w, r, passport.Message{Kind: "success", Text: m.(string)})
			}
		default:
			_ = s.SetValue(w, r, k, v.(string))
		}
	}
}

// dump answers with what stands in the session. It empties it as well.
func (a *tableApp) dump(w http.ResponseWriter, r *http.Request) {
	out := object{}
	if u, ok, _ := a.probe.User(r); ok {
		out["user"] = u.Name
	}
	for k := range a.row.SessionBefore {
		if v, ok, _ := a.probe.Value(r, k); ok {
			out[k] = v
		}
	}
	if list, _ := a.probe.Messages(r); len(list) > 0 {
		var texts []string
		for _, m := range list {
			texts = append(texts, m.Text)
		}
		out["messages"] = texts
	}
	if path, ok, _ := a.probe.TakeReturnTo(r); ok {
		out["returnTo"] = path
	}
	answer(w, out)
}

// barrier holds all requests of a row until the last is there.
type barrier struct {
	mu   sync.Mutex
	left int
	open chan struct{}
}

func newBarrier(n int) *barrier { return &barrier{left: n, open: make(chan struct{})} }

func (b *barrier) wait(ctx context.Context) {
	b.mu.Lock()
	if b.left--; b.left == 0 {
		close(b.open)
	}
	b.mu.Unlock()
	select {
	case <-b.open:
	case <-ctx.Done():
	}
}

// lookupSeen says what became of a look-up of keys.
type lookupSeen struct {
	began, cancelled chan struct{}
}

func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
