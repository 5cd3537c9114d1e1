package passport

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// Named is a strategy and the name by which guards ask for it.
type Named[U any] struct {
	// Name is an HTTP token (RFC 9110, section 5.6.2), such as "bearer".
	Name     string
	Strategy Strategy[U]
}

// Registry holds the strategies of a program by name. It does not change once it is made, and may be used by many
// goroutines. Strategies of several user types are brought to one by [Map].
type Registry[U any] struct {
	byName map[string]Strategy[U]
}

// NewRegistry returns a registry of these strategies. An empty, malformed or repeated name and a nil strategy are errors.
func NewRegistry[U any](named ...Named[U]) (*Registry[U], error) {
	if len(named) == 0 {
		return nil, errors.New("passport: a registry needs a strategy")
	}
	byName := make(map[string]Strategy[U], len(named))
	for _, n := range named {
		if !isToken(n.Name) {
			return nil, fmt.Errorf("passport: strategy name %q is not an HTTP token", n.Name)
		}
		if isNil(n.Strategy) {
			return nil, fmt.Errorf("passport: strategy %q is nil", n.Name)
		}
		if _, dup := byName[n.Name]; dup {
			return nil, fmt.Errorf("passport: two strategies are named %q", n.Name)
		}
		byName[n.Name] = n.Strategy
	}
	return &Registry[U]{byName: byName}, nil
}

// Any returns a guard that asks the named strategies in this order and lets the first success or redirect decide. See
// [Guard.Check] for the answer when none succeeds. No names, an unknown or repeated name, and options that contradict
// each other are errors.
func (reg *Registry[U]) Any(opt Options[U], names ...string) (*Guard[U], error) {
	return reg.guard(opt, false, names)
}

// All returns a guard for which every named strategy must succeed, in this order. With more than one name opt.Same is
// required: it says whether two strategies mean the same user. The identity is that of the first name, the others stand
// in [Identity].Also. The errors are those of [Registry.Any]; opt.Optional is one, too.
func (reg *Registry[U]) All(opt Options[U], names ...string) (*Guard[U], error) {
	if opt.Optional {
		return nil, errors.New("passport: Optional makes no sense where all strategies must succeed")
	}
	if len(names) > 1 && opt.Same == nil {
		return nil, errors.New("passport: All needs Options.Same, which says whether two strategies mean the same user")
	}
	return reg.guard(opt, true, names)
}

func (reg *Registry[U]) guard(opt Options[U], all bool, names []string) (*Guard[U], error) {
	if len(names) == 0 {
		return nil, errors.New("passport: a guard needs the name of a strategy")
	}
	g := &Guard[U]{opt: opt, all: all, empty: emptiness[U]()}
	for i, name := range names {
		s, ok := reg.byName[name]
		if !ok {
			return nil, fmt.Errorf("passport: unknown strategy %q", name)
		}
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("passport: strategy %q is named twice", name)
		}
		g.strategies = append(g.strategies, Named[U]{Name: name, Strategy: s})
	}
	if err := opt.validate(g.strategies); err != nil {
		return nil, err
	}
	return g, nil
}

func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch rv := reflect.ValueOf(v); rv.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Slice, reflect.Chan:
		return rv.IsNil()
	}
	return false
}

func isToken(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '!' || c == '#' || c == '$' || c == '%' || c == '&' || c == '\'' || c == '*' || c == '+' ||
			c == '-' || c == '.' || c == '^' || c == '_' || c == '`' || c == '|' || c == '~':
		default:
			return false
		}
	}
	return s != ""
}
