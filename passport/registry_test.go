package passport_test

import (
	"net/http"
	"testing"

	"github.com/countersign-auth/countersign/passport"
)

func TestConstructionRefuses(t *testing.T) {
	t.Parallel()
	a := passport.Named[*user]{Name: "A", Strategy: byHeader("A")}
	for name, named := range map[string][]passport.Named[*user]{
		"none":       nil,
		"no name":    {{Strategy: a.Strategy}},
		"no token":   {{Name: "a b", Strategy: a.Strategy}},
		"nil":        {{Name: "A"}},
		"typed nil":  {{Name: "A", Strategy: function(nil)}},
		"duplicates": {a, a},
	} {
		if _, err := passport.NewRegistry(named...); err == nil {
			t.Errorf("registry: %s is taken", name)
		}
	}
	reg := registry(t, "A", "B")
	s := sessions(t, nil, passport.SessionConfig[*user]{})
	onResult := func(http.ResponseWriter, *http.Request, passport.Result[*user], http.Handler) {}
	for name, build := range map[string]func() (*passport.Guard[*user], error){
		"no names":           func() (*passport.Guard[*user], error) { return reg.Any(options{}) },
		"unknown":            func() (*passport.Guard[*user], error) { return reg.Any(options{}, "A", "C") },
		"other case":         func() (*passport.Guard[*user], error) { return reg.Any(options{}, "a") },
		"repeated":           func() (*passport.Guard[*user], error) { return reg.Any(options{}, "A", "A") },
		"all without Same":   func() (*passport.Guard[*user], error) { return reg.All(options{}, "A", "B") },
		"all, optional":      func() (*passport.Guard[*user], error) { return reg.All(options{Same: same, Optional: true}, "A", "B") },
		"login, no sessions": func() (*passport.Guard[*user], error) { return reg.Any(options{Login: true}, "A") },
		"message, no sessions": func() (*passport.Guard[*user], error) {
			return reg.Any(options{FailureMessage: "x", FailureRedirect: "/"}, "A")
		},
		"message, no redirect": func() (*passport.Guard[*user], error) { return reg.Any(options{Sessions: s, FailureMessage: "x"}, "A") },
		"login, authorize": func() (*passport.Guard[*user], error) {
			return reg.Any(options{Sessions: s, Login: true, Authorize: true}, "A")
		},
		"onresult, redirect": func() (*passport.Guard[*user], error) {
			return reg.Any(options{OnResult: onResult, FailureRedirect: "/"}, "A")
		},
		"return-to, no place": func() (*passport.Guard[*user], error) { return reg.Any(options{Sessions: s, ReturnTo: true}, "A") },
		"remember, no redirect": func() (*passport.Guard[*user], error) {
			return reg.Any(options{Sessions: s, RememberReturnTo: true}, "A")
		},
		"evil redirect":   func() (*passport.Guard[*user], error) { return reg.Any(options{SuccessRedirect: "//evil"}, "A") },
		"script redirect": func() (*passport.Guard[*user], error) { return reg.Any(options{FailureRedirect: "javascript:x"}, "A") },
	} {
		if _, err := build(); err == nil {
			t.Errorf("guard: %s is taken", name)
		}
	}
	if _, err := reg.Any(options{SuccessRedirect: "/home", FailureRedirect: "https://login.example/"}, "A"); err != nil {
		t.Error(err)
	}
	withSession, err := passport.NewRegistry(passport.Named[*user]{Name: "session", Strategy: s.Strategy()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := withSession.Any(options{Sessions: s, Login: true}, "session"); err == nil {
		t.Error("a guard that logs in by the session is taken")
	}
}
