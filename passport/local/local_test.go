package local_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/local"
	"github.com/countersign-auth/countersign/passport/passporttest"
	"github.com/countersign-auth/countersign/problem"
)

type user struct{ Name string }

func verify(_ context.Context, c local.Credentials) (*user, bool, error) {
	switch c.Username {
	case "throttled":
		return nil, false, problem.New(429, "slow_down", "Wait.")
	case "down":
		return nil, false, errors.New("database is down")
	case "nobody":
		return nil, true, nil
	}
	if c.Password == c.Username+"-secret" {
		return &user{c.Username}, true, nil
	}
	return nil, false, nil
}

func newStrategy(t testing.TB, cfg local.Config, v local.Verify[*user]) *local.Strategy[*user] {
	t.Helper()
	s, err := local.New(v, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	t.Parallel()
	of := func(v local.Verify[*user]) func() (passport.Strategy[*user], error) {
		return func() (passport.Strategy[*user], error) { return local.New(v, local.Config{Reader: email}) }
	}
	body := func(media, body string) func() *http.Request {
		return func() *http.Request { return post("/login", media, body) }
	}
	passporttest.Run(t, passporttest.Suite[*user]{
		New: of(verify),
		Broken: of(func(context.Context, local.Credentials) (*user, bool, error) {
			return nil, false, errors.New("database is down")
		}),
		Hanging: of(func(ctx context.Context, _ local.Credentials) (*user, bool, error) {
			<-ctx.Done()
			return nil, false, ctx.Err()
		}),
		Valid: []passporttest.Valid[*user]{
			{Request: body(formType, "email=alice&password=alice-secret"), User: &user{"alice"}},
			{Request: body(jsonType, `{"email":"bob","password":"bob-secret"}`), User: &user{"bob"}},
		},
		Absent:    []func() *http.Request{body("", ""), body(jsonType, "{}"), body(formType, "x=y"), body("text/csv", "a,b"), body(jsonType, `{"email":"","password":""}`)},
		Refused:   []func() *http.Request{body(formType, "email=alice&password=bob-secret"), body(jsonType, `{"email":"carol","password":"alice-secret"}`)},
		Twice:     []func() *http.Request{body(formType, "email=alice&password=alice-secret&password=alice-secret"), body(jsonType, `{"email":"bob","email":"bob","password":"bob-secret"}`)},
		Malformed: []func() *http.Request{body(jsonType, "{"), body(formType, "%"), body(jsonType, `{"email":1,"password":"alice-secret"}`), body(formType, "email=alice")},
		InQuery:   []func() *http.Request{func() *http.Request { return post("/login?email=alice&password=alice-secret", "", "") }},
		Secrets:   []string{"alice-secret", "bob-secret"},
		Scheme:    "Form",
	})
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	s := newStrategy(t, local.Config{Reader: email, Challenge: problem.Bearer("api")}, verify)
	alone, list := guards(t, s)
	tests := []struct {
		name, media, body string
		alone, list       int
	}{
		{"good", jsonType, `{"email":"a","password":"a-secret"}`, 200, 200},
		{"wrong password", jsonType, `{"email":"a","password":"x"}`, 401, 401},
		{"nothing", "", "", 400, 401},
		{"other type", "text/csv", "x", 415, 401},
		{"empty fields", formType, "email=&password=", 400, 401},
		{"one field", formType, "email=a", 400, 400},
		{"malformed", jsonType, "{", 400, 400},
		{"throttled", jsonType, `{"email":"throttled","password":"x"}`, 429, 429},
		{"down", jsonType, `{"email":"down","password":"x"}`, 500, 500},
		{"verify has no user", jsonType, `{"email":"nobody","password":"x"}`, 500, 500},
		{"too large", jsonType, strings.Repeat(" ", 65<<10), 413, 413},
	}
	for _, tt := range tests {
		for kind, g := range map[string]*passport.Guard[*user]{"alone": alone, "list": list} {
			want := tt.alone
			if kind == "list" {
				want = tt.list
			}
			w := httptest.NewRecorder()
			g.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, post("/login", tt.media, tt.body))
			challenge := w.Header().Get("WWW-Authenticate")
			if w.Code != want || (w.Code == 401) != (challenge == `Bearer realm="api"`) {
				t.Errorf("%s, %s: %d %q, want %d", tt.name, kind, w.Code, challenge, want)
			}
		}
	}
}

func guards(t *testing.T, s passport.Strategy[*user]) (alone, list *passport.Guard[*user]) {
	t.Helper()
	absent := passport.StrategyFunc[*user](func(*http.Request) (passport.Outcome[*user], error) {
		return passport.Fail[*user](passport.Failure{Absent: true}), nil
	})
	reg, err := passport.NewRegistry(passport.Named[*user]{Name: "local", Strategy: s}, passport.Named[*user]{Name: "other", Strategy: absent})
	if err != nil {
		t.Fatal(err)
	}
	opt := passport.Options[*user]{Logger: discard}
	alone, err1 := reg.Any(opt, "local")
	list, err2 := reg.Any(opt, "local", "other")
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return alone, list
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	if _, err := local.New[*user](nil, local.Config{}); err == nil {
		t.Error("no verify is taken")
	}
	if _, err := local.New(verify, local.Config{Challenge: problem.Challenge{Params: []problem.Param{{Name: "realm", Value: "x"}}}}); err == nil {
		t.Error("a challenge without scheme is taken")
	}
}

func Example() {
	check := func(_ context.Context, c local.Credentials) (*user, bool, error) {
		return &user{c.Username}, c.Password == "correct horse", nil // ask a database and a password hash here
	}
	form, err := local.New(check, local.Config{Reader: local.Reader{UsernameField: "email"}})
	if err != nil {
		panic(err)
	}
	reg, err := passport.NewRegistry(passport.Named[*user]{Name: "local", Strategy: form})
	if err != nil {
		panic(err)
	}
	guard, err := reg.Any(passport.Options[*user]{}, "local")
	if err != nil {
		panic(err)
	}
	login := guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, _ := passport.UserFrom[*user](r.Context())
		fmt.Fprintln(w, "hello", u.Name)
	}))
	for _, password := range []string{"correct horse", "wrong"} {
		w := httptest.NewRecorder()
		login.ServeHTTP(w, post("/login", jsonType, `{"email":"alice","password":"`+password+`"}`))
		fmt.Print(w.Code, " ", w.Body)
	}
	// Output:
	// 200 hello alice
	// 401 {"title":"Unauthorized","status":401,"code":"invalid_credentials","detail":"The user name or the password is wrong."}
}

func ExampleReader_Read() {
	r := post("/signup", jsonType, `{"email":"alice@example.com","password":["a","b"]}`)
	_, err := local.Reader{UsernameField: "email"}.Read(r)
	fmt.Println(err)
	// Output: 400 invalid_fields: Fields are missing or not as they must be.
}
