package apikey_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/apikey"
	"github.com/countersign-auth/countersign/passport/bearer"
	"github.com/countersign-auth/countersign/passport/passporttest"
	"github.com/countersign-auth/countersign/problem"
)

type user struct{ Name string }

var now = time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC)

// keys are records by id.
type keys map[string]apikey.Record[*user]

func (k keys) load(_ context.Context, id string) (apikey.Record[*user], bool, error) {
	r, ok := k[id]
	return r, ok, nil
}

// issue makes a key of a user.
func (k keys) issue(name string, expires time.Time) apikey.Key {
	key := apikey.Generate()
	k[key.ID()] = apikey.Record[*user]{User: &user{name}, Hash: key.Hash(), ExpiresAt: expires}
	return key
}

func at(t testing.TB, load apikey.Load[*user], opt apikey.Options) *apikey.Strategy[*user] {
	t.Helper()
	opt.Now = func() time.Time { return now }
	s, err := apikey.New(load, opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// get returns a request with header fields, which are pairs of name and value.
func get(target string, fields ...string) func() *http.Request {
	return func() *http.Request {
		r := httptest.NewRequest(http.MethodGet, target, nil)
		for i := 0; i < len(fields); i += 2 {
			r.Header.Add(fields[i], fields[i+1])
		}
		return r
	}
}

// forged is a key of the same id and another secret.
func forged(t testing.TB, k apikey.Key) string {
	t.Helper()
	other := apikey.Generate().Reveal()
	text := k.Reveal()[:21] + other[21:47]
	return text + apikey.Checksum(text)
}

func broken(context.Context, string) (r apikey.Record[*user], ok bool, err error) {
	return r, false, errors.New("database is down")
}

func hanging(ctx context.Context, _ string) (r apikey.Record[*user], ok bool, err error) {
	<-ctx.Done()
	return r, false, ctx.Err()
}

func TestContract(t *testing.T) {
	t.Parallel()
	all := keys{}
	alice, bob, old := all.issue("alice", time.Time{}), all.issue("bob", now.Add(time.Second)), all.issue("old", now)
	a, b, nobodys, wrong := alice.Reveal(), bob.Reveal(), apikey.Generate().Reveal(), forged(t, alice)
	of := func(load apikey.Load[*user], opt apikey.Options) func() (passport.Strategy[*user], error) {
		return func() (passport.Strategy[*user], error) { return at(t, load, opt), nil }
	}
	suite := passporttest.Suite[*user]{
		New:    of(all.load, apikey.Options{}),
		Broken: of(broken, apikey.Options{}), Hanging: of(hanging, apikey.Options{}),
		Valid: []passporttest.Valid[*user]{
			{Request: get("/", "X-API-Key", a), User: &user{"alice"}},
			{Request: get("/", "Authorization", "bEARER  "+b+" "), User: &user{"bob"}},
		},
		Absent: []func() *http.Request{
			get("/"), get("/", "X-API-Key", ""), get("/", "Authorization", "Bearer eyJ.e30.x"), get("/", "Authorization", "Basic "+a),
			get("/", "Authorization", a), get("/?X-API-Key=" + a), get("/", "X-Api-Key-2", a), get("/", "Authorization", "Bearer CSK_"+a[4:]),
		},
		Refused: []func() *http.Request{
			get("/", "X-API-Key", nobodys), get("/", "X-API-Key", wrong), get("/", "Authorization", "Bearer "+wrong), get("/", "X-API-Key", old.Reveal()),
		},
		Twice: []func() *http.Request{
			get("/", "X-API-Key", a, "X-API-Key", a), get("/", "X-API-Key", a, "Authorization", "Bearer "+a), get("/", "X-API-Key", a, "X-API-Key", b),
			get("/", "Authorization", "Bearer "+a, "Authorization", "Bearer eyJ.e30.x"), get("/", "X-API-Key", a, "Authorization", "bearer eyJ.e30.x"), get("/", "X-API-Key", a+","+a),
			get("/", "Authorization", "Bearer "+a+", Bearer "+a), get("/", "Authorization", "Bearer "+a+" "+a),
		},
		Malformed: []func() *http.Request{
			get("/", "X-API-Key", "hunter2"), get("/", "X-API-Key", a[:len(a)-1]), get("/", "X-API-Key", a+"A"), get("/", "X-API-Key", " "+a),
			get("/", "X-API-Key", strings.ToLower(a)), get("/", "Authorization", "Bearer csk_"), get("/", "X-API-Key", strings.Repeat("A", 1<<20)),
		},
		InQuery: []func() *http.Request{get("/?api_key=" + a), get("/?X-API-Key=" + a), get("/?access_token=" + a)},
		Secrets: []string{a, b, nobodys, wrong, old.Reveal(), a[21:47], wrong[21:47], "hunter2"},
		Scheme:  "Bearer",
	}
	t.Run("header", func(t *testing.T) {
		t.Parallel()
		passporttest.Run(t, suite)
	})
	t.Run("query", func(t *testing.T) {
		t.Parallel()
		s, inQuery := suite, apikey.Options{Query: "api_key", Header: "Token"}
		s.New, s.Broken, s.Hanging, s.ReadsQuery, s.InQuery = of(all.load, inQuery), of(broken, inQuery), of(hanging, inQuery), true, nil
		s.Valid = []passporttest.Valid[*user]{
			{Request: get("/?x=1&api_key=" + a), User: &user{"alice"}}, {Request: get("/?api%5Fkey=" + url.QueryEscape(b)), User: &user{"bob"}},
			{Request: get("/", "Token", b), User: &user{"bob"}},
		}
		s.Absent = []func() *http.Request{get("/"), get("/?api_key="), get("/?API_KEY=" + a), get("/", "X-API-Key", a)}
		s.Refused = []func() *http.Request{get("/?api_key=" + wrong)}
		s.Twice = []func() *http.Request{
			get("/?api_key="+a+"&api_key="+a, "Token", a), get("/?api_key=" + a + "&api_key=" + a), get("/?api_key=" + a + ";api_key=" + a),
			get("/?api_key="+a, "Authorization", "Bearer "+a),
		}
		s.Malformed = []func() *http.Request{get("/?api_key=hunter2"), func() *http.Request {
			r := get("/")()
			r.URL.RawQuery = "api_key=%zz" + a
			return r
		}}
		passporttest.Run(t, s)
	})
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	all := keys{}
	good, old, throttled := all.issue("alice", time.Time{}), all.issue("old", now.Add(-time.Hour)), apikey.Generate()
	strategy := at(t, func(ctx context.Context, id string) (apikey.Record[*user], bool, error) {
		if id == throttled.ID() {
			return apikey.Record[*user]{}, false, problem.New(http.StatusUnauthorized, "disabled", "The account is disabled.")
		}
		return all.load(ctx, id)
	}, apikey.Options{Realm: "api", Query: "key"})
	guard := guardOf(t, passport.Named[*user]{Name: "apikey", Strategy: strategy})
	for name, tt := range map[string]struct {
		request         func() *http.Request
		status          int
		code, challenge string
	}{
		"good":    {get("/", "X-API-Key", good.Reveal()), 200, "", ""},
		"none":    {get("/"), 401, "unauthorized", `Bearer realm="api"`},
		"expired": {get("/", "X-API-Key", old.Reveal()), 401, "invalid_api_key", `Bearer realm="api", error="invalid_token", error_description="The API key has expired."`},
		"expired, and another secret": {
			get("/", "X-API-Key", forged(t, old)), 401, "invalid_api_key",
			`Bearer realm="api", error="invalid_token", error_description="The API key is not valid."`,
		},
		"revoked": {
			get("/", "X-API-Key", apikey.Generate().Reveal()), 401, "invalid_api_key",
			`Bearer realm="api", error="invalid_token", error_description="The API key is not valid."`,
		},
		"malformed": {
			get("/", "X-API-Key", "x"), 401, "invalid_api_key",
			`Bearer realm="api", error="invalid_token", error_description="The API key is not valid."`,
		},
		"two": {get("/?key="+good.Reveal(), "X-API-Key", good.Reveal()), 400, "invalid_request", ""},
		"a refusal of load": {
			get("/", "X-API-Key", throttled.Reveal()), 401, "disabled",
			`Bearer realm="api", error="invalid_token", error_description="The account is disabled."`,
		},
	} {
		res, err := guard.Check(tt.request())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if tt.status == 200 {
			if res.Kind != passport.Succeeded || res.Identity.User.Name != "alice" || res.Identity.Info != good.ID() {
				t.Errorf("%s: %v as %+v", name, res.Kind, res.Identity)
			}
			continue
		}
		if res.Kind != passport.Failed || res.Problem.Status != tt.status || res.Problem.Code != tt.code ||
			tt.challenge != "" && (len(res.Problem.Challenges) != 1 || res.Problem.Challenges[0].String() != tt.challenge) {
			t.Errorf("%s: %v, %+v", name, res.Kind, res.Problem)
		}
	}
	for target, inURL := range map[string]bool{"/?key=" + good.Reveal(): true, "/?key=x": true, "/?other=x": false} {
		if o, err := strategy.Authenticate(get(target)()); err != nil || o.IsCredentialInURL() != inURL {
			t.Errorf("a URL with a key is %t, and marked %t (%v)", inURL, o.IsCredentialInURL(), err)
		}
	}
}

func guardOf(t testing.TB, strategies ...passport.Named[*user]) *passport.Guard[*user] {
	t.Helper()
	reg, err := passport.NewRegistry(strategies...)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range strategies {
		names = append(names, s.Name)
	}
	g, err := reg.Any(passport.Options[*user]{}, names...)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestBesideBearer has keys and tokens come in the same place, whichever strategy is asked first.
func TestBesideBearer(t *testing.T) {
	t.Parallel()
	secret, err := jwt.NewSecretKey(jwt.HS256, []byte("a secret of at least 32 bytes ..."), jwt.KeyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := jwt.NewVerifier(jwt.StaticKeys{secret}, jwt.Expect{Issuer: "i", Audience: "a"})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := bearer.NewStrategy(verifier, func(_ context.Context, tok *jwt.Token) (*user, bool, error) {
		return &user{tok.Subject}, true, nil
	}, bearer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Sign(secret, "JWT", jwt.Claims{
		Issuer: "i", Audience: []string{"a"}, Subject: "bob", IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	all := keys{}
	key := all.issue("alice", time.Time{})
	named := []passport.Named[*user]{{Name: "bearer", Strategy: tokens}, {Name: "apikey", Strategy: at(t, all.load, apikey.Options{})}}
	for _, guard := range []*passport.Guard[*user]{guardOf(t, named...), guardOf(t, named[1], named[0])} {
		for value, want := range map[string]string{key.Reveal(): "alice", token: "bob", forged(t, key): "", token + "x": "", "csk_": ""} {
			res, err := guard.Check(get("/", "Authorization", "Bearer "+value)())
			if err != nil {
				t.Fatal(err)
			}
			if want == "" && (res.Kind != passport.Failed || res.Problem.Status != http.StatusUnauthorized) ||
				want != "" && (res.Kind != passport.Succeeded || res.Identity.User.Name != want) {
				t.Errorf("want %q: %v %+v %+v", want, res.Kind, res.Identity.User, res.Problem)
			}
		}
	}
}

func TestUsed(t *testing.T) {
	t.Parallel()
	all := keys{}
	good, old := all.issue("alice", time.Time{}), all.issue("old", now)
	used := map[string]int{}
	s := at(t, func(ctx context.Context, id string) (apikey.Record[*user], bool, error) {
		r, ok, err := all.load(ctx, id)
		r.Used = func() { used[id]++ }
		return r, ok, err
	}, apikey.Options{})
	for _, text := range []string{good.Reveal(), forged(t, good), good.Reveal(), old.Reveal(), apikey.Generate().Reveal()} {
		if _, err := s.Authenticate(get("/", "X-API-Key", text)()); err != nil {
			t.Fatal(err)
		}
	}
	if len(used) != 1 || used[good.ID()] != 2 {
		t.Errorf("used: %v", used)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	if _, err := apikey.New[*user](nil, apikey.Options{}); err == nil {
		t.Error("no load is taken")
	}
	for _, header := range []string{"X Key", "X-Key:", "authorization", "é"} {
		if _, err := apikey.New(keys{}.load, apikey.Options{Header: header}); err == nil {
			t.Errorf("header %q is taken", header)
		}
	}
}
