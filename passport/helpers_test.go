package passport_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/problem"
)

type user struct{ name string }

type (
	outcome  = passport.Outcome[*user]
	options  = passport.Options[*user]
	function = passport.StrategyFunc[*user]
)

var quiet = slog.New(slog.DiscardHandler)

// byHeader is a strategy that does what the header field X-<name> of the request says.
func byHeader(name string) function {
	challenge := problem.Challenge{Scheme: "Scheme-" + name}
	fail := func(status int, code string, absent bool) (outcome, error) {
		p := problem.New(status, code, code+" of "+name)
		return passport.Fail[*user](passport.Failure{Problem: p, Absent: absent, Challenges: []problem.Challenge{challenge}}), nil
	}
	return func(r *http.Request) (outcome, error) {
		switch do := r.Header.Get("X-" + name); do {
		case "":
			return fail(401, "unauthorized", true)
		case "no-form":
			return fail(400, "missing_fields", true)
		case "bare":
			return passport.Fail[*user](passport.Failure{}), nil
		case "400", "403", "415", "429", "200", "500":
			var status int
			_, _ = fmt.Sscan(do, &status)
			return fail(status, "status_"+do, false)
		case "bad":
			return fail(401, "bad", false)
		case "down":
			return outcome{}, errors.New("dial db.internal: refused")
		case "unavailable":
			return outcome{}, problem.New(503, "keys_unavailable", "Try again.")
		case "error401":
			return outcome{}, problem.New(401, "unauthorized", "wrapped outage")
		case "too-large":
			return outcome{}, &http.MaxBytesError{Limit: 1}
		case "panic":
			panic("boom " + name)
		case "abort":
			panic(http.ErrAbortHandler)
		case "nil":
			return passport.Success[*user](nil, nil), nil
		case "undecided":
			return outcome{}, nil
		case "both":
			return passport.Success(&user{"alice"}, nil), errors.New("and an error")
		case "pass":
			return passport.Pass[*user](), nil
		case "redirect":
			return passport.Redirect[*user]("https://login.example/start", 0), nil
		case "redirect-evil":
			return passport.Redirect[*user]("//evil.example", 0), nil
		case "url":
			return passport.Success(&user{"alice"}, nil).CredentialInURL(), nil
		default:
			return passport.Success(&user{do}, "info of "+name), nil
		}
	}
}

func registry(t testing.TB, names ...string) *passport.Registry[*user] {
	t.Helper()
	var named []passport.Named[*user]
	for _, n := range names {
		named = append(named, passport.Named[*user]{Name: n, Strategy: byHeader(n)})
	}
	reg, err := passport.NewRegistry(named...)
	if err != nil {
		t.Fatal(err)
	}
	return reg
}

func anyGuard(t testing.TB, opt options, names ...string) *passport.Guard[*user] {
	t.Helper()
	if opt.Logger == nil {
		opt.Logger = quiet
	}
	g, err := registry(t, names...).Any(opt, names...)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// whoami answers with the user, or with "nobody".
var whoami = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	u, ok := passport.UserFrom[*user](r.Context())
	if !ok {
		_, _ = io.WriteString(w, "nobody")
		return
	}
	_, _ = io.WriteString(w, u.name)
})

// request returns a GET with header fields from "Name: value" lines.
func request(lines ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/profile", nil)
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func code(w *httptest.ResponseRecorder) string {
	var doc struct{ Code string }
	_ = json.Unmarshal(w.Body.Bytes(), &doc)
	return doc.Code
}

func same(a, b *user) bool { return a.name == b.name }

type ctxKey struct{}
