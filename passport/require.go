package passport

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign-auth/countersign/problem"
)

// The codes of the answers to users who are known and do not meet a [Requirement].
const (
	// CodeInsufficientScope is the code of a 403, as RFC 6750, section 3.1, names it.
	CodeInsufficientScope = "insufficient_scope"
	// CodeInsufficientRole is the code of a 403.
	CodeInsufficientRole = "insufficient_role"
	// CodeInsufficientAuthentication is the code of a 401, as RFC 9470, section 3, names it.
	CodeInsufficientAuthentication = "insufficient_user_authentication"
)

// A Requirement is what a guard asks of a user who is known. [RequireScope], [RequireRole] and [RequireFresh] make one, and
// [Guard.Require] adds it to a guard. The zero Requirement cannot be met.
type Requirement struct {
	// needs is the method that a user must have to meet it, for the message.
	needs string
	// tells reports whether users of a type have that method.
	tells func(reflect.Type) bool
	// refuse returns the answer to a user who does not meet it; false as ok says that the user has no such method.
	refuse func(user any, realm string, now time.Time) (unmet *problem.Error, ok bool)
}

// RequireScope asks for every one of these scopes. The answer to a user without is 403 insufficient_scope, with the challenge
// of RFC 6750, section 3.1. A user tells its scopes by a method HasScope(string) bool, as [Principal] has it. No scope at
// all, and one that RFC 6749, section 3.3, would not take, panics.
func RequireScope(scopes ...string) Requirement {
	type scoped interface{ HasScope(scope string) bool }
	scopes = slices.Clone(scopes)
	mustName("RequireScope", scopes)
	list := strings.Join(scopes, " ")
	return Requirement{
		needs: "HasScope(string) bool", tells: implements[scoped],
		refuse: func(user any, realm string, _ time.Time) (*problem.Error, bool) {
			u, ok := user.(scoped)
			if !ok || !slices.ContainsFunc(scopes, func(scope string) bool { return !u.HasScope(scope) }) {
				return nil, ok
			}
			const detail = "This needs a scope that the credentials do not have."
			challenge := problem.BearerError(realm, CodeInsufficientScope, detail)
			challenge.Params = append(challenge.Params, problem.Param{Name: "scope", Value: list})
			return problem.New(http.StatusForbidden, CodeInsufficientScope, detail).WithChallenges(challenge), true
		},
	}
}

// RequireRole asks for one of these roles; which of them does not matter. The answer to a user without is 403
// insufficient_role. A user tells its roles by a method HasRole(string) bool, as [Principal] has it. No role at all, and one
// that is empty or could not be a scope, panics.
func RequireRole(roles ...string) Requirement {
	type cast interface{ HasRole(role string) bool }
	roles = slices.Clone(roles)
	mustName("RequireRole", roles)
	return Requirement{
		needs: "HasRole(string) bool", tells: implements[cast],
		refuse: func(user any, _ string, _ time.Time) (*problem.Error, bool) {
			u, ok := user.(cast)
			if !ok || slices.ContainsFunc(roles, u.HasRole) {
				return nil, ok
			}
			return problem.New(http.StatusForbidden, CodeInsufficientRole, "This needs a role that the user does not have."), true
		},
	}
}

// clockSkew is by how much the clock of who says when a user logged in may be ahead.
const clockSkew = 30 * time.Second

