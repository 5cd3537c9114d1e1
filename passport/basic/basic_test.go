package basic_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/basic"
	"github.com/countersign-auth/countersign/passport/passporttest"
	"github.com/countersign-auth/countersign/problem"
)

type user struct{ Name string }

func verify(_ context.Context, c basic.Credentials) (*user, bool, error) {
	switch c.Username {
	case "throttled":
		return nil, false, problem.New(429, "slow_down", "Wait.")
	case "down":
		return nil, false, errors.New("database is down")
	}
	if c.Password == c.Username+":secret é" {
		return &user{c.Username}, true, nil
	}
	return nil, false, nil
}

func encode(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }

func get(authorization ...string) func() *http.Request {
	return func() *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if authorization != nil {
			r.Header["Authorization"] = append([]string(nil), authorization...)
		}
		return r
	}
}

func TestContract(t *testing.T) {
	t.Parallel()
	of := func(v basic.Verify[*user]) func() (passport.Strategy[*user], error) {
		return func() (passport.Strategy[*user], error) { return basic.New(v, basic.Config{Realm: "api"}) }
	}
	passporttest.Run(t, passporttest.Suite[*user]{
		New: of(verify),
		Broken: of(func(context.Context, basic.Credentials) (*user, bool, error) {
			return nil, false, errors.New("database is down")
		}),
		Hanging: of(func(ctx context.Context, _ basic.Credentials) (*user, bool, error) {
			<-ctx.Done()
			return nil, false, ctx.Err()
		}),
		Valid: []passporttest.Valid[*user]{
			{Request: get(encode("alice:alice:secret é")), User: &user{"alice"}},
			{Request: get(strings.Replace(encode("bob:bob:secret é"), "Basic", "bASIC", 1)), User: &user{"bob"}},
		},
		Absent:    []func() *http.Request{get(), get("Bearer abc"), get("")},
		Refused:   []func() *http.Request{get(encode("alice:bob:secret é")), get(encode("alice:")), get(encode(":"))},
		Twice:     []func() *http.Request{get(encode("alice:alice:secret é"), encode("alice:alice:secret é")), get(encode("alice:alice:secret é") + ", " + encode("alice:alice:secret é"))},
		Malformed: []func() *http.Request{get("Basic"), get("Basic !"), get(encode("nocolon"))},
		InQuery: []func() *http.Request{func() *http.Request {
			return httptest.NewRequest("GET", "/?username=alice&password=alice:secret&Authorization="+base64.RawURLEncoding.EncodeToString([]byte("alice:alice:secret")), nil)
		}},
		Secrets: []string{"alice:secret", "bob:secret", base64.StdEncoding.EncodeToString([]byte("alice:bob:secret é"))},
		Scheme:  "Basic",
	})
}

