package passport_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/problem"
)

func TestAny(t *testing.T) {
	t.Parallel()
	both := []string{"Scheme-A", "Scheme-B"}
	tests := []struct {
		name       string
		opt        options
		strategies string
		request    []string
		status     int
		body       string // of a 200, else the code
		challenges []string
	}{
		{name: "one, success", strategies: "A", request: []string{"X-A: alice"}, status: 200, body: "alice"},
		{name: "one, absent", strategies: "A", status: 401, body: "unauthorized", challenges: []string{"Scheme-A"}},
		{name: "one form, absent is its own 400", strategies: "A", request: []string{"X-A: no-form"}, status: 400, body: "missing_fields"},
		{name: "one, refused", strategies: "A", request: []string{"X-A: bad"}, status: 401, body: "bad", challenges: []string{"Scheme-A"}},
		{name: "one, no challenge of its own", strategies: "A", request: []string{"X-A: bare"}, status: 401, body: "unauthorized", challenges: []string{"A"}},
		{name: "the guard's realm", opt: options{Realm: "x"}, strategies: "A", request: []string{"X-A: bare"}, status: 401, body: "unauthorized", challenges: []string{`A realm="x"`}},
		{name: "first success", strategies: "A B", request: []string{"X-A: alice", "X-B: bob"}, status: 200, body: "alice"},
		{name: "second success after absent", strategies: "A B", request: []string{"X-B: bob"}, status: 200, body: "bob"},
		{name: "second success after refused", strategies: "A B", request: []string{"X-A: bad", "X-B: bob"}, status: 200, body: "bob"},
		{name: "all absent", strategies: "A B", status: 401, body: "unauthorized", challenges: both},
		{name: "all absent, one a form", strategies: "A B", request: []string{"X-A: no-form"}, status: 401, body: "unauthorized", challenges: both},
		{name: "all absent, the form last", strategies: "A B", request: []string{"X-B: no-form"}, status: 401, body: "unauthorized", challenges: both},
		{name: "refused and absent", strategies: "A B", request: []string{"X-A: bad"}, status: 401, body: "bad", challenges: both},
		{name: "absent form and refused", strategies: "A B", request: []string{"X-A: no-form", "X-B: bad"}, status: 401, body: "bad", challenges: both},
		{name: "400 beats 401", strategies: "A B", request: []string{"X-A: bad", "X-B: 400"}, status: 400, body: "status_400"},
		{name: "400 beats 401, other order", strategies: "A B", request: []string{"X-A: 400", "X-B: bad"}, status: 400, body: "status_400"},
		{name: "429 beats 400", strategies: "A B", request: []string{"X-A: 400", "X-B: 429"}, status: 429, body: "status_429"},
		{name: "403 beats 401", strategies: "A B", request: []string{"X-A: bad", "X-B: 403"}, status: 403, body: "status_403"},
		{name: "pass is not in", strategies: "A", request: []string{"X-A: pass"}, status: 401, body: "unauthorized", challenges: []string{"A"}},
		{name: "pass and absent", strategies: "A B", request: []string{"X-A: pass"}, status: 401, body: "unauthorized", challenges: []string{"Scheme-B"}},
		{name: "pass and success", strategies: "A B", request: []string{"X-A: pass", "X-B: bob"}, status: 200, body: "bob"},
		{name: "optional, absent", opt: options{Optional: true}, strategies: "A B", request: []string{"X-A: pass"}, status: 200, body: "nobody"},
		{name: "optional, refused", opt: options{Optional: true}, strategies: "A B", request: []string{"X-B: bad"}, status: 401, body: "bad", challenges: []string{"Scheme-A", "Scheme-B"}},
		{name: "redirect", strategies: "A B", request: []string{"X-A: bad", "X-B: redirect"}, status: 302},
		{name: "redirect out of line", strategies: "A", request: []string{"X-A: redirect-evil"}, status: 500, body: "internal"},
		{name: "fault", strategies: "A", request: []string{"X-A: down"}, status: 500, body: "internal"},
		{name: "fault ends the search", strategies: "A B", request: []string{"X-A: down", "X-B: bob"}, status: 500, body: "internal"},
		{name: "fault after a refusal", strategies: "A B", request: []string{"X-A: bad", "X-B: down"}, status: 500, body: "internal"},
		{name: "fault with a status", strategies: "A", request: []string{"X-A: unavailable"}, status: 503, body: "keys_unavailable"},
		{name: "a 401 as an error is a fault", strategies: "A", request: []string{"X-A: error401"}, status: 500, body: "internal"},
		{name: "a 413 as an error is a fault", strategies: "A", request: []string{"X-A: too-large"}, status: 500, body: "internal"},
		{name: "panic", strategies: "A B", request: []string{"X-A: panic", "X-B: bob"}, status: 500, body: "internal"},
		{name: "success without user", strategies: "A", request: []string{"X-A: nil"}, status: 500, body: "internal"},
		{name: "no outcome", strategies: "A", request: []string{"X-A: undecided"}, status: 500, body: "internal"},
		{name: "success and error", strategies: "A", request: []string{"X-A: both"}, status: 500, body: "internal"},
		{name: "failure with status 200", strategies: "A", request: []string{"X-A: 200"}, status: 500, body: "internal"},
		{name: "failure with status 500", strategies: "A", request: []string{"X-A: 500"}, status: 500, body: "internal"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := serve(anyGuard(t, tt.opt, strings.Fields(tt.strategies)...).Handler(whoami), request(tt.request...))
			body := code(w)
			if w.Code == 200 {
				body = w.Body.String()
			}
			if w.Code != tt.status || body != tt.body {
				t.Errorf("got %d %q, want %d %q", w.Code, body, tt.status, tt.body)
			}
			if diff := cmp.Diff(tt.challenges, w.Header()["Www-Authenticate"]); diff != "" {
				t.Errorf("challenges (-want +got):\n%s", diff)
			}
			if strings.Contains(w.Body.String(), "db.internal") || strings.Contains(w.Body.String(), "boom") {
				t.Errorf("the cause leaks: %s", w.Body)
			}
		})
	}
}

