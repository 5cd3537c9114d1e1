package passport_test

import (
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/passport"
)

// as returns a guard that knows everybody as p.
func as[U any](t *testing.T, p U, opt passport.Options[U]) *passport.Guard[U] {
	t.Helper()
	reg, err := passport.NewRegistry(passport.Named[U]{Name: "known", Strategy: passport.StrategyFunc[U](
		func(*http.Request) (passport.Outcome[U], error) { return passport.Success(p, nil), nil })})
	if err != nil {
		t.Fatal(err)
	}
	g, err := reg.Any(opt, "known")
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestRequire(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)
	user := func(age time.Duration) *passport.Principal {
		return &passport.Principal{ID: "1", Roles: []string{"editor", "reader"}, Scopes: []string{"orders:read", "orders:write"}, AuthTime: now.Add(-age)}
	}
	scope, role, fresh := passport.RequireScope, passport.RequireRole, passport.RequireFresh(10*time.Minute)
	for name, tc := range map[string]struct {
		user      *passport.Principal
		require   []passport.Requirement
		status    int
		code      string
		challenge string
	}{
		"nothing":                     {user(0), nil, 200, "", ""},
		"one scope":                   {user(0), []passport.Requirement{scope("orders:read")}, 200, "", ""},
		"all scopes":                  {user(0), []passport.Requirement{scope("orders:write", "orders:read")}, 200, "", ""},
		"one scope of two":            {user(0), []passport.Requirement{scope("orders:read", "admin")}, 403, "insufficient_scope", `scope="orders:read admin"`},
		"part of a scope":             {user(0), []passport.Requirement{scope("orders")}, 403, "insufficient_scope", `Bearer realm="api", error="insufficient_scope"`},
		"scope in another case":       {user(0), []passport.Requirement{scope("Orders:read")}, 403, "insufficient_scope", ""},
		"a role is no scope":          {user(0), []passport.Requirement{scope("editor")}, 403, "insufficient_scope", ""},
		"one of two roles":            {user(0), []passport.Requirement{role("admin", "editor")}, 200, "", ""},
		"no role of these":            {user(0), []passport.Requirement{role("admin")}, 403, "insufficient_role", ""},
		"a scope is no role":          {user(0), []passport.Requirement{role("orders:read")}, 403, "insufficient_role", ""},
		"both":                        {user(0), []passport.Requirement{role("editor"), scope("orders:read")}, 200, "", ""},
		"the first one decides":       {user(time.Hour), []passport.Requirement{fresh, role("admin")}, 401, "insufficient_user_authentication", `max_age="600"`},
		"just fresh":                  {user(10 * time.Minute), []passport.Requirement{fresh}, 200, "", ""},
		"stale by a second":           {user(10*time.Minute + time.Second), []passport.Requirement{fresh}, 401, "insufficient_user_authentication", ""},
		"a clock that is a bit ahead": {user(-30 * time.Second), []passport.Requirement{fresh}, 200, "", ""},
		"a login in the future":       {user(-time.Hour), []passport.Requirement{fresh}, 401, "insufficient_user_authentication", ""},
		"nobody says when, ever":      {&passport.Principal{ID: "1"}, []passport.Requirement{passport.RequireFresh(math.MaxInt64)}, 401, "insufficient_user_authentication", ""},
		"nobody says when":            {&passport.Principal{ID: "1"}, []passport.Requirement{fresh}, 401, "insufficient_user_authentication", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opt := passport.Options[*passport.Principal]{Realm: "api", Now: func() time.Time { return now }}
			g := as(t, tc.user, opt).Require(tc.require...)
			next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
			for form, h := range map[string]http.Handler{
				"Handler":     g.Handler(next),
				"HandlerFunc": g.HandlerFunc(func(http.ResponseWriter, *http.Request, passport.Identity[*passport.Principal]) {}),
			} {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
				if w.Code != tc.status || !strings.Contains(w.Body.String(), tc.code) {
					t.Errorf("%s: %d %s", form, w.Code, w.Body)
				}
				if got := strings.Join(w.Header().Values("WWW-Authenticate"), ","); !strings.Contains(got, tc.challenge) {
					t.Errorf("%s: challenge %q", form, got)
				}
			}
			res, err := g.Check(httptest.NewRequest(http.MethodGet, "/", nil))
			if err != nil || (res.Kind == passport.Succeeded) != (tc.status == 200) {
				t.Fatalf("Check: %v %v", res.Kind, err)
			}
			if _, ok := passport.UserFrom[*passport.Principal](res.Context(t.Context())); ok != (tc.status == 200) {
				t.Error("a user who was refused stands in the context")
			}
		})
	}
}

