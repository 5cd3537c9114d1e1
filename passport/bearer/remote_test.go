package bearer_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/bearer"
	"github.com/countersign-auth/countersign/passport/passporttest"
)

// TestCloseLeavesNothing runs alone, for it counts goroutines.
func TestCloseLeavesNothing(t *testing.T) {
	for name, change := range map[string]func(s *issuerServer){
		"all is well": func(*issuerServer) {},
		"keys hang": func(s *issuerServer) {
			s.keys.Store(says(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		},
		"no document": func(s *issuerServer) { s.discovery.Store(badGateway) },
	} {
		s := newIssuerServer(t)
		change(s)
		api := newRemote(t, bearer.Config{Issuer: s.URL})
		if name == "all is well" {
			comesTo(t, api, s.token("alice"), http.StatusOK)
		} else {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			_, _ = api.Authenticate(request("/", "Authorization: Bearer "+s.token("alice")).WithContext(ctx))
			cancel()
		}
		api.Close()
		api.Close()
		if name == "all is well" && answerTo(api, s.token("bob")).Code != http.StatusOK {
			t.Error("after Close, what is known does not count")
		}
		for deadline := time.Now().Add(3 * time.Second); ; time.Sleep(time.Millisecond) {
			left := goroutines("bearer.(*issuer)", "bearer.(*Feed)", "jwk.(*Remote)", "http.(*persistConn)")
			if left == "" {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: left over:\n%s", name, left)
			}
		}
	}
}

// goroutines returns the stacks that have one of these in them.
func goroutines(parts ...string) (left string) {
	buf := make([]byte, 1<<20)
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		for _, part := range parts {
			if strings.Contains(stack, part) {
				return stack
			}
		}
	}
	return ""
}

func TestRemoteRefuses(t *testing.T) {
	t.Parallel()
	ok := bearer.Config{Issuer: "https://auth.example", Audience: audience}
	with := func(change func(*bearer.Config)) bearer.Config {
		cfg := ok
		change(&cfg)
		return cfg
	}
	for name, cfg := range map[string]bearer.Config{
		"zero": {}, "no audience": {Issuer: "https://auth.example"}, "no issuer": {Audience: audience},
		"issuer in the clear": {Issuer: "http://auth.example", Audience: audience}, "issuer no URL": {Issuer: "auth.example", Audience: audience},
		"issuer with a query": {Issuer: "https://auth.example?x", Audience: audience},
		"short secret":        with(func(c *bearer.Config) { c.Secret = secret[:31] }),
		"empty secret":        with(func(c *bearer.Config) { c.Secret = []byte{} }),
		"secret and keys":     with(func(c *bearer.Config) { c.Secret, c.KeysURL = secret, "https://auth.example/keys" }),
		"keys in the clear":   with(func(c *bearer.Config) { c.KeysURL = "http://auth.example/keys" }),
		"feed in the clear":   with(func(c *bearer.Config) { c.FeedURL = "http://auth.example/feed" }),
		"both in the clear":   with(func(c *bearer.Config) { c.KeysURL, c.FeedURL = "http://auth.example/keys", "http://auth.example/feed" }),
		"feed and none":       with(func(c *bearer.Config) { c.FeedURL, c.InsecureNoFeed = "https://auth.example/feed", true }),
		"open and none":       with(func(c *bearer.Config) { c.InsecureFailOpen, c.InsecureNoFeed = true, true }),
		"leeway":              with(func(c *bearer.Config) { c.Leeway = time.Hour }),
		"extractor":           with(func(c *bearer.Config) { c.Extract = bearer.Cookie("") }),
		"algorithm": with(func(c *bearer.Config) {
			c.Algorithm, c.KeysURL, c.InsecureNoFeed = "none", "https://auth.example/keys", true
		}),
	} {
		if r, err := bearer.New(cfg); err == nil {
			r.Close()
			t.Errorf("%s is taken", name)
		}
	}
}

// TestLeeway has clocks that differ by less and by more than they may.
func TestLeeway(t *testing.T) {
	t.Parallel()
	s := newIssuerServer(t)
	notBefore := func(in time.Duration) func(*jwt.Claims) {
		return func(c *jwt.Claims) { c.NotBefore = time.Now().Add(in) }
	}
	expired := func(ago time.Duration) func(*jwt.Claims) {
		return func(c *jwt.Claims) {
			c.IssuedAt, c.ExpiresAt = time.Now().Add(-time.Hour), time.Now().Add(-ago)
		}
	}
	for _, tt := range []struct {
		leeway time.Duration
		change func(*jwt.Claims)
		want   int
	}{
		{0, notBefore(20 * time.Second), http.StatusOK},
		{0, notBefore(45 * time.Second), http.StatusUnauthorized},
		{0, expired(10 * time.Second), http.StatusOK},
		{0, expired(31 * time.Second), http.StatusUnauthorized},
		{time.Minute, notBefore(45 * time.Second), http.StatusOK},
		{time.Second, expired(10 * time.Second), http.StatusUnauthorized},
	} {
		r := newRemote(t, bearer.Config{Issuer: s.URL, Leeway: tt.leeway})
		if w := answerTo(r, s.token("alice", tt.change)); w.Code != tt.want {
			t.Errorf("with a leeway of %v: %d, not %d: %s", tt.leeway, w.Code, tt.want, w.Body)
		}
	}
}

func TestRemoteContract(t *testing.T) {
	t.Parallel()
	s, hanging := newIssuerServer(t), newIssuerServer(t)
	hanging.keys.Store(says(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	broken := newIssuerServer(t)
	broken.discovery.Store(badGateway)
	of := func(url string) func() (passport.Strategy[*passport.Principal], error) {
		return func() (passport.Strategy[*passport.Principal], error) {
			// The issuer of the tokens is that of s.
			return newRemote(t, bearer.Config{Issuer: s.URL, KeysURL: url + "/keys", FeedURL: s.URL + "/feed", Realm: "api"}), nil
		}
	}
	end := time.Now().Add(time.Hour).Truncate(time.Second).UTC()
	until := func(c *jwt.Claims) { c.ExpiresAt = end }
	alice, bob := s.token("alice", until), s.token("bob", until)
	wrong := s.token("alice", func(c *jwt.Claims) { c.Issuer = "https://evil.example" })
	with := func(target string, header ...string) func() *http.Request {
		return func() *http.Request { return request(target, header...) }
	}
	broken.keys.Store(badGateway)
	passporttest.Run(t, passporttest.Suite[*passport.Principal]{
		New: of(s.URL), Broken: of(broken.URL), Hanging: of(hanging.URL),
		Valid: []passporttest.Valid[*passport.Principal]{
			{Request: with("/", "Authorization: Bearer "+alice), User: &passport.Principal{ID: "alice", ExpiresAt: end}},
			{Request: with("/", "Authorization: Bearer "+bob), User: &passport.Principal{ID: "bob", ExpiresAt: end}},
		},
		Absent:    []func() *http.Request{with("/"), with("/", "Authorization: Basic YTpi")},
		Refused:   []func() *http.Request{with("/", "Authorization: Bearer "+wrong), with("/", "Authorization: Bearer undefined")},
		Twice:     []func() *http.Request{with("/", "Authorization: Bearer "+alice, "Authorization: Bearer "+alice)},
		Malformed: []func() *http.Request{with("/", "Authorization: Bearer"), with("/", "Authorization: Bearer a b")},
		InQuery:   []func() *http.Request{with("/?token=" + alice), with("/?access_token=" + alice)},
		Secrets:   []string{alice, bob, wrong, strings.Split(alice, ".")[2], "evil.example"},
		Scheme:    "Bearer",
	})
}

// TestPrincipal has what tokens say, and what else they may say there.
func TestPrincipal(t *testing.T) {
	t.Parallel()
	at := time.Unix(1772366400, 0).UTC()
	for name, tt := range map[string]struct {
		extra map[string]any
		want  *passport.Principal // nil for 401
	}{
		"nothing": {nil, &passport.Principal{ID: "u1"}},
		"Countersign's": {
			map[string]any{"user": map[string]any{"_id": "u1", "email": "mike@example.com"}, "roles": []string{"admin", "ops"}, "auth_time": at.Unix(), "sid": "s1", "epoch": "e1"},
			&passport.Principal{ID: "u1", Email: "mike@example.com", Roles: []string{"admin", "ops"}, AuthTime: at, Session: "s1"},
		},
		"scope":             {map[string]any{"scope": "read  write", "email": "a@example.com"}, &passport.Principal{ID: "u1", Email: "a@example.com", Scopes: []string{"read", "write"}}},
		"scp list":          {map[string]any{"scp": []string{"read"}}, &passport.Principal{ID: "u1", Scopes: []string{"read"}}},
		"scp text":          {map[string]any{"scp": "read write"}, &passport.Principal{ID: "u1", Scopes: []string{"read", "write"}}},
		"no other space":    {map[string]any{"scope": "read\tadmin read\u00a0admin"}, &passport.Principal{ID: "u1", Scopes: []string{"read\tadmin", "read\u00a0admin"}}},
		"scope before scp":  {map[string]any{"scope": "", "scp": "admin"}, &passport.Principal{ID: "u1"}},
		"other forms":       {map[string]any{"roles": "admin", "scp": 7, "email": []string{"a"}, "auth_time": "now", "user": "u2"}, &passport.Principal{ID: "u1"}},
		"roles of no kind":  {map[string]any{"roles": []any{"admin", 7}, "auth_time": -1}, &passport.Principal{ID: "u1"}},
		"ROLES":             {map[string]any{"ROLES": []string{"admin"}}, &passport.Principal{ID: "u1"}},
		"somebody else's":   {map[string]any{"user": map[string]any{"_id": "u2"}}, nil},
		"sid of no kind":    {map[string]any{"sid": 7}, nil},
		"session has ended": {map[string]any{"sid": "gone"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newIssuerServer(t)
			s.revokes("gone")
			api := newRemote(t, bearer.Config{Issuer: s.URL})
			token := s.token("u1", func(c *jwt.Claims) {
				c.Extra = tt.extra
				if tt.want != nil {
					tt.want.ExpiresAt = c.ExpiresAt.Truncate(time.Second).UTC()
				}
			})
			for range 3 { // the third is answered from the cache
				o, err := api.Authenticate(request("/", "Authorization: Bearer "+token))
				if err != nil {
					t.Fatal(err)
				}
				if got, _ := o.User(); !cmp.Equal(got, tt.want, cmp.Transformer("", func(s []string) string { return strings.Join(s, " ") })) {
					t.Errorf("got %+v", got)
				}
			}
		})
	}
	s := newIssuerServer(t)
	if w := answerTo(newRemote(t, bearer.Config{Issuer: s.URL}), s.token("")); w.Code != http.StatusUnauthorized {
		t.Errorf("without a sub: %d", w.Code)
	}
}

// TestDiscovery has documents that name another issuer, or that would have somebody else's keys trusted. None of it is
// asked, and nobody is told that a token is bad.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(elsewhere.Close)
	for name, change := range map[string]func(doc map[string]any, url string){
		"another issuer":   func(d map[string]any, _ string) { d["issuer"] = "https://auth.example" },
		"a slash":          func(d map[string]any, url string) { d["issuer"] = url + "/" },
		"no issuer":        func(d map[string]any, url string) { delete(d, "issuer"); d["ISSUER"] = url },
		"a list":           func(d map[string]any, url string) { d["issuer"] = []string{url} },
		"no keys":          func(d map[string]any, _ string) { delete(d, "jwks_uri") },
		"keys of a number": func(d map[string]any, _ string) { d["jwks_uri"] = 7 },
		"keys elsewhere":   func(d map[string]any, _ string) { d["jwks_uri"] = elsewhere.URL },
		"keys of another": func(d map[string]any, url string) {
			d["jwks_uri"] = strings.Replace(url, "127.0.0.1", "localhost", 1) + "/keys"
		},
		"keys with a user":   func(d map[string]any, url string) { d["jwks_uri"] = strings.Replace(url, "//", "//a:b@", 1) + "/keys" },
		"keys in a fragment": func(d map[string]any, url string) { d["jwks_uri"] = url + "/keys#x" },
		"keys in a file":     func(d map[string]any, _ string) { d["jwks_uri"] = "file:///etc/passwd" },
		"keys by a path":     func(d map[string]any, _ string) { d["jwks_uri"] = "/keys" },
		"feed elsewhere":     func(d map[string]any, _ string) { d["countersign_revocation_feed"] = elsewhere.URL },
		"feed of a null":     func(d map[string]any, _ string) { d["countersign_revocation_feed"] = nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newIssuerServer(t)
			doc := map[string]any{"issuer": s.URL, "jwks_uri": s.URL + "/keys", "countersign_revocation_feed": s.URL + "/feed"}
			change(doc, s.URL)
			s.describes(doc)
			api := newRemote(t, bearer.Config{Issuer: s.URL})
			for range 2 {
				w := answerTo(api, s.token("alice"))
				if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "keys_unavailable") {
					t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
				}
			}
		})
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("another server was asked %d times", n)
	}
}

