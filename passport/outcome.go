package passport

import (
	"net/http"
	"reflect"

	"github.com/countersign-auth/countersign/problem"
)

// A Strategy decides who sent a request.
//
// Authenticate returns one [Outcome]: Success, Fail, Redirect or Pass. It returns an error for a technical fault only
// (the database is down, a key set cannot be fetched); a guard answers that with a 5xx status, never with 401. A
// request that is malformed is no technical fault but a [Failure] with the status 400, 413 or 415: see [FromError].
//
// Authenticate is called by many goroutines at once and keeps nothing of one request for the next. It does not change
// the request, but for one thing: it may replace r.Body, having read it, by a reader of the same bytes. It gives up
// when r's context ends. The suite in the package passporttest checks all this.
type Strategy[U any] interface {
	Authenticate(r *http.Request) (Outcome[U], error)
}

// StrategyFunc makes a function a [Strategy].
type StrategyFunc[U any] func(r *http.Request) (Outcome[U], error)

// Authenticate calls f.
func (f StrategyFunc[U]) Authenticate(r *http.Request) (Outcome[U], error) { return f(r) }

// Kind says which of the four outcomes an [Outcome] or a [Result] is.
type Kind uint8

const (
	// Undecided is the kind of the zero Outcome. A guard treats it as a technical fault.
	Undecided Kind = iota
	// Succeeded means that the user is known.
	Succeeded
	// Failed means that the request is refused.
	Failed
	// Redirected means that the user is to be sent elsewhere, to a login provider for example.
	Redirected
	// Passed means that there was nothing to decide.
	Passed
)

// String returns the kind in one lower-case word.
func (k Kind) String() string {
	names := [...]string{"undecided", "succeeded", "failed", "redirected", "passed"}
	if int(k) < len(names) {
		return names[k]
	}
	return "unknown"
}

// Outcome is what a strategy decided about one request. It is a value: it belongs to the call that returned it, so that
// two requests cannot mix. Only [Success], [Fail], [Redirect] and [Pass] make one; the zero Outcome is a fault.
type Outcome[U any] struct {
	kind  Kind
	inURL bool
	user  U
	info  any
	other *otherwise // of a failure or a redirect
}

// otherwise is what a success does without, which is copied from hand to hand for every request.
type otherwise struct {
	failure Failure
	status  int
	url     string
}

// Success says that the request comes from user. info is what else the strategy learned, a verified token for example;
// nil is fine, and [InfoFrom] finds it in the request context. A user that is nil or a zero value is a technical fault.
func Success[U any](user U, info any) Outcome[U] {
	return Outcome[U]{kind: Succeeded, user: user, info: info}
}

// Fail refuses the request, or says that it has no credentials.
func Fail[U any](f Failure) Outcome[U] {
	return Outcome[U]{kind: Failed, other: &otherwise{failure: f}}
}

// Redirect sends the user to url, which is absolute (http or https) or a path. A zero status is 302; others are 301, 303,
// 307 and 308.
func Redirect[U any](url string, status int) Outcome[U] {
	if status == 0 {
		status = http.StatusFound
	}
	return Outcome[U]{kind: Redirected, other: &otherwise{url: url, status: status}}
}

// Pass says that the strategy has nothing to decide and nothing to demand, as a session strategy when there is no
// session. It lets nobody in: only a guard with [Options].Optional goes on without a user.
func Pass[U any]() Outcome[U] { return Outcome[U]{kind: Passed} }

// CredentialInURL returns a copy of o that is marked: the credential stood in the request's URL. A guard's handler then
// adds Cache-Control: no-store and Referrer-Policy: no-referrer to the answer (RFC 6750, section 5.3).
func (o Outcome[U]) CredentialInURL() Outcome[U] {
	o.inURL = true
	return o
}

// Kind returns which outcome o is.
func (o Outcome[U]) Kind() Kind { return o.kind }

// User returns the user of a success, and whether o is one.
func (o Outcome[U]) User() (U, bool) { return o.user, o.kind == Succeeded }

// Info returns the info of a success, or nil.
func (o Outcome[U]) Info() any { return o.info }

// Failure returns the failure, and whether o is one.
func (o Outcome[U]) Failure() (Failure, bool) {
	if o.kind != Failed {
		return Failure{}, false
	}
	return o.other.failure, true
}

// Location returns where a redirect leads, its status, and whether o is a redirect.
func (o Outcome[U]) Location() (url string, status int, ok bool) {
	if o.kind != Redirected {
		return "", 0, false
	}
	return o.other.url, o.other.status, true
}

// IsCredentialInURL reports whether o was marked by [Outcome.CredentialInURL].
func (o Outcome[U]) IsCredentialInURL() bool { return o.inURL }

// Failure says why a strategy refused a request. The zero Failure is a plain 401.
type Failure struct {
	// Problem is what the client sees when this failure decides the answer. Its status is 400 to 499, zero is 401; any
	// other status makes the outcome a technical fault. Nil is a 401 with the code "unauthorized".
	Problem *problem.Error
	// Absent says that the request carries nothing for this strategy to judge: no token, neither of two form fields, a
	// body of a type that it does not read. In an ordered fallback the absent ones ask for credentials together, with
	// status 401 and all challenges, whatever the status in Problem. Where the strategy stands alone its Problem is sent.
	Absent bool
	// Challenges are what this strategy adds to a 401 when Problem has none of its own, for example because Problem is a
	// 400. They are not sent with any other status.
	Challenges []problem.Challenge
}

// FromError makes the outcome of an error that a callback or a parser returned: a [problem.Error] with a status from 400
// to 499, as for a throttled or a disabled account, is a [Failure]; so is a body over its limit (413). Anything else is a
// technical fault and is returned as the error.
func FromError[U any](err error) (Outcome[U], error) {
	if p := problem.From(err); p.Status >= 400 && p.Status <= 499 {
		return Fail[U](Failure{Problem: p}), nil
	}
	return Outcome[U]{}, err
}

// emptiness returns a function that reports whether a user is none at all: nil in any disguise, or a zero value.
// The type is looked at once, so that the usual pointer costs one comparison a request.
func emptiness[U any]() func(U) bool {
	t := reflect.TypeFor[U]()
	switch t.Kind() {
	case reflect.Pointer:
		return func(u U) bool {
			var zero U
			return any(u) == any(zero)
		}
	case reflect.Interface:
		return func(u U) bool {
			v := reflect.ValueOf(any(u))
			return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() || v.IsZero() && v.Type().Size() > 0
		}
	}
	if t.Size() == 0 { // struct{}: nothing to tell apart
		return func(U) bool { return false }
	}
	return func(u U) bool { return reflect.ValueOf(&u).Elem().IsZero() }
}
