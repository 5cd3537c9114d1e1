package apikey

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/problem"
)

// AdminScope opens the routes of administrators. No user can give it to a key of their own.
const AdminScope = "admin"

const (
	// maxName is the longest name of a key, in characters.
	maxName = 100
	// maxScopes is how many scopes a key may have, and maxScope the longest, in bytes: they come with every request.
	maxScopes = 32
	maxScope  = 64
	// maxLifetime is the longest that a key lives that does not live for ever.
	maxLifetime = 10 * 365 * 24 * time.Hour
)

// CheckScope returns an error unless text can be a scope: a scope-token of RFC 6749, section 3.3, that is not too long.
func CheckScope(text string) error {
	if text == "" || len(text) > maxScope {
		return fmt.Errorf("must have 1 to %d characters", maxScope)
	}
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return errors.New("must be of printable ASCII without spaces, quotes and backslashes")
		}
	}
	return nil
}

// CheckOwnScopes returns an error for scopes that users cannot be let give to their own keys.
func CheckOwnScopes(scopes []string) error {
	for _, scope := range scopes {
		if err := CheckScope(scope); err != nil {
			return fmt.Errorf("%q %w", scope, err)
		}
		if scope == AdminScope {
			return errors.New("users must not give admin to their keys: it opens everything; countersign apikey create gives it")
		}
	}
	return nil
}

// InvalidError says what cannot be wished, field by field. It repeats no value.
type InvalidError struct{ Fields []problem.Field }

// Error names the fields.
func (e *InvalidError) Error() string {
	var all []string
	for _, f := range e.Fields {
		all = append(all, f.Name+": "+f.Detail)
	}
	return strings.Join(all, " ")
}

var outOfRange = problem.Field{
	Name: "expires_in", Code: "out_of_range", Detail: "A key lives for a second to ten years, or for ever if nothing is said.",
}

// check returns a wish as it is kept.
func (s *Service) check(w Wish, by audit.By) (Wish, error) {
	var invalid InvalidError
	bad := func(field, code, format string, args ...any) {
		invalid.Fields = append(invalid.Fields, problem.Field{Name: field, Code: code, Detail: fmt.Sprintf(format, args...)})
	}
	w.Name = strings.TrimSpace(w.Name)
	switch {
	case w.Name == "":
		bad("name", "empty", "A key must have a name, to know it by.")
	case utf8.RuneCountInString(w.Name) > maxName:
		bad("name", "too_long", "A name has at most %d characters.", maxName)
	case !utf8.ValidString(w.Name) || strings.ContainsFunc(w.Name, func(r rune) bool { return !unicode.IsPrint(r) }):
		bad("name", "format", "A name is of printable characters.")
	}
	if w.Lifetime < 0 || w.Lifetime > 0 && w.Lifetime < time.Second || w.Lifetime > maxLifetime {
		invalid.Fields = append(invalid.Fields, outOfRange)
	}
	w.Scopes = slices.Compact(slices.Sorted(slices.Values(w.Scopes)))
	switch may := func(scope string) bool { return by.Actor != "" || slices.Contains(s.Scopes, scope) }; {
	case len(w.Scopes) > maxScopes:
		bad("scopes", "too_many", "A key has at most %d scopes.", maxScopes)
	case slices.ContainsFunc(w.Scopes, func(scope string) bool { return CheckScope(scope) != nil }):
		bad("scopes", "format", "A scope is of 1 to %d printable ASCII characters without spaces, quotes and backslashes.", maxScope)
	case slices.ContainsFunc(w.Scopes, func(scope string) bool { return !may(scope) }):
		bad("scopes", "not_allowed", "Users may not give this scope to a key.")
	}
	if w.Scopes == nil {
		w.Scopes = []string{}
	}
	if len(invalid.Fields) > 0 {
		return Wish{}, &invalid
	}
	return w, nil
}
