// Package forward decides for a proxy whether a request may pass, by rules of host, path and method, and tells who sends it.
//
// # Spellings
//
// A rule is written for a path, and the server behind the proxy may take other spellings for the same path. So a path
// that servers read differently is refused outright, whatever the rules say. Of all others the loose forms are compared
// too: a rule that a path matches but for its spelling adds what it demands, and the search goes on to the rule that it
// matches exactly. A request must meet all that was found. Thus a spelling can bring more demands and never fewer, however
// lenient the server behind the proxy is.
package forward

import (
	"strconv"
	"strings"
	"time"

	"github.com/countersign-auth/countersign/passport"
)

// Rules say who may send which requests. They do not change, and may be used by many goroutines.
type Rules struct {
	rules []Rule
}

// Rule is one of them. The zero fields of what it demands demand nothing.
type Rule struct {
	// Number and Line say where in the file it stands; from 1.
	Number, Line int
	// Host and Path are what it is for, as they are written; an empty Host is any.
	Host, Path string
	// Methods are what it is for; none means all.
	Methods []string
	// Public lets everybody in. Otherwise somebody must be signed in.
	Public bool
	// Roles are those of which one is demanded, and Scopes those that are demanded all.
	Roles, Scopes []string
	// Fresh is how long ago the login may be; zero is any time.
	Fresh time.Duration
	// Audience is that of the assertion; empty is the host of the request.
	Audience string

	hosts              hosts
	exact, loose, bare pattern
	demands            []passport.Requirement // of Roles and Scopes
	fresh              passport.Requirement   // of Fresh, if that is not zero
}

// require makes requirements of what the rule demands.
func (r *Rule) require() {
	if len(r.Roles) > 0 {
		r.demands = append(r.demands, passport.RequireRole(r.Roles...))
	}
	if len(r.Scopes) > 0 {
		r.demands = append(r.demands, passport.RequireScope(r.Scopes...))
	}
	if r.Fresh > 0 {
		r.fresh = passport.RequireFresh(r.Fresh)
	}
}

// Match is a rule that a request matches. One that is not Exact is matched but for its spelling.
type Match struct {
	Rule  *Rule
	Exact bool
}

// SignedIn returns the rules of a server that was given none: everything needs somebody who is signed in.
func SignedIn() *Rules {
	everything := Rule{Number: 1, Path: "/**", exact: pattern{below: true}, loose: pattern{below: true}, bare: pattern{below: true}}
	return &Rules{[]Rule{everything}}
}

// match appends the rules that a request must meet to found. The last one is the exact one that decides; when there is none,
// the request is refused. A public rule demands nothing, so it is there only when it is exact.
func (s *Rules) match(method, host string, path *spelling, found []Match) []Match {
	for i := range s.rules {
		r := &s.rules[i]
		if !r.hosts.match(host) || !methods(r.Methods).match(method) {
			continue
		}
		if r.exact.match(path.exact) {
			return append(found, Match{r, true})
		}
		if !r.Public && r.matchLoosely(path) {
			found = append(found, Match{Rule: r})
		}
	}
	return found
}

// matchLoosely reports whether a server behind the proxy could take the path for one of the rule's.
func (r *Rule) matchLoosely(path *spelling) bool {
	return r.loose.match(path.loose) || r.bare.match(path.bare) ||
		path.cut != "" && (r.loose.match(path.cut) || r.bare.match(withoutExtension(path.cut)))
}

// decided reports whether the rules that were found say anything of the request.
func decided(found []Match) bool { return len(found) > 0 && found[len(found)-1].Exact }

// isPublic reports whether everybody may send the request.
func isPublic(found []Match) bool { return len(found) == 1 && found[0].Exact && found[0].Rule.Public }

// names reports whether a rule names that host, itself or as one below another.
func (s *Rules) names(host string) bool {
	for i := range s.rules {
		if h := s.rules[i].hosts; h.name != "" && h.match(host) {
			return true
		}
	}
	return false
}

// String describes the rule in a line.
func (r *Rule) String() string {
	var b strings.Builder
	b.WriteString("rule " + strconv.Itoa(r.Number))
	if r.Line > 0 {
		b.WriteString(" (line " + strconv.Itoa(r.Line) + ")")
	}
	b.WriteString(": ")
	if len(r.Methods) > 0 {
		b.WriteString(strings.Join(r.Methods, ",") + " ")
	}
	b.WriteString(r.Host + r.Path + ": " + r.Demand())
	return b.String()
}

// Demand says in words whom the rule lets in.
func (r *Rule) Demand() string {
	if r.Public {
		return "public"
	}
	demand := "signed in"
	if len(r.Roles) > 0 {
		demand += ", role " + strings.Join(r.Roles, " or ")
	}
	if len(r.Scopes) > 0 {
		demand += ", scope " + strings.Join(r.Scopes, " and ")
	}
	if r.Fresh > 0 {
		demand += ", login at most " + r.Fresh.String() + " ago"
	}
	return demand
}
