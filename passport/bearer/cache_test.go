package bearer_test

import (
	"context"
	"encoding/json"
	"errors"
	"expvar"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/bearer"
	"github.com/countersign-auth/countersign/passport/passporttest"
)

// cached returns a strategy with a cache in which everything lives unless cfg says otherwise.
func cached(t testing.TB, v bearer.Verifier, cfg bearer.CacheConfig[*user]) (*bearer.Strategy[*user], *bearer.Cache[*user]) {
	t.Helper()
	if cfg.Live == nil {
		cfg.Live = func(*jwt.Token, *user) bool { return true }
	}
	c, err := bearer.NewCache(v, load, cfg)
	if err != nil {
		t.Fatal(err)
	}
	s, err := bearer.NewCached(c, bearer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

// counting counts what a verifier is asked.
type counting struct {
	bearer.Verifier
	asked atomic.Int64
}

func (c *counting) Verify(ctx context.Context, token string) (*jwt.Token, error) {
	c.asked.Add(1)
	return c.Verifier.Verify(ctx, token)
}

// with is made without httptest, which parses: tests of the cache send a great many.
func with(token string) *http.Request {
	return &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/"}, Header: http.Header{"Authorization": {"Bearer " + token}}}
}

// comes sends a token and reports whether it gets in.
func comes(t testing.TB, s passport.Strategy[*user], token string) bool {
	t.Helper()
	o, err := s.Authenticate(with(token))
	if err != nil {
		t.Fatal(err)
	}
	return o.Kind() == passport.Succeeded
}

func TestContractWithCache(t *testing.T) {
	t.Parallel()
	alice, bob, wrong := token(t, "alice"), token(t, "bob"), token(t, "alice", func(c *jwt.Claims) { c.Issuer = "https://evil.example" })
	of := func(v bearer.Verifier) func() (passport.Strategy[*user], error) {
		return func() (passport.Strategy[*user], error) {
			c, err := bearer.NewCache(v, load, bearer.CacheConfig[*user]{Live: func(*jwt.Token, *user) bool { return true }})
			if err != nil {
				return nil, err
			}
			return bearer.NewCached(c, bearer.Options{Realm: "api", Extract: bearer.First(bearer.Header(), bearer.Cookie("token"))})
		}
	}
	get := func(header ...string) func() *http.Request {
		return func() *http.Request { return request("/", header...) }
	}
	passporttest.Run(t, passporttest.Suite[*user]{
		New: of(verifier(t, nil)), Broken: of(verifier(t, keysDown{})), Hanging: of(verifier(t, keysDown{hang: true})),
		Valid: []passporttest.Valid[*user]{
			{Request: get("Authorization: Bearer " + alice), User: &user{"alice"}},
			{Request: get("Cookie: a=b; token=" + bob), User: &user{"bob"}},
		},
		Absent:    []func() *http.Request{get()},
		Refused:   []func() *http.Request{get("Authorization: Bearer " + wrong), get("Cookie: token=x")},
		Twice:     []func() *http.Request{get("Authorization: Bearer "+alice, "Cookie: token="+alice)},
		Malformed: []func() *http.Request{get("Authorization: Bearer")},
		InQuery:   []func() *http.Request{func() *http.Request { return request("/?token=" + alice) }},
		Secrets:   []string{alice, bob, wrong},
		Scheme:    "Bearer",
	})
}

func TestCacheRemembersSuccessAlone(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		token string
		asks  int64 // in four requests
	}{
		"good":             {token(t, "alice"), 2},
		"forged":           {token(t, "alice") + "A", 4},
		"user is gone":     {token(t, "gone"), 4},
		"user is disabled": {token(t, "disabled"), 4},
		"expired":          {token(t, "alice", func(c *jwt.Claims) { c.ExpiresAt = time.Now().Add(-time.Hour) }), 4},
		"does not live":    {token(t, "looked-up"), 4},
	} {
		v := &counting{Verifier: verifier(t, nil)}
		s, c := cached(t, v, bearer.CacheConfig[*user]{Live: func(tok *jwt.Token, u *user) bool {
			return tok.Subject == u.ID && u.ID != "looked-up"
		}})
		var first passport.Outcome[*user]
		for i := range 4 {
			o, err := s.Authenticate(with(tt.token))
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = o
			}
			u, _ := o.User()
			u1, _ := first.User()
			if o.Kind() != first.Kind() || tt.asks == 2 && (*u != *u1 || o.Info().(*jwt.Token).Compact() != tt.token) {
				t.Errorf("%s: %v %v after %v", name, o.Kind(), u, first.Kind())
			}
		}
		stats := c.Stats()
		want := int64(0)
		if tt.asks == 2 {
			want = 1
		}
		if v.asked.Load() != tt.asks || stats.Misses != uint64(tt.asks) || stats.Hits != uint64(4-tt.asks) || stats.Entries != want {
			t.Errorf("%s: %d asked, %+v", name, v.asked.Load(), stats)
		}
	}
}