func TestAll(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		request []string
		status  int
		body    string
	}{
		{"both", []string{"X-A: alice", "X-B: alice"}, 200, "alice"},
		{"of different users", []string{"X-A: alice", "X-B: bob"}, 401, "identity_mismatch"},
		{"first absent", []string{"X-B: alice"}, 401, "unauthorized"},
		{"second absent", []string{"X-A: alice"}, 401, "unauthorized"},
		{"second refused", []string{"X-A: alice", "X-B: bad"}, 401, "bad"},
		{"second passes", []string{"X-A: alice", "X-B: pass"}, 401, "unauthorized"},
		{"second throttled", []string{"X-A: alice", "X-B: 429"}, 429, "status_429"},
		{"second down", []string{"X-A: alice", "X-B: down"}, 500, "internal"},
		{"second without user", []string{"X-A: alice", "X-B: nil"}, 500, "internal"},
		{"second panics", []string{"X-A: alice", "X-B: panic"}, 500, "internal"},
		{"none", nil, 401, "unauthorized"},
	}
	g, err := registry(t, "A", "B").All(options{Same: same, Logger: quiet}, "A", "B")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := serve(g.Handler(whoami), request(tt.request...))
			body := code(w)
			if w.Code == 200 {
				body = w.Body.String()
			}
			if w.Code != tt.status || body != tt.body || w.Code == 401 && len(w.Header()["Www-Authenticate"]) == 0 {
				t.Errorf("got %d %q %v, want %d %q", w.Code, body, w.Header(), tt.status, tt.body)
			}
		})
	}
	res, err := g.Check(request("X-A: alice", "X-B: alice"))
	if err != nil || len(res.Identity.Also) != 1 || res.Identity.Also[0].Strategy != "B" {
		t.Errorf("result %+v, %v", res, err)
	}
}

func TestPanicIsLoggedAndAbortIsPassedOn(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	g := anyGuard(t, options{Logger: slog.New(slog.NewTextHandler(&log, nil))}, "A")
	_, err := g.Check(request("X-A: panic"))
	var p *passport.PanicError
	if !errors.As(err, &p) || p.Value != "boom A" || !bytes.Contains(p.Stack, []byte("byHeader")) {
		t.Errorf("error %v", err)
	}
	serve(g.Handler(whoami), request("X-A: panic"))
	if got := log.String(); !strings.Contains(got, "boom A") || !strings.Contains(got, `strategy \"A\"`) || !strings.Contains(got, "helpers_test.go") {
		t.Errorf("log: %s", got)
	}
	defer func() {
		if v := recover(); v != http.ErrAbortHandler {
			t.Errorf("recovered %v", v)
		}
	}()
	_, _ = g.Check(request("X-A: abort"))
}

func TestHangingStrategyEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	hang := function(func(r *http.Request) (outcome, error) {
		<-r.Context().Done()
		return passport.Fail[*user](passport.Failure{}), nil // even if it blames the client
	})
	reg, err := passport.NewRegistry(passport.Named[*user]{Name: "hang", Strategy: hang}, passport.Named[*user]{Name: "A", Strategy: byHeader("A")})
	if err != nil {
		t.Fatal(err)
	}
	g, err := reg.Any(options{Logger: quiet}, "hang", "A")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if w := serve(g.Handler(whoami), request("X-A: alice").WithContext(ctx)); w.Code != 500 {
		t.Errorf("status %d", w.Code)
	}
}

