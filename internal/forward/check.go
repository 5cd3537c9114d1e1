package forward

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Report says what would become of a request, without credentials: which rules it meets and what they demand.
type Report struct {
	// Refused is the code of the answer when no credentials would help, and Reason why; empty when some would.
	Refused, Reason string
	// Public says that everybody may send it.
	Public bool
	// Matches are the rules that it must meet all.
	Matches []Match
}

// Check reports what would become of a request of that method and URL, which must be absolute. The URL is taken as it
// is written, without the corrections that browsers make.
func (s *Rules) Check(method, address string) (Report, error) {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok || scheme != "http" && scheme != "https" {
		return Report{}, errors.New("the URL must begin with http:// or https://")
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		rest, end = rest+"/", len(rest)
	}
	host, _, ok := splitHost(rest[:end])
	if !ok {
		return Report{}, errors.New("the URL has no host that a request could name")
	}
	if !isMethod(method) {
		return refusal(errMethodNotPlain.Code, errMethodNotPlain.Detail), nil
	}
	target, _, _ := strings.Cut(rest[end:], "?")
	path, ok := spell(target)
	if !ok {
		return refusal(errPathNotPlain.Code, errPathNotPlain.Detail), nil
	}
	found := s.match(method, host, &path, nil)
	if !decided(found) {
		r := refusal(errNoRule.Code, errNoRule.Detail)
		r.Matches = found
		return r, nil
	}
	return Report{Public: isPublic(found), Matches: found}, nil
}

func refusal(code, reason string) Report { return Report{Refused: code, Reason: reason} }

// Warnings says in words which rules can never decide, and which decide less or more than they seem to.
func (s *Rules) Warnings() (warnings []string) {
	for i := range s.rules {
		r := &s.rules[i]
		if by := s.unreachable(i); by != nil {
			warnings = append(warnings, fmt.Sprintf("%s: is never reached, because %s takes all its requests first", r, by))
			continue
		}
		for j := range i {
			if w := earlier(&s.rules[j], r); w != "" {
				warnings = append(warnings, w)
			}
		}
	}
	return warnings
}

// unreachable returns a rule before the i-th that decides what that would: the only one that does, or the last of several
// that share its methods among them. It returns nil when the i-th decides something.
func (s *Rules) unreachable(i int) *Rule {
	r := &s.rules[i]
	left := slices.Clone(r.Methods) // without HEAD, which goes where GET goes, or before
	if len(left) == 0 {             // all there are: who takes one that no rule names takes all
		left = []string{""}
	}
	for j := range i {
		other := &s.rules[j]
		if !other.hosts.covers(r.hosts) || !other.exact.covers(&r.exact) {
			continue
		}
		if left = slices.DeleteFunc(left, methods(other.Methods).match); len(left) == 0 {
			return other
		}
	}
	return nil
}

// withHead adds the method that a rule for GET takes as well.
func withHead(list []string) []string {
	if slices.Contains(list, http.MethodGet) {
		return append(slices.Clone(list), http.MethodHead)
	}
	return list
}

// earlier warns of what a rule before r takes from it. An exception before its rule, as a public page below a guarded
// folder, is what order is for: that is no reason. What tells most pairs apart is looked at first: there are up to half a
// million.
func earlier(before, r *Rule) string {
	if !before.hosts.meets(r.hosts) || !before.laxer(r) {
		return ""
	}
	var warning string
	switch {
	case before.exact.meets(&r.exact):
		if r.hosts.covers(before.hosts) && r.exact.covers(&before.exact) { // an exception
			return ""
		}
		warning = "%s: lets some requests in that %s would not, because it comes first"
	case before.Public && (before.loose.meets(&r.loose) || before.bare.meets(&r.bare)):
		warning = "%s: lets in what some servers take for a path of %s, in another spelling"
	default:
		return ""
	}
	if len(before.Methods) > 0 && len(r.Methods) > 0 && !slices.ContainsFunc(withHead(r.Methods), methods(before.Methods).match) {
		return ""
	}
	return fmt.Sprintf(warning, before, r)
}

// laxer reports whether somebody may meet r who does not meet other.
func (r *Rule) laxer(other *Rule) bool {
	if r.Public || other.Public {
		return r.Public && !other.Public
	}
	missesRole := len(other.Roles) > 0 && (len(r.Roles) == 0 || slices.ContainsFunc(r.Roles, func(role string) bool { return !slices.Contains(other.Roles, role) }))
	missesScope := slices.ContainsFunc(other.Scopes, func(scope string) bool { return !slices.Contains(r.Scopes, scope) })
	return missesRole || missesScope || other.Fresh > 0 && (r.Fresh == 0 || r.Fresh > other.Fresh)
}