// TestCacheForgets has each reason for which a token that was remembered is asked about again.
func TestCacheForgets(t *testing.T) {
	t.Parallel()
	const leeway = 30 * time.Second
	type world struct {
		now  time.Time
		live bool
	}
	for name, tt := range map[string]struct {
		claims func(*jwt.Claims)
		then   func(*world)
		want   bool // that the token still comes in
		asks   int64
	}{
		"nothing":               {nil, func(*world) {}, true, 1},
		"later":                 {nil, func(w *world) { w.now = w.now.Add(time.Minute - 1) }, true, 1},
		"MaxAge":                {nil, func(w *world) { w.now = w.now.Add(time.Minute) }, true, 2},
		"exp":                   {func(c *jwt.Claims) { c.ExpiresAt = c.IssuedAt.Add(10 * time.Second) }, func(w *world) { w.now = w.now.Add(10 * time.Second) }, true, 1},
		"before exp and leeway": {func(c *jwt.Claims) { c.ExpiresAt = c.IssuedAt.Add(10 * time.Second) }, func(w *world) { w.now = w.now.Add(10*time.Second + leeway - 1) }, true, 1},
		"exp and leeway":        {func(c *jwt.Claims) { c.ExpiresAt = c.IssuedAt.Add(10 * time.Second) }, func(w *world) { w.now = w.now.Add(10*time.Second + leeway) }, false, 2},
		"live":                  {nil, func(w *world) { w.live = false }, true, 2},
		"clock set back":        {nil, func(w *world) { w.now = w.now.Add(-time.Second) }, true, 2},
		"clock before iat":      {nil, func(w *world) { w.now = w.now.Add(-leeway - time.Second) }, false, 2},
	} {
		w := &world{now: time.Now().Truncate(time.Second), live: true}
		now := func() time.Time { return w.now }
		inner, err := jwt.NewVerifier(jwt.StaticKeys{key(t, secret)}, jwt.Expect{Issuer: issuer, Audience: audience, Leeway: leeway, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		v := &countingVerifier{Verifier: inner}
		s, _ := cached(t, v, bearer.CacheConfig[*user]{Now: now, Live: func(*jwt.Token, *user) bool { return w.live }})
		tok := token(t, "alice", func(c *jwt.Claims) {
			c.IssuedAt = w.now
			if tt.claims != nil {
				tt.claims(c)
			}
		})
		for range 2 {
			if !comes(t, s, tok) {
				t.Fatalf("%s: refused at first", name)
			}
		}
		v.asked--
		tt.then(w)
		if got := comes(t, s, tok); got != tt.want || v.asked != tt.asks {
			t.Errorf("%s: comes %v, %d asked; want %v, %d", name, got, v.asked, tt.want, tt.asks)
		}
	}
}

// countingVerifier still says until when tokens are good.
type countingVerifier struct {
	*jwt.Verifier
	asked int64
}

func (c *countingVerifier) Verify(ctx context.Context, token string) (*jwt.Token, error) {
	c.asked++
	return c.Verifier.Verify(ctx, token)
}

// TestCacheWithoutValidUntil: of a verifier that does not say until when, exp is believed without its leeway.
func TestCacheWithoutValidUntil(t *testing.T) {
	t.Parallel()
	now := time.Now().Truncate(time.Second)
	v := &counting{Verifier: verified{&jwt.Token{Subject: "alice", ExpiresAt: now.Add(time.Second)}}}
	s, _ := cached(t, v, bearer.CacheConfig[*user]{Now: func() time.Time { return now }})
	for i, step := range []time.Duration{0, time.Second - 1, 1, 1} {
		now = now.Add(step)
		if i == 0 {
			comes(t, s, "x")
		}
		if want := []int64{2, 2, 3, 4}[i]; !comes(t, s, "x") || v.asked.Load() != want {
			t.Errorf("%d: %d asked, want %d", i, v.asked.Load(), want)
		}
	}
}

// over says that the sessions of some subjects are over.
type over struct{ subject *string }

func (o over) Check(tok *jwt.Token) error {
	if tok.Subject == *o.subject {
		return bearer.ErrSessionEnded
	}
	return nil
}

func TestCacheAsksRevocationsEachTime(t *testing.T) {
	t.Parallel()
	ended := ""
	c, err := bearer.NewCache(verifier(t, nil), load, bearer.CacheConfig[*user]{Live: func(*jwt.Token, *user) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	s, err := bearer.NewCached(c, bearer.Options{Revocations: over{&ended}})
	if err != nil {
		t.Fatal(err)
	}
	tok := token(t, "alice")
	for i, subject := range []string{"", "", "", "alice", ""} {
		ended = subject
		o, err := s.Authenticate(with(tok))
		if f, failed := o.Failure(); err != nil || failed != (subject != "") || failed && f.Problem.Detail != "The session has ended." {
			t.Errorf("%d: %v %v", i, o.Kind(), err)
		}
	}
	if stats := c.Stats(); stats.Hits != 3 {
		t.Errorf("%+v", stats)
	}
}

// TestCacheServesSeveralStrategies: what came in a header is known when it comes in a cookie.
func TestCacheServesSeveralStrategies(t *testing.T) {
	t.Parallel()
	s, c := cached(t, verifier(t, nil), bearer.CacheConfig[*user]{})
	other, err := bearer.NewCached(c, bearer.Options{Extract: bearer.Cookie("token")})
	if err != nil {
		t.Fatal(err)
	}
	tok := token(t, "alice")
	comes(t, s, tok)
	comes(t, s, tok)
	if o, err := other.Authenticate(request("/", "Cookie: token="+tok)); err != nil || o.Kind() != passport.Succeeded || c.Stats().Hits != 1 {
		t.Errorf("%v %v %+v", o.Kind(), err, c.Stats())
	}
}

func TestCacheKeepsNoLongHeaders(t *testing.T) { // alone, for it measures the heap
	s, c := cached(t, verifier(t, nil), bearer.CacheConfig[*user]{PerSubject: -1})
	const padding, n = 256 << 10, 64
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range n {
		tok := strings.Repeat(" ", padding) + token(t, fmt.Sprint(i))
		for range 2 {
			if !comes(t, s, tok) {
				t.Fatal("refused")
			}
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if held := int64(after.HeapAlloc) - int64(before.HeapAlloc); c.Stats().Entries != n || held > n*padding/4 {
		t.Errorf("%d entries hold %d bytes", c.Stats().Entries, held)
	}
}

// TestCachePrintsNoToken prints what a careless program may print.
func TestCachePrintsNoToken(t *testing.T) {
	t.Parallel()
	s, c := cached(t, verifier(t, nil), bearer.CacheConfig[*user]{Entries: 8})
	tok := token(t, "alice")
	comes(t, s, tok)
	comes(t, s, tok)
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	for _, v := range []any{c, s, *s, struct{ c any }{c}, struct{ c *bearer.Cache[*user] }{c}, []any{c}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q", "%T"} {
			fmt.Fprintf(&log, verb+"\n", v)
		}
		logger.Info("x", "v", v)
		text, _ := json.Marshal(v)
		log.Write(text)
	}
	signature := tok[strings.LastIndexByte(tok, '.')+1:]
	for _, secret := range []string{tok, signature, fmt.Sprintf("%x", signature), fmt.Sprintf("%d", []byte(signature[:4]))[1:]} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%.20s… is printed", secret)
		}
	}
	var v expvar.Var = c
	var stats bearer.CacheStats
	if err := json.Unmarshal([]byte(v.String()), &stats); err != nil || stats != c.Stats() || stats.Entries != 1 {
		t.Errorf("%s: %v", v, err)
	}
}

func TestNewCacheRefuses(t *testing.T) {
	t.Parallel()
	live := func(*jwt.Token, *user) bool { return true }
	good := bearer.CacheConfig[*user]{Live: live}
	v := verifier(t, nil)
	for name, err := range map[string]error{
		"nothing":      second(bearer.NewCache(v, load, bearer.CacheConfig[*user]{})),
		"no verifier":  second(bearer.NewCache(nil, load, good)),
		"nil verifier": second(bearer.NewCache((*jwt.Verifier)(nil), load, good)),
		"no load":      second(bearer.NewCache(v, nil, good)),
		"long":         second(bearer.NewCache(v, load, bearer.CacheConfig[*user]{Live: live, MaxAge: 61 * time.Minute})),
		"short":        second(bearer.NewCache(v, load, bearer.CacheConfig[*user]{Live: live, MaxAge: time.Millisecond})),
		"few":          second(bearer.NewCache(v, load, bearer.CacheConfig[*user]{Live: live, Entries: 7})),
		"many":         second(bearer.NewCache(v, load, bearer.CacheConfig[*user]{Live: live, Entries: 1<<24 + 1})),
		"little":       second(bearer.NewCache(v, load, bearer.CacheConfig[*user]{Live: live, Bytes: 1000})),
		"no cache":     second(bearer.NewCached[*user](nil, bearer.Options{})),
		"bad config":   badConfig(t),
	} {
		if err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func badConfig(t *testing.T) error {
	_, c := cached(t, verifier(t, nil), bearer.CacheConfig[*user]{})
	return second(bearer.NewCached(c, bearer.Options{Scheme: "a b"}))
}

// TestCacheAndFaults: what is technical is never remembered, and a remembered token outlives it.
func TestCacheAndFaults(t *testing.T) {
	t.Parallel()
	down := atomic.Bool{}
	v := flaky{verifier(t, nil), &down}
	s, _ := cached(t, v, bearer.CacheConfig[*user]{})
	alice, bob := token(t, "alice"), token(t, "bob")
	comes(t, s, alice)
	comes(t, s, alice)
	down.Store(true)
	if _, err := s.Authenticate(with(bob)); err == nil {
		t.Error("no fault")
	}
	if !comes(t, s, alice) {
		t.Error("a known token is refused")
	}
	down.Store(false)
	if !comes(t, s, bob) {
		t.Error("refused after the fault")
	}
}

type flaky struct {
	bearer.Verifier
	down *atomic.Bool
}

func (f flaky) Verify(ctx context.Context, token string) (*jwt.Token, error) {
	if f.down.Load() {
		return nil, errors.New("down")
	}
	return f.Verifier.Verify(ctx, token)
}

// TestKnown has requests with a token that is remembered, and says which of them are known by it alone.
func TestKnown(t *testing.T) {
	t.Parallel()
	_, c := cached(t, verifier(t, nil), bearer.CacheConfig[*user]{})
	tok := token(t, "alice")
	ended := ""
	strategy := func(e bearer.Extractor, r bearer.Revocations) *bearer.Strategy[*user] {
		s, err := bearer.NewCached(c, bearer.Options{Extract: e, Revocations: r})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	all := strategy(bearer.First(bearer.Header(), bearer.Query("secret_token"), bearer.Cookie("token")), nil)
	for range 2 {
		comes(t, all, tok)
	}
	auth := "Authorization: Bearer " + tok
	for name, tt := range map[string]struct {
		s    *bearer.Strategy[*user]
		r    *http.Request
		want bool
	}{
		"header":                 {all, request("/", auth), true},
		"default":                {strategy(bearer.Extractor{}, nil), request("/", auth), true},
		"other fields":           {all, request("/", auth, "X-Token: "+tok, "Accept: */*"), true},
		"query":                  {all, request("/?secret_token="+tok, auth), false},
		"any query":              {all, request("/?a=b", auth), false},
		"cookie":                 {all, request("/", auth, "Cookie: token="+tok), false},
		"any cookie":             {all, request("/", auth, "Cookie: a=b"), false},
		"cookie alone":           {all, request("/", "Cookie: token="+tok), false},
		"two lines":              {all, request("/", auth, auth), false},
		"two tokens":             {all, request("/", auth+", "+tok), false},
		"more spaces":            {all, request("/", "Authorization: Bearer  "+tok), false},
		"scheme in other letter": {all, request("/", "Authorization: bearer "+tok), false},
		"no scheme":              {all, request("/", "Authorization: "+tok), false},
		"another token":          {all, request("/", auth+"A"), false},
		"none":                   {all, request("/"), false},
		"elsewhere":              {strategy(bearer.First(bearer.Header(), bearer.HeaderField("X-Token")), nil), request("/", auth), false},
		"form":                   {strategy(bearer.First(bearer.Header(), bearer.Form("token")), nil), request("/", auth), false},
		"func":                   {strategy(bearer.First(bearer.Header(), bearer.Func(func(*http.Request) (string, error) { return "", nil })), nil), request("/", auth), false},
		"other scheme":           {strategy(bearer.AuthScheme("JWT"), nil), request("/", auth), false},
		"two schemes":            {strategy(bearer.First(bearer.Header(), bearer.AuthScheme("JWT")), nil), request("/", auth), false},
		"not the header":         {strategy(bearer.Cookie("token"), nil), request("/", auth), false},
		"not ended":              {strategy(bearer.Header(), over{&ended}), request("/", auth), true},
		"ended":                  {strategy(bearer.Header(), over{new("alice")}), request("/", auth), false},
	} {
		u, got, ok := tt.s.Known(tt.r)
		if ok != tt.want || ok && (u.ID != "alice" || got.Compact() != tok) {
			t.Errorf("%s: %v", name, ok)
		}
		if o, err := tt.s.Authenticate(tt.r); ok && (err != nil || o.Kind() != passport.Succeeded || o.IsCredentialInURL()) {
			t.Errorf("%s: known, and yet %v %v", name, o.Kind(), err)
		}
	}
	plain, err := bearer.NewStrategy(verifier(t, nil), load, bearer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, ok := plain.Known(request("/", auth)); ok {
		t.Error("known without a cache")
	}
}

// FuzzKnown: who is known at once is let in by the long way, too, as the same user.
func FuzzKnown(f *testing.F) {
	_, c := cached(f, verifier(f, nil), bearer.CacheConfig[*user]{})
	all, err := bearer.NewCached(c, bearer.Options{Extract: bearer.First(bearer.Header(), bearer.Query("t"), bearer.Cookie("t"))})
	if err != nil {
		f.Fatal(err)
	}
	tok := token(f, "alice")
	for range 2 {
		comes(f, all, tok)
	}
	f.Add("Bearer "+tok, "", "", "")
	f.Add("Bearer "+tok, "Bearer "+tok, "t="+tok, "t="+tok)
	f.Add("Bearer "+tok+" ", "", "a=b", "t=\"\"")
	f.Add("Bearer\t"+tok, "", "", "")
	f.Fuzz(func(t *testing.T, auth, second, query, cookie string) {
		r := with("")
		r.Header["Authorization"] = []string{auth}
		if second != "" {
			r.Header["Authorization"] = append(r.Header["Authorization"], second)
		}
		r.URL.RawQuery = query
		if cookie != "" {
			r.Header["Cookie"] = []string{cookie}
		}
		u, got, ok := all.Known(r)
		o, err := all.Authenticate(r)
		if v, success := o.User(); ok && (err != nil || !success || v != u || o.Info() != any(got) || o.IsCredentialInURL()) {
			t.Fatalf("known, and yet %v %v", o.Kind(), err)
		}
	})
}
