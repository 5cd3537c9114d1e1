package passport

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/countersign-auth/countersign/problem"
)

// Guard asks its strategies about a request. [Registry.Any] and [Registry.All] make one. A Guard does not change and may
// be used by many goroutines.
type Guard[U any] struct {
	opt        Options[U]
	strategies []Named[U]
	all        bool
	empty      func(U) bool
	// requirements are what a user who is known must meet.
	requirements []Requirement
}

// Result is what a guard decided about one request.
type Result[U any] struct {
	// Kind is Succeeded, Failed, Redirected, or, only under [Options].Optional, Passed.
	Kind Kind
	// Identity says who it is, after a success.
	Identity Identity[U]
	// Problem is the answer to a failure, with all its challenges. Its status is 400 to 499.
	Problem *problem.Error
	// Failures are the single failures, in the order in which the strategies were asked.
	Failures []NamedFailure
	// Location and Status are where a redirect leads and its status.
	Location string
	Status   int
	// CredentialInURL says that a strategy found a credential in the URL: the answer must not be cached or leak as a
	// referrer. It alone is set when Check returns an error.
	CredentialInURL bool

	account bool
}

// NamedFailure is the failure of one of a guard's strategies.
type NamedFailure struct {
	Strategy string
	Failure
}

// PanicError is the cause of the technical fault that a panic in a strategy becomes.
type PanicError struct {
	Value any
	Stack []byte
}

// Error gives the value of the panic.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Check asks the guard's strategies about r. It writes nothing, so that any framework can call it; [Result.Context] then
// carries the user on.
//
// Under [Registry.Any] the first success or redirect decides, and a strategy that passes is skipped. When none succeeds:
//
//   - A strategy that found credentials and refused them decides the answer. Of several, one with a status other than 401
//     goes first, the highest status of all (a 429 or a 400 says more than "not this way"); then the first in order. So
//     the order of the strategies does not change the status.
//   - When no strategy found credentials, the answer is 401 with the challenges of all of them; with one strategy in the
//     guard its own answer, which for a login form is 400.
//   - A 401 carries the challenges of every strategy that failed, always at least one. Another status carries those of
//     the failure that decided.
//
// Under [Registry.All] the first strategy that does not succeed decides.
//
// A user who was found must then meet the requirements of [Guard.Require].
//
// The error is a technical fault: always a [problem.Error] with a 5xx status. The first one ends the search, for a later
// strategy's answer would hide it. A strategy that panics, decides nothing, or succeeds with no user is such a fault;
// the panic [http.ErrAbortHandler] is passed on.
func (g *Guard[U]) Check(r *http.Request) (Result[U], error) {
	res := Result[U]{account: g.opt.Authorize}
	err := g.check(r, &res)
	return res, err
}

func (g *Guard[U]) check(r *http.Request, res *Result[U]) error {
	err := g.identify(r, res)
	if err != nil || res.Kind != Succeeded || len(g.requirements) == 0 {
		return err
	}
	return g.demand(res)
}

// identify asks the strategies.
func (g *Guard[U]) identify(r *http.Request, res *Result[U]) error {
	for i := range g.strategies {
		n := &g.strategies[i]
		if i > 0 && r.Context().Err() != nil {
			*res = Result[U]{}
			return fault(n.Name, r.Context().Err())
		}
		o, err := g.ask(n, r)
		res.CredentialInURL = res.CredentialInURL || o.inURL
		if err != nil {
			*res = Result[U]{CredentialInURL: res.CredentialInURL}
			return fault(n.Name, err)
		}
		switch o.kind {
		case Redirected:
			res.Kind, res.Location, res.Status = Redirected, o.other.url, o.other.status
			return nil
		case Succeeded:
			id := Identity[U]{User: o.user, Strategy: n.Name, Info: o.info}
			if !g.all {
				res.Kind, res.Identity, res.Failures = Succeeded, id, nil
				return nil
			}
			if !g.join(res, id, i) {
				return nil
			}
		case Failed:
			res.Failures = append(res.Failures, NamedFailure{n.Name, o.other.failure})
			if g.all {
				*res = g.refuse(*res, n.Name)
				return nil
			}
		case Passed:
			if g.all {
				*res = g.refuse(*res, n.Name)
				return nil
			}
		}
	}
	if g.all {
		res.Kind = Succeeded
		return nil
	}
	*res = g.conclude(*res)
	return nil
}

// join adds the i-th identity of an all-of guard. It reports false, and makes res the failure, when it is of another
// user than the first.
func (g *Guard[U]) join(res *Result[U], id Identity[U], i int) bool {
	if i == 0 {
		res.Identity = id
		return true
	}
	if !g.opt.Same(res.Identity.User, id.User) {
		f := Failure{Problem: problem.New(http.StatusUnauthorized, "identity_mismatch", "The credentials belong to different users.")}
		res.Failures = append(res.Failures, NamedFailure{id.Strategy, f})
		res.Identity = Identity[U]{}
		*res = g.refuse(*res, id.Strategy)
		return false
	}
	res.Identity.Also = append(res.Identity.Also, id)
	return true
}

// ask calls one strategy and checks what it answers, so that no fault of a strategy lets anybody in.
func (g *Guard[U]) ask(n *Named[U], r *http.Request) (o Outcome[U], err error) {
	defer func() {
		if v := recover(); v != nil {
			if v == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
				panic(v)
			}
			o, err = Outcome[U]{}, &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	if o, err = n.Strategy.Authenticate(r); err != nil {
		return Outcome[U]{inURL: o.inURL}, err
	}
	switch o.kind {
	case Undecided:
		return o, errors.New("it returned no outcome")
	case Succeeded:
		if g.empty(o.user) {
			return o, errors.New("it succeeded without a user")
		}
	case Failed:
		if p := o.other.failure.Problem; p != nil && p.Status != 0 && (p.Status < 400 || p.Status > 499) {
			return o, fmt.Errorf("it failed with the status %d, which refuses nothing", p.Status)
		}
	case Redirected:
		if !isLocation(o.other.url) || !isRedirect(o.other.status) {
			return o, errors.New("it redirects with an impossible URL or status")
		}
	}
	return o, nil
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// fault makes err what a client may see. A problem below 500 loses its status: it was returned as an error, and the one
// mistake that must not happen is that an outage says "wrong password".
func fault(strategy string, err error) error {
	cause := fmt.Errorf("passport: strategy %q: %w", strategy, err)
	if p := problem.From(err); p.Status >= 500 {
		return p.WithCause(cause)
	}
	return problem.From(errors.New("")).WithCause(cause)
}