// TestRequireKeepsItsList changes the lists that requirements were made of.
func TestRequireKeepsItsList(t *testing.T) {
	t.Parallel()
	names := []string{"admin"}
	nobody := &passport.Principal{ID: "u1", Roles: []string{"guest"}, Scopes: []string{"guest"}}
	for _, r := range []passport.Requirement{passport.RequireRole(names...), passport.RequireScope(names...)} {
		names[0] = "guest"
		if err := r.Check(nobody, "", time.Now()); err == nil {
			t.Error("a requirement changed with the list that it was made of")
		}
		names[0] = "admin"
	}
}

// A guard that another one was made from stays as it was, and what both demand adds up.
func TestRequireAddsUp(t *testing.T) {
	t.Parallel()
	g := as(t, &passport.Principal{ID: "1", Roles: []string{"editor"}}, passport.Options[*passport.Principal]{})
	editors := g.Require(passport.RequireRole("editor"))
	a, b := editors.Require(passport.RequireRole("a")), editors.Require(passport.RequireRole("editor"))
	for name, tc := range map[string]struct {
		guard *passport.Guard[*passport.Principal]
		kind  passport.Kind
	}{"first": {g, passport.Succeeded}, "editors": {editors, passport.Succeeded}, "a": {a, passport.Failed}, "b": {b, passport.Succeeded}} {
		if res, err := tc.guard.Check(httptest.NewRequest(http.MethodGet, "/", nil)); err != nil || res.Kind != tc.kind {
			t.Errorf("%s: %v %v", name, res.Kind, err)
		}
	}
}

type anybody struct{ name string }

func TestRequireOfUsersWhoCannotTell(t *testing.T) {
	t.Parallel()
	mustPanic(t, "a user type without the method", func() {
		as(t, &anybody{"x"}, passport.Options[*anybody]{}).Require(passport.RequireRole("a"))
	})
	mustPanic(t, "optional", func() {
		opt := passport.Options[*passport.Principal]{Optional: true}
		as(t, &passport.Principal{ID: "1"}, opt).Require(passport.RequireRole("a"))
	})
	mustPanic(t, "the zero requirement", func() {
		as(t, &passport.Principal{ID: "1"}, passport.Options[*passport.Principal]{}).Require(passport.Requirement{})
	})
	for _, names := range [][]string{{}, {""}, {"a b"}, {`a"`}, {"a\n"}, {"é"}} {
		mustPanic(t, "scope", func() { passport.RequireScope(names...) })
		mustPanic(t, "role", func() { passport.RequireRole(names...) })
	}
	if err := (passport.Requirement{}).Check(&passport.Principal{ID: "1"}, "", time.Time{}); err == nil {
		t.Error("the zero requirement is met")
	}
	mustPanic(t, "no age", func() { passport.RequireFresh(0) })

	// Of an interface type one finds out when a user comes.
	g := as[any](t, &anybody{"x"}, passport.Options[any]{}).Require(passport.RequireRole("a"))
	if res, err := g.Check(httptest.NewRequest(http.MethodGet, "/", nil)); err == nil || res.Kind == passport.Succeeded {
		t.Errorf("%v %v", res.Kind, err)
	}
	g = as[any](t, &passport.Principal{ID: "1", Roles: []string{"a"}}, passport.Options[any]{}).Require(passport.RequireRole("a"))
	if res, err := g.Check(httptest.NewRequest(http.MethodGet, "/", nil)); err != nil || res.Kind != passport.Succeeded {
		t.Errorf("%v %v", res.Kind, err)
	}
}

func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s: no panic", what)
		}
	}()
	f()
}