// RequireFresh asks for a login that is at most maxAge ago. The answer to a user whose login is longer ago, or for whom nobody
// says when it was, is 401 insufficient_user_authentication with the challenge of RFC 9470, section 3: a new login helps, a
// refreshed token does not. A user tells the time by a method AuthenticatedAt() time.Time, as [Principal] has it. A maxAge
// under a second panics.
func RequireFresh(maxAge time.Duration) Requirement {
	type authenticated interface{ AuthenticatedAt() time.Time }
	if maxAge < time.Second {
		panic("passport: RequireFresh needs a second or more")
	}
	seconds := strconv.FormatInt(int64(maxAge/time.Second), 10)
	return Requirement{
		needs: "AuthenticatedAt() time.Time", tells: implements[authenticated],
		refuse: func(user any, realm string, now time.Time) (*problem.Error, bool) {
			u, ok := user.(authenticated)
			if !ok {
				return nil, false
			}
			at := u.AuthenticatedAt()
			if age := now.Sub(at); !at.IsZero() && age <= maxAge && age >= -clockSkew {
				return nil, true
			}
			const detail = "This needs a login of a short while ago. Log in again."
			challenge := problem.BearerError(realm, CodeInsufficientAuthentication, detail)
			challenge.Params = append(challenge.Params, problem.Param{Name: "max_age", Value: seconds})
			return problem.New(http.StatusUnauthorized, CodeInsufficientAuthentication, detail).WithChallenges(challenge), true
		},
	}
}

// Require returns a guard that does what g does, and lets only those users through who meet all requirements, g's own before
// these. The first that is not met decides the answer. It is for routes, which are made when a program starts: it panics when
// g lets requests without a user through ([Options].Optional), and when users of type U cannot tell what is asked of them.
func (g *Guard[U]) Require(requirements ...Requirement) *Guard[U] {
	if g.opt.Optional {
		panic("passport: an Optional guard lets requests through that have no user, who could meet nothing")
	}
	for _, r := range requirements {
		if r.refuse == nil {
			panic("passport: Require needs a requirement that RequireScope, RequireRole or RequireFresh made")
		}
		if t := reflect.TypeFor[U](); t.Kind() != reflect.Interface && !r.tells(t) {
			panic(fmt.Sprintf("passport: the user type %v has no method %s, which a requirement asks", t, r.needs))
		}
	}
	stricter := *g
	stricter.requirements = slices.Concat(g.requirements, requirements)
	return &stricter
}

// Check returns nil for a user who meets r at that time. Otherwise it is the answer, a [problem.Error] with the status 401 or
// 403 and, but for a role, a challenge of that realm; a user who cannot tell what is asked, and the zero Requirement, are a technical fault. It
// is for those who find users without a guard.
func (r Requirement) Check(user any, realm string, now time.Time) error {
	if r.refuse == nil {
		return errors.New("passport: the zero requirement")
	}
	unmet, ok := r.refuse(user, realm, now)
	switch {
	case !ok: // of an interface type one finds out when a user comes
		return fmt.Errorf("passport: the user has no method %s, which a requirement asks", r.needs)
	case unmet != nil:
		return unmet
	}
	return nil
}

// demand refuses a success whose user does not meet a requirement.
func (g *Guard[U]) demand(res *Result[U]) error {
	now := g.opt.now()
	for i := range g.requirements {
		err := g.requirements[i].Check(res.Identity.User, g.opt.Realm, now)
		if err == nil {
			continue
		}
		name := res.Identity.Strategy
		refused := Result[U]{CredentialInURL: res.CredentialInURL}
		unmet := problem.From(err)
		if unmet.Status >= 500 {
			*res = refused
			return fault(name, err)
		}
		refused.Kind, refused.Problem, refused.account = Failed, unmet, res.account
		refused.Failures = []NamedFailure{{name, Failure{Problem: unmet}}}
		*res = refused
		return nil
	}
	return nil
}

func implements[I any](t reflect.Type) bool { return t.Implements(reflect.TypeFor[I]()) }

// mustName panics for a list that cannot stand in a challenge, or that asks for nothing.
func mustName(what string, names []string) {
	if len(names) == 0 {
		panic("passport: " + what + " needs a name")
	}
	for _, name := range names {
		if name == "" || strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '"' || c == '\\' }) {
			panic(fmt.Sprintf("passport: %s: %q is not of visible ASCII without quotes and backslashes", what, name))
		}
	}
}
