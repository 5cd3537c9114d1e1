package passport

import (
	"net/http"

	"github.com/countersign-auth/countersign/problem"
)

// Handler returns next behind the guard: a request reaches it only after a success, with the identity in its context, or
// under [Options].Optional without credentials. All methods are guarded alike, OPTIONS too: a handler for CORS preflight
// belongs before the guard. The method value g.Handler is a middleware. A nil next panics.
func (g *Guard[U]) Handler(next http.Handler) http.Handler {
	if next == nil {
		panic("passport: nil handler")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		res := Result[U]{account: g.opt.Authorize}
		err := g.check(r, &res)
		if err == nil && g.opt.OnResult != nil {
			res.protect(w)
			g.opt.OnResult(w, withContext(r, res), res, next)
			return
		}
		if g.decide(w, r, &res, err) {
			next.ServeHTTP(w, withContext(r, res))
		}
	})
}

// HandlerFunc returns next behind the guard, as [Guard.Handler] does, for a function that takes the identity as an
// argument. The request's context does not carry it, which spares a copy of the request. A nil next panics, and so does a
// guard with [Options].Optional, which may have no identity to give, or with OnResult, which takes an [http.Handler].
func (g *Guard[U]) HandlerFunc(next func(w http.ResponseWriter, r *http.Request, id Identity[U])) http.Handler {
	if next == nil {
		panic("passport: nil handler")
	}
	if g.opt.Optional || g.opt.OnResult != nil {
		panic("passport: HandlerFunc does not go with Optional or OnResult")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		res := Result[U]{account: g.opt.Authorize}
		if err := g.check(r, &res); g.decide(w, r, &res, err) {
			next(w, r, res.Identity)
		}
	})
}

// decide answers what is not for the handler, and reports whether the request is to go on to it.
func (g *Guard[U]) decide(w http.ResponseWriter, r *http.Request, res *Result[U], err error) bool {
	res.protect(w)
	switch {
	case err != nil:
		g.fault(w, r, err)
	case res.Kind == Succeeded:
		return g.succeed(w, r, res)
	case res.Kind == Redirected:
		redirect(w, r, res.Location, res.Status)
	case res.Kind == Passed:
		return true
	default:
		g.fail(w, r, res)
	}
	return false
}

// protect keeps the answer to a request with a credential in its URL out of caches, and the URL out of referrers.
func (res *Result[U]) protect(w http.ResponseWriter) {
	if res.CredentialInURL {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
	}
}

func withContext[U any](r *http.Request, res Result[U]) *http.Request {
	if res.Kind != Succeeded {
		return r
	}
	return r.WithContext(res.Context(r.Context()))
}

// succeed does what the options want after a success, and reports whether the request is to go on.
func (g *Guard[U]) succeed(w http.ResponseWriter, r *http.Request, res *Result[U]) bool {
	if g.opt.Login {
		if err := g.opt.Sessions.Login(w, r, res.Identity.User); err != nil {
			g.fault(w, r, err)
			return false
		}
	}
	if g.opt.SuccessRedirect == "" {
		return true
	}
	target := g.opt.SuccessRedirect
	if g.opt.SuccessMessage != "" {
		if err := g.opt.Sessions.AddMessage(w, r, Message{Kind: "success", Text: g.opt.SuccessMessage}); err != nil {
			g.fault(w, r, err)
			return false
		}
	}
	if g.opt.ReturnTo {
		stored, ok, err := g.opt.Sessions.TakeReturnTo(r)
		if err != nil {
			g.fault(w, r, err)
			return false
		}
		if ok {
			target = stored
		}
	}
	redirect(w, r, target, http.StatusSeeOther)
	return false
}

func (g *Guard[U]) fail(w http.ResponseWriter, r *http.Request, res *Result[U]) {
	if g.opt.FailureRedirect == "" {
		g.opt.respond(w, r, res.Problem)
		return
	}
	if g.opt.FailureMessage != "" {
		if err := g.opt.Sessions.AddMessage(w, r, Message{Kind: "failure", Text: g.opt.FailureMessage}); err != nil {
			g.fault(w, r, err)
			return
		}
	}
	if g.opt.RememberReturnTo && r.Method == http.MethodGet && !res.CredentialInURL {
		if path, ok := SafeReturnTo(r.URL.RequestURI()); ok {
			if err := g.opt.Sessions.SetReturnTo(w, r, path); err != nil {
				g.fault(w, r, err)
				return
			}
		}
	}
	redirect(w, r, g.opt.FailureRedirect, http.StatusSeeOther)
}

// fault answers a technical fault. What comes from a session is no problem.Error yet.
func (g *Guard[U]) fault(w http.ResponseWriter, r *http.Request, err error) {
	g.opt.log(r, err)
	if problem.From(err).Status < 500 {
		err = problem.From(nil).WithCause(err)
	}
	g.opt.respond(w, r, problem.From(err))
}

func redirect(w http.ResponseWriter, r *http.Request, target string, status int) {
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, target, status)
}