func guard(t testing.TB) http.Handler {
	t.Helper()
	s, err := basic.New(verify, basic.Config{})
	if err != nil {
		t.Fatal(err)
	}
	reg, err := passport.NewRegistry(passport.Named[*user]{Name: "basic", Strategy: s})
	if err != nil {
		t.Fatal(err)
	}
	g, err := reg.Any(passport.Options[*user]{Logger: slog.New(slog.DiscardHandler)}, "basic")
	if err != nil {
		t.Fatal(err)
	}
	return g.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, _ := passport.UserFrom[*user](r.Context())
		fmt.Fprint(w, u.Name)
	}))
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	h := guard(t)
	good := encode("alice:alice:secret é")
	tests := []struct {
		name   string
		header []string
		status int
	}{
		{"good", []string{good}, 200},
		{"more spaces", []string{strings.Replace(good, " ", "   ", 1) + " "}, 200},
		{"none", nil, 401},
		{"other scheme", []string{"Digest x"}, 401},
		{"no scheme", []string{strings.TrimPrefix(good, "Basic ")}, 401},
		{"wrong", []string{encode("alice:x")}, 401},
		{"two headers", []string{good, "Bearer x"}, 400},
		{"empty", []string{"Basic "}, 400},
		{"no padding", []string{strings.TrimRight(encode("alice:x1"), "=")}, 400},
		{"trailing bits", []string{"Basic YTpiYz=="}, 400},
		{"url alphabet", []string{"Basic YTr_-w=="}, 400},
		{"line break", []string{"Basic YTp\r\niYg=="}, 400},
		{"space inside", []string{"Basic YTpi Yg=="}, 400},
		{"quoted", []string{`Basic "YTpi"`}, 400},
		{"NUL", []string{encode("alice\x00:x")}, 400},
		{"line feed in the password", []string{encode("alice:x\n")}, 400},
		{"DEL", []string{encode("alice:x\x7f")}, 400},
		{"latin-1", []string{encode("alice:\xe9")}, 400},
		{"too long", []string{encode("a:" + strings.Repeat("x", 9000))}, 400},
		{"throttled", []string{encode("throttled:x")}, 429},
		{"down", []string{encode("down:x")}, 500},
	}
	for _, tt := range tests {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, get(tt.header...)())
		challenge := w.Header().Get("WWW-Authenticate")
		if w.Code != tt.status || (w.Code == 401) != (challenge == `Basic realm="restricted", charset="UTF-8"`) {
			t.Errorf("%s: %d %q, want %d", tt.name, w.Code, challenge, tt.status)
		}
	}
	if _, err := basic.New[*user](nil, basic.Config{}); err == nil {
		t.Error("no verify is taken")
	}
}

func TestCredentialsAreRedacted(t *testing.T) {
	t.Parallel()
	c := basic.Credentials{Username: "alice-id", Password: "hunter2"}
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).LogAttrs(context.Background(), slog.LevelInfo, "x", slog.Any("c", c))
	fmt.Fprintf(&b, "%v %+v %#v", c, c, &c)
	if strings.Contains(b.String(), "hunter2") || strings.Contains(b.String(), "alice-id") {
		t.Errorf("leaks: %s", b.String())
	}
}

func FuzzHeader(f *testing.F) {
	for _, s := range []string{"Basic YTpi", "basic  YTpiOmM= ", "Basic", "Bearer x", "Basic YTpi\n", encode("é:\x00")} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		var got basic.Credentials
		s, _ := basic.New(func(_ context.Context, c basic.Credentials) (*user, bool, error) {
			got = c
			return &user{"x"}, true, nil
		}, basic.Config{})
		o, err := s.Authenticate(get(header)())
		if err != nil {
			t.Fatal(err)
		}
		if o.Kind() != passport.Succeeded {
			return
		}
		if strings.ContainsFunc(got.Username+got.Password, func(c rune) bool { return c < ' ' || c == 0x7f }) {
			t.Errorf("control bytes in %q %q", got.Username, got.Password)
		}
		// The one spelling of these credentials is what was sent, but for spaces and the scheme's case.
		want := strings.TrimPrefix(encode(got.Username+":"+got.Password), "Basic ")
		if _, sent, _ := strings.Cut(header, " "); strings.Trim(sent, " ") != want {
			t.Errorf("%q was read as %q", header, want)
		}
	})
}

func Example() {
	check := func(_ context.Context, c basic.Credentials) (*user, bool, error) {
		return &user{c.Username}, c.Password == "correct horse", nil // ask a database and a password hash here
	}
	passwords, err := basic.New(check, basic.Config{Realm: "reports"})
	if err != nil {
		panic(err)
	}
	reg, err := passport.NewRegistry(passport.Named[*user]{Name: "basic", Strategy: passwords})
	if err != nil {
		panic(err)
	}
	guard, err := reg.Any(passport.Options[*user]{}, "basic")
	if err != nil {
		panic(err)
	}
	w := httptest.NewRecorder()
	guard.Handler(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
	// Output: 401 Basic realm="reports", charset="UTF-8"
}