// TestNoFeedNamed: that an issuer names no feed does not mean that nothing ends, unless whoever runs the service says so.
func TestNoFeedNamed(t *testing.T) {
	t.Parallel()
	s := newIssuerServer(t)
	s.describes(map[string]any{"issuer": s.URL, "jwks_uri": s.URL + "/keys"})
	ours := s.token("alice", of("s1", "e1", time.Now()))
	others := s.token("alice", of("s1", "", time.Now()))
	for cfg, want := range map[*bearer.Config][2]int{
		{}:                       {http.StatusServiceUnavailable, http.StatusOK},
		{InsecureFailOpen: true}: {http.StatusOK, http.StatusOK},
		{InsecureNoFeed: true}:   {http.StatusOK, http.StatusOK},
	} {
		cfg.Issuer = s.URL
		api := newRemote(t, *cfg)
		for i, token := range []string{ours, others} {
			for range 3 {
				if w := answerTo(api, token); w.Code != want[i] {
					t.Errorf("%+v: token %d: %d %s", cfg, i, w.Code, w.Body)
				}
			}
		}
	}
}

// TestServerComesLater has a service that starts before its issuer does, and answers 503 until then.
func TestServerComesLater(t *testing.T) {
	t.Parallel()
	s := newIssuerServer(t)
	good := s.discovery.Load()
	s.discovery.Store(badGateway)
	api := newRemote(t, bearer.Config{Issuer: s.URL})
	if w := answerTo(api, s.token("alice")); w.Code != http.StatusServiceUnavailable {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := answerTo(api, "x.y.z"); w.Code != http.StatusUnauthorized { // whose header is no header
		t.Errorf("garbage: %d %s", w.Code, w.Body)
	}
	s.discovery.Store(good)
	comesTo(t, api, s.token("alice"), http.StatusOK)
}

// TestKeyGoes has a token in the cache whose key is taken from the set (row 92), and tokens of a key that comes.
func TestKeyGoes(t *testing.T) {
	t.Parallel()
	s := newIssuerServer(t)
	clock := newFeedClock()
	clock.nanos.Store(time.Now().UnixNano())
	api := newRemote(t, bearer.Config{Issuer: s.URL, InsecureNoFeed: true, Now: clock.now})
	old := s.token("alice")
	for range 3 {
		comesTo(t, api, old, http.StatusOK)
	}
	s.key = must(jwt.GenerateKey(jwt.ES256, jwt.KeyOptions{ID: "k2"}))
	s.publishes(s.key)
	comesTo(t, api, s.token("bob"), http.StatusOK) // an unknown key ID, which is asked for
	comesTo(t, api, old, http.StatusUnauthorized)
	s.keys.Store(badGateway)
	fresh := s.token("bob")
	clock.advance(30 * time.Minute)
	for range 3 {
		comesTo(t, api, fresh, http.StatusOK) // an outage
	}
}

// TestHostileHeaders has the rows J4 and 80: what a token says of keys is never fetched, and 1,000 unknown key IDs cause one
// fetch.
func TestHostileHeaders(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	listener := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(listener.Close)
	_, port, _ := strings.Cut(strings.TrimPrefix(listener.URL, "http://"), ":")
	s := newIssuerServer(t)
	api := newRemote(t, bearer.Config{Issuer: s.URL, InsecureNoFeed: true})
	comesTo(t, api, s.token("alice"), http.StatusOK)
	before := s.keysAsked.Load()
	_, rest, _ := strings.Cut(s.token("alice"), ".")
	payload, _, _ := strings.Cut(rest, ".")
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "0177.0.0.1", "[::ffff:127.0.0.1]", "127.1"} {
		url := "http://" + host + ":" + port + "/keys"
		claims := fmt.Sprintf(`{"iss":%q,"aud":%q,"sub":"alice","exp":%d}`, url, audience, time.Now().Add(time.Hour).Unix())
		for _, header := range []string{
			fmt.Sprintf(`{"alg":"HS256","typ":"at+jwt","kid":"k1","jku":%q}`, url),
			fmt.Sprintf(`{"alg":"ES256","typ":"at+jwt","kid":"k1","x5u":%q}`, url),
			fmt.Sprintf(`{"alg":"ES256","typ":"at+jwt","kid":%q}`, url),
			fmt.Sprintf(`{"alg":"ES256","typ":"at+jwt","kid":"../../keys","jku":%q,"x5u":%q}`, url, url),
		} {
			for _, token := range []string{forge(secret, header, claims), forge(secret, header, "{}"), forge(secret, header, string(must(decode(payload))))} {
				if w := answerTo(api, token); w.Code != http.StatusUnauthorized {
					t.Errorf("%s: %d %s", header, w.Code, w.Body)
				}
			}
		}
	}
	for i := range 1000 {
		if w := answerTo(api, forge(secret, fmt.Sprintf(`{"alg":"ES256","typ":"at+jwt","kid":"x%d"}`, i), "{}")); w.Code != http.StatusUnauthorized {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	if n := s.keysAsked.Load() - before; n != 1 {
		t.Errorf("the keys were asked for %d times", n)
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("what a token names was asked %d times", n)
	}
}

// TestSecretWithoutFeed has a shared secret, and nobody to ask.
func TestSecretWithoutFeed(t *testing.T) {
	t.Parallel()
	api := newRemote(t, bearer.Config{Issuer: issuer, Audience: audience, Secret: secret, InsecureNoFeed: true})
	if w := answerTo(api, token(t, "alice")); w.Code != http.StatusOK || w.Body.String() != "alice" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	// With a feed that cannot be had, or a server that does not say where it is, nobody knows of sessions.
	for _, cfg := range []bearer.Config{{Issuer: issuer, FeedURL: "http://127.0.0.1:1/feed"}, {Issuer: "http://127.0.0.1:1"}} {
		cfg.Secret, cfg.Audience = secret, audience
		text := token(t, "alice", of("s1", "", time.Now()), func(c *jwt.Claims) { c.Issuer = cfg.Issuer })
		if w := answerTo(newRemote(t, cfg), text); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), bearer.CodeRevocationsUnavailable) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if w := answerTo(newRemote(t, cfg), token(t, "alice", func(c *jwt.Claims) { c.Issuer = cfg.Issuer })); w.Code != http.StatusOK {
			t.Errorf("of no session: %d %s", w.Code, w.Body)
		}
		cfg.InsecureFailOpen = true
		if w := answerTo(newRemote(t, cfg), text); w.Code != http.StatusOK {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
}

// FuzzDiscovery: no document has anything asked that is not the issuer's.
func FuzzDiscovery(f *testing.F) {
	f.Add([]byte(`{"issuer":"https://auth.example","jwks_uri":"https://auth.example/keys","countersign_revocation_feed":"https://AUTH.example:443/feed"}`))
	f.Add([]byte(`{"issuer":"https://auth.example","jwks_uri":"https://auth.example:8443/keys"}`))
	f.Add([]byte(`{"issuer":["https://auth.example"]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		keys, feed, err := bearer.ReadDiscovery(body, bearer.Config{Issuer: "https://auth.example"})
		if err != nil {
			return
		}
		for _, url := range []string{keys, feed} {
			lower := strings.ToLower(url)
			if url != "" && !strings.HasPrefix(lower, "https://auth.example") && !strings.Contains(lower, "@auth.example") {
				t.Errorf("%q", url)
			}
		}
	})
}
