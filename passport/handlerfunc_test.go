package passport_test

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/countersign-auth/countersign/passport"
)

// TestHandlerFuncDoesAsHandlerDoes sends the same requests to both.
func TestHandlerFuncDoesAsHandlerDoes(t *testing.T) {
	t.Parallel()
	reg := registry(t, "a", "b")
	guards := map[string]*passport.Guard[*user]{
		"one": anyGuard(t, options{Realm: "x"}, "a"),
		"any": anyGuard(t, options{}, "a", "b"),
		"to":  anyGuard(t, options{SuccessRedirect: "/in", FailureRedirect: "/out"}, "a"),
	}
	all, err := reg.All(options{Logger: quiet, Same: same}, "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	guards["all"] = all
	for name, g := range guards {
		given := g.HandlerFunc(func(w http.ResponseWriter, r *http.Request, id passport.Identity[*user]) {
			if _, ok := passport.UserFrom[*user](r.Context()); ok {
				t.Error("the context has it, too")
			}
			if len(id.Also) > 0 != (name == "all") || id.User.name != "alice" && id.Info != "info of "+id.Strategy {
				t.Errorf("%s: %+v", name, id)
			}
			_, _ = io.WriteString(w, id.User.name)
		})
		for _, a := range []string{
			"", "alice", "bob", "no-form", "bare", "400", "429", "500", "bad", "down", "unavailable", "panic", "nil", "undecided", "both", "pass", "redirect", "url",
		} {
			for _, b := range []string{"", "bob", "403", "down"} {
				want, got := serve(g.Handler(whoami), request("X-a: "+a, "X-b: "+b)), serve(given, request("X-a: "+a, "X-b: "+b))
				if got.Code != want.Code || got.Body.String() != want.Body.String() || !maps.EqualFunc(got.Header(), want.Header(), slices.Equal) {
					t.Errorf("%s, %q, %q: %d %v %s, want %d %v %s", name, a, b, got.Code, got.Header(), got.Body, want.Code, want.Header(), want.Body)
				}
			}
		}
	}
}

func TestHandlerFuncRefuses(t *testing.T) {
	t.Parallel()
	next := func(http.ResponseWriter, *http.Request, passport.Identity[*user]) {}
	for name, make := range map[string]func(){
		"nil":      func() { anyGuard(t, options{}, "a").HandlerFunc(nil) },
		"Optional": func() { anyGuard(t, options{Optional: true}, "a").HandlerFunc(next) },
		"OnResult": func() {
			anyGuard(t, options{OnResult: func(http.ResponseWriter, *http.Request, passport.Result[*user], http.Handler) {}}, "a").HandlerFunc(next)
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s does not panic", name)
				}
			}()
			make()
		}()
	}
}

// TestHandlerFuncWithAuthorize: it gets the account.
func TestHandlerFuncWithAuthorize(t *testing.T) {
	t.Parallel()
	h := anyGuard(t, options{Authorize: true}, "a").HandlerFunc(func(w http.ResponseWriter, _ *http.Request, id passport.Identity[*user]) {
		_, _ = io.WriteString(w, id.User.name)
	})
	if w := serve(h, request("X-a: alice")); w.Body.String() != "alice" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
