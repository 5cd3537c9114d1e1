package passport

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/countersign-auth/countersign/problem"
)

// Options say what a guard does with an outcome. The zero Options let a known user through and answer everybody else
// with the right status and challenges.
type Options[U any] struct {
	// Realm is the realm of the challenge that the guard adds to a 401 for which no strategy named one. RFC 9110 demands
	// one; its scheme is then the name of the strategy. Empty means no realm.
	Realm string
	// Optional lets a request without any credentials go on without a user. Refused credentials are still refused.
	Optional bool
	// Same reports whether two strategies mean the same user. [Registry.All] requires it, [Registry.Any] ignores it.
	Same func(a, b U) bool
	// Authorize attaches the user as a second account: [AccountFrom] finds it, and what [UserFrom] finds stays as it was.
	// Nobody is logged in. It excludes Login.
	Authorize bool

	// Sessions is where Login, ReturnTo, RememberReturnTo and the messages keep things; [Sessions.Middleware] must stand
	// before the guard. Nil does without.
	Sessions *Sessions[U]
	// Login makes a success start a session in Sessions. The session strategy itself cannot be in such a guard: each
	// request would start a new session.
	Login bool

	// SuccessRedirect and FailureRedirect send the client there, with status 303, instead of on to the handler and of
	// answering the failure. Each is a path of this site or an absolute http or https URL. A technical fault is never
	// redirected.
	SuccessRedirect, FailureRedirect string
	// ReturnTo prefers, over SuccessRedirect, the path that [Sessions.SetReturnTo] stored, and removes it.
	ReturnTo bool
	// RememberReturnTo stores the path of a refused GET request, for ReturnTo to use, before it redirects to
	// FailureRedirect. A URL with a credential in it is not stored.
	RememberReturnTo bool
	// SuccessMessage and FailureMessage are left in the session for the next page; see [Sessions.Messages].
	SuccessMessage, FailureMessage string

	// OnResult takes over after the strategies: the guard does nothing more, it neither logs in nor redirects nor answers.
	// After a success, r carries the identity. Whoever calls next after anything else lets a stranger in, though
	// [UserFrom] will find nobody. OnResult never sees a technical fault. It excludes all options from Sessions to
	// FailureMessage.
	OnResult func(w http.ResponseWriter, r *http.Request, res Result[U], next http.Handler)
	// Respond writes failures and technical faults. Nil is [problem.Respond]. What it gets is always a [problem.Error].
	Respond func(w http.ResponseWriter, r *http.Request, err error)
	// Logger gets the technical faults, panics of strategies among them. Nil is [slog.Default].
	Logger *slog.Logger
	// Now is the clock that [RequireFresh] goes by. Nil is time.Now.
	Now func() time.Time
}

func (o *Options[U]) now() time.Time {
	if o.Now == nil {
		return time.Now()
	}
	return o.Now()
}

func (o *Options[U]) validate(strategies []Named[U]) error {
	if o.Authorize && o.Login {
		return errors.New("passport: Authorize attaches an account without logging in; it excludes Login")
	}
	if o.Sessions == nil && (o.Login || o.ReturnTo || o.RememberReturnTo || o.SuccessMessage != "" || o.FailureMessage != "") {
		return errors.New("passport: Login, ReturnTo, RememberReturnTo and messages need Sessions")
	}
	if o.OnResult != nil && (o.Sessions != nil || o.Login || o.SuccessRedirect != "" || o.FailureRedirect != "") {
		return errors.New("passport: OnResult takes over; it excludes sessions and redirects")
	}
	if o.ReturnTo && o.SuccessRedirect == "" {
		return errors.New("passport: ReturnTo needs a SuccessRedirect for when nothing was stored")
	}
	if o.RememberReturnTo && o.FailureRedirect == "" {
		return errors.New("passport: RememberReturnTo needs a FailureRedirect")
	}
	if o.SuccessMessage != "" && o.SuccessRedirect == "" || o.FailureMessage != "" && o.FailureRedirect == "" {
		return errors.New("passport: a message is for the page after a redirect, and there is none")
	}
	for _, target := range []string{o.SuccessRedirect, o.FailureRedirect} {
		if target != "" && !isLocation(target) {
			return fmt.Errorf("passport: %q is neither a path of this site nor an http URL", target)
		}
	}
	for _, n := range strategies {
		if _, ok := n.Strategy.(*sessionStrategy[U]); ok && o.Login {
			return fmt.Errorf("passport: %q reads the session; with Login each request would start a new one", n.Name)
		}
	}
	return nil
}

func (o *Options[U]) respond(w http.ResponseWriter, r *http.Request, err error) {
	if o.Respond != nil {
		o.Respond(w, r, err)
		return
	}
	problem.Respond(w, r, err)
}

// log reports a technical fault. When the client has left, its going is the likely cause and not worth an alarm.
func (o *Options[U]) log(r *http.Request, err error) {
	logger := o.Logger
	if logger == nil {
		logger = slog.Default()
	}
	level := slog.LevelError
	if r.Context().Err() != nil {
		level = slog.LevelDebug
	}
	attrs := []slog.Attr{slog.Any("error", err)}
	var p *PanicError
	if errors.As(err, &p) {
		attrs = append(attrs, slog.String("stack", string(p.Stack)))
	}
	logger.LogAttrs(r.Context(), level, "passport: technical fault", attrs...)
}

// isLocation reports whether s may stand in a Location header: a path of this site or an absolute http or https URL.
func isLocation(s string) bool {
	if _, ok := SafeReturnTo(s); ok {
		return true
	}
	if hasControl(s) {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
}