func TestEveryMethodIsGuarded(t *testing.T) {
	t.Parallel()
	h := anyGuard(t, options{}, "A").Handler(whoami)
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get"} {
		r := request("X-HTTP-Method-Override: OPTIONS", "Access-Control-Request-Method: GET", "Origin: https://a.example")
		r.Method = method
		if w := serve(h, r); w.Code != 401 || strings.Contains(w.Body.String(), "nobody") {
			t.Errorf("%s: %d %s", method, w.Code, w.Body)
		}
	}
}

func TestEmptyUsers(t *testing.T) {
	t.Parallel()
	checkUser(t, "nil interface", any(nil), 500)
	checkUser(t, "nil pointer in an interface", any((*user)(nil)), 500)
	checkUser(t, "empty string", "", 500)
	checkUser(t, "zero struct", user{}, 500)
	checkUser(t, "nil map", map[string]string(nil), 500)
	checkUser(t, "string", "alice", 200)
	checkUser(t, "struct", user{"alice"}, 200)
	checkUser(t, "interface", any(user{"alice"}), 200)
	checkUser(t, "no content", struct{}{}, 200)
	checkUser[error](t, "error interface", nil, 500)
}

func checkUser[U any](t *testing.T, name string, u U, status int) {
	t.Helper()
	s := passport.StrategyFunc[U](func(*http.Request) (passport.Outcome[U], error) { return passport.Success(u, nil), nil })
	reg, err := passport.NewRegistry(passport.Named[U]{Name: "s", Strategy: s})
	if err != nil {
		t.Fatal(err)
	}
	g, err := reg.Any(passport.Options[U]{Logger: quiet}, "s")
	if err != nil {
		t.Fatal(err)
	}
	if w := serve(g.Handler(whoami), request()); w.Code != status {
		t.Errorf("%s: status %d, want %d", name, w.Code, status)
	}
}

func TestCheckAndContext(t *testing.T) {
	t.Parallel()
	g := anyGuard(t, options{}, "A", "B")
	res, err := g.Check(request("X-B: bob"))
	if err != nil {
		t.Fatal(err)
	}
	ctx := res.Context(context.WithValue(t.Context(), ctxKey{}, 1))
	id, ok := passport.IdentityFrom[*user](ctx)
	info, _ := passport.InfoFrom[string](ctx)
	if !ok || id.User.name != "bob" || id.Strategy != "B" || info != "info of B" || ctx.Value(ctxKey{}) != 1 {
		t.Errorf("identity %+v, info %q", id, info)
	}
	if u, ok := passport.UserFrom[*user](passport.WithIdentity(t.Context(), id)); !ok || u != id.User {
		t.Errorf("WithIdentity: %v", u)
	}
	if _, ok := passport.InfoFrom[int](ctx); ok {
		t.Error("info of another type is found")
	}
	if _, ok := passport.UserFrom[string](ctx); ok {
		t.Error("a user of another type is found")
	}
	res, err = g.Check(request("X-B: bad"))
	if err != nil || res.Kind != passport.Failed || len(res.Failures) != 2 || res.Failures[1].Strategy != "B" {
		t.Errorf("result %+v, %v", res, err)
	}
	if ctx := t.Context(); res.Context(ctx) != ctx {
		t.Error("a failure changes the context")
	}
}

func TestAuthorizeAttachesAnAccount(t *testing.T) {
	t.Parallel()
	outer := anyGuard(t, options{}, "A")
	inner := anyGuard(t, options{Authorize: true}, "B")
	h := outer.Handler(inner.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, _ := passport.UserFrom[*user](r.Context())
		acc, ok := passport.AccountFrom[*user](r.Context())
		info, _ := passport.InfoFrom[string](r.Context())
		if !ok || u.name != "alice" || acc.User.name != "bob" || info != "info of A" {
			t.Errorf("user %v, account %+v, info %q", u, acc, info)
		}
	})))
	if w := serve(h, request("X-A: alice", "X-B: bob")); w.Code != 200 {
		t.Errorf("status %d", w.Code)
	}
	alone := inner.Handler(whoami)
	if w := serve(alone, request("X-B: bob")); w.Body.String() != "nobody" {
		t.Errorf("authorize logs in: %s", w.Body)
	}
	if w := serve(h, request("X-A: alice", "X-B: bad")); w.Code != 401 {
		t.Errorf("a refused account gets %d", w.Code)
	}
}

func TestOnResultTakesOver(t *testing.T) {
	t.Parallel()
	var seen []string
	g := anyGuard(t, options{OnResult: func(w http.ResponseWriter, r *http.Request, res passport.Result[*user], next http.Handler) {
		seen = append(seen, res.Kind.String())
		if res.Kind == passport.Failed {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		next.ServeHTTP(w, r)
	}}, "A")
	h := g.Handler(whoami)
	if w := serve(h, request("X-A: alice")); w.Body.String() != "alice" {
		t.Errorf("success: %s", w.Body)
	}
	if w := serve(h, request("X-A: bad")); w.Code != http.StatusTeapot {
		t.Errorf("failure: %d", w.Code)
	}
	if w := serve(h, request("X-A: redirect")); w.Body.String() != "nobody" {
		t.Errorf("redirect: %s", w.Body)
	}
	if w := serve(h, request("X-A: down")); w.Code != 500 {
		t.Errorf("fault: %d", w.Code)
	}
	if diff := cmp.Diff([]string{"succeeded", "failed", "redirected"}, seen); diff != "" {
		t.Error(diff)
	}
}

func TestRedirectsAndHeaders(t *testing.T) {
	t.Parallel()
	g := anyGuard(t, options{SuccessRedirect: "/home", FailureRedirect: "/login?again=1"}, "A")
	for _, tt := range []struct {
		do       string
		status   int
		location string
	}{{"alice", 303, "/home"}, {"bad", 303, "/login?again=1"}, {"400", 303, "/login?again=1"}, {"redirect", 302, "https://login.example/start"}, {"down", 500, ""}, {"panic", 500, ""}} {
		w := serve(g.Handler(whoami), request("X-A: "+tt.do))
		if w.Code != tt.status || w.Header().Get("Location") != tt.location || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", tt.do, w.Code, w.Header())
		}
	}
	w := serve(anyGuard(t, options{}, "A").Handler(whoami), request("X-A: url"))
	if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("a credential in the URL: %v", w.Header())
	}
	w = serve(anyGuard(t, options{}, "A").Handler(whoami), request("Accept: text/html"))
	if w.Code != 401 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		t.Errorf("a browser gets %d %v", w.Code, w.Header())
	}
	w = serve(anyGuard(t, options{Respond: func(w http.ResponseWriter, _ *http.Request, err error) {
		w.WriteHeader(problem.From(err).Status + 1)
	}}, "A").Handler(whoami), request())
	if w.Code != 402 {
		t.Errorf("Respond is not used: %d", w.Code)
	}
}

func TestMap(t *testing.T) {
	t.Parallel()
	s := passport.Map[*user, string](byHeader("A"), func(_ context.Context, u *user) (string, bool, error) {
		switch u.name {
		case "gone":
			return "", false, nil
		case "locked":
			return "", false, problem.New(403, "locked", "Locked.")
		case "down2":
			return "", false, errors.New("down")
		}
		return "id:" + u.name, true, nil
	})
	reg, err := passport.NewRegistry(passport.Named[string]{Name: "A", Strategy: s})
	if err != nil {
		t.Fatal(err)
	}
	g, err := reg.Any(passport.Options[string]{Logger: quiet}, "A")
	if err != nil {
		t.Fatal(err)
	}
	for do, want := range map[string]int{"alice": 200, "gone": 401, "locked": 403, "down2": 500, "bad": 401, "down": 500, "redirect": 302, "undecided": 500} {
		w := serve(g.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if id, _ := passport.UserFrom[string](r.Context()); id != "id:alice" {
				t.Errorf("user %q", id)
			}
		})), request("X-A: "+do))
		if w.Code != want {
			t.Errorf("%s: %d, want %d", do, w.Code, want)
		}
	}
}

func TestOutcomeTellsWhatItIs(t *testing.T) {
	t.Parallel()
	ok := passport.Success(&user{"alice"}, 7).CredentialInURL()
	if u, is := ok.User(); !is || u.name != "alice" || ok.Info() != 7 || !ok.IsCredentialInURL() || ok.Kind().String() != "succeeded" {
		t.Errorf("success: %+v", ok)
	}
	away := passport.Redirect[*user]("/x", 307)
	if url, status, is := away.Location(); !is || url != "/x" || status != 307 {
		t.Errorf("redirect: %+v", away)
	}
	if _, is := away.User(); is {
		t.Error("a redirect has a user")
	}
	if _, is := ok.Failure(); is || passport.Pass[*user]().Kind() != passport.Passed || (outcome{}).Kind() != passport.Undecided || passport.Kind(9).String() != "unknown" {
		t.Error("kinds")
	}
}
