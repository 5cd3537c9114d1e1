package passport_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/problem"
)

// Account is the user type of the examples.
type Account struct{ Name string }

// apiKey is a whole strategy: it looks for a header field and knows one key.
func apiKey(r *http.Request) (passport.Outcome[*Account], error) {
	keys := r.Header["X-Api-Key"]
	challenge := problem.Challenge{Scheme: "ApiKey"}
	switch {
	case len(keys) == 0:
		return passport.Fail[*Account](passport.Failure{Absent: true, Challenges: []problem.Challenge{challenge}}), nil
	case len(keys) > 1:
		return passport.Fail[*Account](passport.Failure{Problem: problem.New(400, "invalid_request", "Send one API key.")}), nil
	case keys[0] == "k-alice": // compare hashes in constant time here
		return passport.Success(&Account{"alice"}, nil), nil
	}
	p := problem.New(401, "invalid_key", "The API key is not valid.").WithChallenges(challenge)
	return passport.Fail[*Account](passport.Failure{Problem: p}), nil
}

func Example() {
	reg, err := passport.NewRegistry(
		passport.Named[*Account]{Name: "apikey", Strategy: passport.StrategyFunc[*Account](apiKey)},
	)
	if err != nil {
		panic(err)
	}
	guard, err := reg.Any(passport.Options[*Account]{}, "apikey")
	if err != nil {
		panic(err)
	}
	hello := guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, _ := passport.UserFrom[*Account](r.Context())
		fmt.Fprintf(w, "hello %s\n", u.Name)
	}))
	for _, key := range []string{"k-alice", "k-mallory"} {
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Header.Set("X-Api-Key", key)
		hello.ServeHTTP(w, r)
		fmt.Print(w.Code, " ", w.Body)
	}
	_, err = reg.Any(passport.Options[*Account]{}, "api-key")
	fmt.Println(err)
	// Output:
	// 200 hello alice
	// 401 {"title":"Unauthorized","status":401,"code":"invalid_key","detail":"The API key is not valid."}
	// passport: unknown strategy "api-key"
}

// Any framework can ask a guard without its handler.
func ExampleGuard_Check() {
	reg, err := passport.NewRegistry(passport.Named[*Account]{Name: "apikey", Strategy: passport.StrategyFunc[*Account](apiKey)})
	if err != nil {
		panic(err)
	}
	guard, err := reg.Any(passport.Options[*Account]{}, "apikey")
	if err != nil {
		panic(err)
	}
	r := httptest.NewRequest("GET", "/", nil)
	res, err := guard.Check(r)
	if err != nil {
		panic(err) // a technical fault: 5xx
	}
	fmt.Println(res.Kind, res.Problem.Status, res.Problem.Challenges)
	r.Header.Set("X-Api-Key", "k-alice")
	res, err = guard.Check(r)
	if err != nil {
		panic(err)
	}
	u, ok := passport.UserFrom[*Account](res.Context(r.Context()))
	fmt.Println(res.Kind, u.Name, ok)
	// Output:
	// failed 401 [ApiKey]
	// succeeded alice true
}

// A site with a login form: the session strategy guards pages, another one logs in.
func ExampleSessions() {
	accounts := map[string]*Account{"alice": {"alice"}}
	sessions, err := passport.NewSessions(passport.NewMemoryStore(0), passport.SessionConfig[*Account]{
		Serialize:   func(_ context.Context, a *Account) (string, error) { return a.Name, nil },
		Deserialize: func(_ context.Context, id string) (*Account, bool, error) { a, ok := accounts[id]; return a, ok, nil },
		Keep:        []string{"theme"},
	})
	if err != nil {
		panic(err)
	}
	reg, err := passport.NewRegistry(
		passport.Named[*Account]{Name: "session", Strategy: sessions.Strategy()},
		passport.Named[*Account]{Name: "apikey", Strategy: passport.StrategyFunc[*Account](apiKey)},
	)
	if err != nil {
		panic(err)
	}
	page, err := reg.Any(passport.Options[*Account]{Sessions: sessions, FailureRedirect: "/login", RememberReturnTo: true}, "session")
	if err != nil {
		panic(err)
	}
	login, err := reg.Any(passport.Options[*Account]{Sessions: sessions, Login: true, SuccessRedirect: "/", ReturnTo: true}, "apikey")
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /page", page.Handler(http.NotFoundHandler()))
	mux.Handle("POST /login", login.Handler(http.NotFoundHandler()))
	site := http.NewCrossOriginProtection().Handler(sessions.Middleware(mux))

	w := httptest.NewRecorder()
	site.ServeHTTP(w, httptest.NewRequest("GET", "/page?n=7", nil))
	fmt.Println(w.Code, w.Header().Get("Location"))

	r := httptest.NewRequest("POST", "/login", nil)
	r.Header.Set("X-Api-Key", "k-alice")
	for _, c := range w.Result().Cookies() {
		r.AddCookie(c)
	}
	w = httptest.NewRecorder()
	site.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("Location"))
	// Output:
	// 303 /login
	// 303 /page?n=7
}

func ExampleSafeReturnTo() {
	for _, s := range []string{"/orders?page=2", "//evil.example", `/\evil.example`, "/..//evil.example"} {
		_, ok := passport.SafeReturnTo(s)
		fmt.Println(s, ok)
	}
	// Output:
	// /orders?page=2 true
	// //evil.example false
	// /\evil.example false
	// /..//evil.example false
}
