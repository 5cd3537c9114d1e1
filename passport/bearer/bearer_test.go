package bearer_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/bearer"
	"github.com/countersign-auth/countersign/passport/passporttest"
	"github.com/countersign-auth/countersign/problem"
)

type user struct{ ID string }

const issuer, audience = "https://issuer.example", "https://api.example"

var secret = []byte("0123456789abcdef0123456789abcdef")

func key(t testing.TB, secret []byte) *jwt.Key {
	t.Helper()
	k, err := jwt.NewSecretKey(jwt.HS256, secret, jwt.KeyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func verifier(t testing.TB, keys jwt.KeySet) *jwt.Verifier {
	t.Helper()
	if keys == nil {
		keys = jwt.StaticKeys{key(t, secret)}
	}
	v, err := jwt.NewVerifier(keys, jwt.Expect{Issuer: issuer, Audience: audience})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func token(t testing.TB, subject string, change ...func(*jwt.Claims)) string {
	t.Helper()
	c := jwt.Claims{Issuer: issuer, Audience: []string{audience}, Subject: subject, ExpiresAt: time.Now().Add(time.Hour)}
	for _, f := range change {
		f(&c)
	}
	s, err := jwt.Sign(key(t, secret), "JWT", c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func load(_ context.Context, tok *jwt.Token) (*user, bool, error) {
	switch tok.Subject {
	case "gone", "":
		return nil, false, nil
	case "down":
		return nil, false, errors.New("database is down")
	case "disabled":
		return nil, false, problem.New(403, "disabled", "The account is disabled.")
	case "unauthorized":
		return nil, false, problem.New(401, "revoked", "The session is over.")
	case "nil":
		return nil, true, nil
	}
	return &user{tok.Subject}, true, nil
}

// keysDown is a key set whose server does not answer.
type keysDown struct{ hang bool }

func (k keysDown) Keys(ctx context.Context, _ jwt.Header) ([]*jwt.Key, error) {
	if k.hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return nil, errors.New("dial keys.internal: refused")
}

func handler(t testing.TB, v bearer.Verifier, cfg bearer.Options) http.Handler {
	t.Helper()
	s, err := bearer.NewStrategy(v, load, cfg)
	if err != nil {
		t.Fatal(err)
	}
	reg, err := passport.NewRegistry(passport.Named[*user]{Name: "bearer", Strategy: s})
	if err != nil {
		t.Fatal(err)
	}
	g, err := reg.Any(passport.Options[*user]{Logger: slog.New(slog.DiscardHandler)}, "bearer")
	if err != nil {
		t.Fatal(err)
	}
	return g.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, _ := passport.UserFrom[*user](r.Context())
		tok, ok := passport.InfoFrom[*jwt.Token](r.Context())
		if !ok || tok.Subject != u.ID {
			t.Errorf("info %v for %v", tok, u)
		}
		_, _ = io.WriteString(w, u.ID)
	}))
}

func request(target string, header ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func form(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func TestContract(t *testing.T) {
	t.Parallel()
	alice, bob, wrong := token(t, "alice"), token(t, "bob"), token(t, "alice", func(c *jwt.Claims) { c.Issuer = "https://evil.example" })
	of := func(v bearer.Verifier) func() (passport.Strategy[*user], error) {
		return func() (passport.Strategy[*user], error) {
			return bearer.NewStrategy(v, load, bearer.Options{Realm: "api", Extract: bearer.First(bearer.Header(), bearer.Cookie("token"), bearer.Form("token"))})
		}
	}
	with := func(target string, header ...string) func() *http.Request {
		return func() *http.Request { return request(target, header...) }
	}
	passporttest.Run(t, passporttest.Suite[*user]{
		New: of(verifier(t, nil)), Broken: of(verifier(t, keysDown{})), Hanging: of(verifier(t, keysDown{hang: true})),
		Valid: []passporttest.Valid[*user]{
			{Request: with("/", "Authorization: Bearer "+alice), User: &user{"alice"}},
			{Request: with("/", "Cookie: a=b; token="+bob), User: &user{"bob"}},
			{Request: func() *http.Request { return form("x=y&token=" + bob) }, User: &user{"bob"}},
		},
		Absent:  []func() *http.Request{with("/"), with("/", "Authorization: Basic YTpi"), func() *http.Request { return form("x=y") }},
		Refused: []func() *http.Request{with("/", "Authorization: Bearer "+wrong), with("/", "Authorization: Bearer undefined"), with("/", "Cookie: token=x")},
		Twice: []func() *http.Request{
			with("/", "Authorization: Bearer "+alice, "Authorization: Bearer "+alice), with("/", "Authorization: Bearer "+alice, "Cookie: token="+alice),
			with("/", "Authorization: Bearer "+alice+", Bearer "+bob), with("/", "Cookie: token="+alice+"; token="+bob),
			func() *http.Request { return form("token=" + alice + "&token=" + alice) },
		},
		Malformed: []func() *http.Request{with("/", "Authorization: Bearer"), with("/", "Authorization: Bearer a b"), func() *http.Request { return form("token=%zz") }},
		InQuery:   []func() *http.Request{with("/?token=" + alice), with("/?access_token=" + alice)},
		Secrets:   []string{alice, bob, wrong, strings.Split(alice, ".")[2], "evil.example"},
		Scheme:    "Bearer",
	})
}

// TestAnswers has the rows 90 and 91 of the attacks, and RFC 6750, section 3.1.
func TestAnswers(t *testing.T) {
	t.Parallel()
	good, other := token(t, "alice"), token(t, "bob")
	expired := token(t, "alice", func(c *jwt.Claims) { c.ExpiresAt = time.Now().Add(-time.Hour) })
	const (
		plain     = `Bearer realm="api"`
		invalid   = plain + `, error="invalid_token", error_description="The token is not valid."`
		outdated  = plain + `, error="invalid_token", error_description="The token has expired."`
		several   = plain + `, error="invalid_request", error_description="The request has more than one token; send exactly one."`
		malformed = plain + `, error="invalid_request", error_description="The Authorization header must hold one token after the scheme."`
	)
	all := bearer.First(bearer.Header(), bearer.Query("secret_token"), bearer.Cookie("token"), bearer.HeaderField("x-token"))
	header := bearer.Extractor{}
	tests := []struct {
		name      string
		extract   bearer.Extractor
		target    string
		header    []string
		status    int
		challenge string
	}{
		{"good", header, "/", []string{"Authorization: Bearer " + good}, 200, ""},
		{"scheme in other letters", header, "/", []string{"Authorization: bEARER " + good}, 200, ""},
		{"two spaces", header, "/", []string{"Authorization: Bearer  " + good}, 200, ""},
		{"none", header, "/", nil, 401, plain},
		{"basic", header, "/", []string{"Authorization: Basic YTpi"}, 401, plain},
		{"no scheme", header, "/", []string{"Authorization: " + good}, 401, plain},
		{"other scheme", header, "/", []string{"Authorization: JWT " + good}, 401, plain},
		{"not a header", header, "/?secret_token=" + good, []string{"Cookie: token=" + good, "X-Token: " + good}, 401, plain},
		{"bare scheme", header, "/", []string{"Authorization: Bearer"}, 400, malformed},
		{"two in one", header, "/", []string{"Authorization: Bearer a b"}, 400, malformed},
		{"list", header, "/", []string{"Authorization: Bearer " + good + ", Bearer " + good}, 400, malformed},
		{"quoted", header, "/", []string{`Authorization: Bearer "` + good + `"`}, 400, malformed},
		{"tab", header, "/", []string{"Authorization: Bearer\t" + good}, 401, plain},
		{"two headers", header, "/", []string{"Authorization: Bearer " + good, "Authorization: Bearer " + good}, 400, several},
		{"header and other header", header, "/", []string{"Authorization: Basic YTpi", "Authorization: Bearer " + good}, 400, several},
		{"junk", header, "/", []string{"Authorization: Bearer junk"}, 401, invalid},
		{"expired", header, "/", []string{"Authorization: Bearer " + expired}, 401, outdated},
		{"tampered", header, "/", []string{"Authorization: Bearer " + good[:len(good)-2] + "AA"}, 401, invalid},
		{"user is gone", header, "/", []string{"Authorization: Bearer " + token(t, "gone")}, 401, invalid},
		{"disabled", header, "/", []string{"Authorization: Bearer " + token(t, "disabled")}, 403, ""},
		{"session is over", header, "/", []string{"Authorization: Bearer " + token(t, "unauthorized")}, 401, plain + `, error="invalid_token", error_description="The session is over."`},
		{"database is down", header, "/", []string{"Authorization: Bearer " + token(t, "down")}, 500, ""},
		{"load has no user", header, "/", []string{"Authorization: Bearer " + token(t, "nil")}, 500, ""},

		{"query", all, "/?secret_token=" + good, nil, 200, ""},
		{"cookie", all, "/", []string{"Cookie: token=" + good}, 200, ""},
		{"header field", all, "/", []string{"X-Token: " + good}, 200, ""},
		{"empty query", all, "/?secret_token=", []string{"Authorization: Bearer " + good}, 200, ""},
		{"empty everywhere", all, "/?secret_token=", []string{"Cookie: token=", "X-Token: "}, 401, plain},
		{"other query", all, "/?q=50%&a;b", []string{"Authorization: Bearer " + good}, 200, ""},
		{"bad query", all, "/?secret_token=junk", nil, 401, invalid},
		{"header and query, same", all, "/?secret_token=" + good, []string{"Authorization: Bearer " + good}, 400, several},
		{"header and query, good and bad", all, "/?secret_token=junk", []string{"Authorization: Bearer " + good}, 400, several},
		{"header and query, bad and good", all, "/?secret_token=" + good, []string{"Authorization: Bearer junk"}, 400, several},
		{"header and cookie, different", all, "/", []string{"Authorization: Bearer " + good, "Cookie: token=" + other}, 400, several},
		{"malformed header and query", all, "/?secret_token=" + good, []string{"Authorization: Bearer a b"}, 400, malformed},
		{"repeated query", all, "/?secret_token=" + good + "&secret_token=" + good, nil, 400, several},
		{"repeated query, one encoded", all, "/?secret_token=" + good + "&secret%5ftoken=" + good, nil, 400, several},
		{"repeated query, one empty", all, "/?secret_token=" + good + "&secret_token", nil, 400, several},
		{"repeated query, semicolon", all, "/?secret_token=" + good + ";secret_token=" + good, nil, 400, several},
		{"query after a semicolon", all, "/?a=b;secret_token=" + good, nil, 400, plain + `, error="invalid_request", error_description="The token in the query is not percent-encoded as it must be."`},
		{"query, bad percent", all, "/?secret_token=%zz", nil, 400, plain + `, error="invalid_request", error_description="The token in the query is not percent-encoded as it must be."`},
		{"repeated cookie", all, "/", []string{"Cookie: token=" + good + "; token=" + good}, 400, several},
		{"two cookie headers", all, "/", []string{"Cookie: token=" + good, "Cookie: token=" + other}, 400, several},
		{"repeated header field", all, "/", []string{"X-Token: " + good, "X-Token: " + good}, 400, several},
	}
	v := verifier(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			handler(t, v, bearer.Options{Realm: "api", Extract: tt.extract}).ServeHTTP(w, request(tt.target, tt.header...))
			if got := strings.Join(w.Header()["Www-Authenticate"], "\n"); w.Code != tt.status || got != tt.challenge {
				t.Errorf("got %d %s\nwant %d %s", w.Code, got, tt.status, tt.challenge)
			}
			sensitive := w.Header().Get("Referrer-Policy") == "no-referrer" && w.Header().Get("Cache-Control") == "no-store"
			if _, value, _ := strings.Cut(tt.target, "secret_token="); value != "" && tt.name != "not a header" && !sensitive {
				t.Errorf("a token in the query is answered with %v", w.Header())
			}
		})
	}
}

func TestForm(t *testing.T) {
	t.Parallel()
	good := token(t, "alice")
	h := handler(t, verifier(t, nil), bearer.Options{Extract: bearer.First(bearer.Header(), bearer.Form("access_token"))})
	json := form(`{"access_token":"` + good + `"}`)
	json.Header.Set("Content-Type", "application/json")
	get := form("access_token=" + good)
	get.Method = http.MethodGet
	both := form("access_token=" + good)
	both.Header.Set("Authorization", "Bearer "+good)
	for name, tt := range map[string]struct {
		r      *http.Request
		status int
	}{
		"good": {form("a=b&access_token=" + good), 200}, "absent": {form("a=b"), 401}, "json": {json, 401}, "get": {get, 401}, "both": {both, 400},
		"repeated": {form("access_token=a&access_token=b"), 400}, "malformed": {form("access_token=a;b"), 400}, "too large": {form(strings.Repeat("a", 65<<10)), 413},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, tt.r)
		if w.Code != tt.status {
			t.Errorf("%s: %d, want %d", name, w.Code, tt.status)
		}
	}
}

func TestAuthSchemeAndFunc(t *testing.T) {
	t.Parallel()
	good := token(t, "alice")
	h := handler(t, verifier(t, nil), bearer.Options{Extract: bearer.AuthScheme("JWT"), Scheme: "JWT", Realm: "x"})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request("/", "Authorization: jwt "+good))
	if w.Code != 200 {
		t.Errorf("JWT: %d", w.Code)
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, request("/", "Authorization: Bearer "+good))
	if w.Code != 401 || w.Header().Get("WWW-Authenticate") != `JWT realm="x"` {
		t.Errorf("Bearer: %d %v", w.Code, w.Header())
	}
	h = handler(t, verifier(t, nil), bearer.Options{Extract: bearer.Func(func(r *http.Request) (string, error) {
		switch p := r.Header.Get("Sec-WebSocket-Protocol"); p {
		case "bad":
			return "", problem.New(400, "bad_protocol", "No.")
		case "down":
			return "", errors.New("down")
		default:
			return p, nil
		}
	})})
	for value, want := range map[string]int{good: 200, "": 401, "bad": 400, "down": 500} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request("/", "Sec-WebSocket-Protocol: "+value))
		if w.Code != want {
			t.Errorf("%.5s: %d, want %d", value, w.Code, want)
		}
	}
}

// liar is a verifier that breaks its contract.
type liar struct{ err error }

func (l liar) Verify(context.Context, string) (*jwt.Token, error) { return nil, l.err }

func TestVerifierThatFailsIsAFault(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		v      bearer.Verifier
		status int
	}{
		"keys are down":     {verifier(t, keysDown{}), 503},
		"nothing at all":    {liar{}, 500},
		"unknown error":     {liar{errors.New("introspection is down")}, 500},
		"cancelled":         {liar{context.Canceled}, 500},
		"sentinel unbacked": {liar{jwt.ErrSignature}, 500},
	} {
		w := httptest.NewRecorder()
		handler(t, tt.v, bearer.Options{}).ServeHTTP(w, request("/", "Authorization: Bearer "+token(t, "alice")))
		if w.Code != tt.status || strings.Contains(w.Body.String(), "internal:") || w.Header().Get("WWW-Authenticate") != "" {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if (w.Code == 503) != (w.Header().Get("Retry-After") != "") {
			t.Errorf("%s: Retry-After %q", name, w.Header().Get("Retry-After"))
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	v := verifier(t, nil)
	for name, err := range map[string]error{
		"no verifier":  second(bearer.NewStrategy(nil, load, bearer.Options{})),
		"nil verifier": second(bearer.NewStrategy((*jwt.Verifier)(nil), load, bearer.Options{})),
		"no load":      second(bearer.NewStrategy[*user](v, nil, bearer.Options{})),
		"bad scheme":   second(bearer.NewStrategy(v, load, bearer.Options{Scheme: "a b"})),
	} {
		if err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for name, e := range map[string]bearer.Extractor{
		"scheme": bearer.AuthScheme("a b"), "header": bearer.HeaderField(""), "cookie": bearer.Cookie("a;b"), "form": bearer.Form(""),
		"query": bearer.Query(""), "first": bearer.First(), "inner": bearer.First(bearer.Header(), bearer.Query("")), "func": bearer.Func(nil),
	} {
		if second(bearer.NewStrategy(v, load, bearer.Options{Extract: e})) == nil {
			t.Errorf("extractor %s is taken", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }
