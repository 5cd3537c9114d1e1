package revocation_test

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/revocation"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/bearer"
)

const audience = "https://api.example"

// node is a server with a feed, as far as this package goes: a set over a real database, behind the router and the
// middleware of all servers.
type node struct {
	*httptest.Server
	db  *database
	set *revocation.Set
	off atomic.Bool // answers nothing but 502, as a proxy does for a server that is down
}

func startNode(t testing.TB, db *database, sign revocation.Sign) *node {
	t.Helper()
	n := &node{db: db, set: newSet(t, db, revocation.Config{})}
	load(t, n.set)
	go n.set.Run(t.Context())
	rt := api.NewRouter("test", "0", "", issuer)
	newFeed(t, n.set, sign, revocation.FeedConfig{}).Routes(rt)
	h, err := api.Wrap(api.Config{}, rt)
	if err != nil {
		t.Fatal(err)
	}
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.off.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(n.Close)
	return n
}

// service is somebody else's API, which verifies tokens on its own.
type service struct {
	*httptest.Server
	feed *bearer.Feed
}

type person struct{ ID string }

func startService(t testing.TB, url string, tokens, feedKeys jwt.KeySet, cfg bearer.FeedConfig) *service {
	t.Helper()
	cfg.Issuer, cfg.Logger = issuer, slog.New(slog.DiscardHandler)
	feed, err := bearer.NewFeed(url, feedKeys, cfg)
	if err != nil {
		t.Fatal(err)
	}
	go feed.Run(t.Context())
	v, err := jwt.NewVerifier(tokens, jwt.Expect{Issuer: issuer, Audience: audience, Type: []string{"at+jwt"}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := bearer.NewStrategy(v, func(_ context.Context, tok *jwt.Token) (*person, bool, error) { return &person{tok.Subject}, true, nil }, bearer.Options{Revocations: feed})
	if err != nil {
		t.Fatal(err)
	}
	reg, err := passport.NewRegistry(passport.Named[*person]{Name: "bearer", Strategy: s})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := reg.Any(passport.Options[*person]{Logger: cfg.Logger}, "bearer")
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(guard.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	t.Cleanup(srv.Close)
	return &service{srv, feed}
}

func (s *service) status(t testing.TB, token string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	return res.StatusCode
}

// until waits for a status and returns how long that took.
func (s *service) until(t testing.TB, token string, status int) time.Duration {
	t.Helper()
	start := time.Now()
	for got := 0; ; time.Sleep(2 * time.Millisecond) {
		if got = s.status(t, token); got == status {
			return time.Since(start)
		}
		if time.Since(start) > 10*time.Second {
			t.Fatalf("answers %d, not %d: %v", got, status, s.feed)
		}
	}
}

func accessToken(t testing.TB, k *jwt.Key, session, epoch string) string {
	t.Helper()
	s, err := jwt.Sign(k, "at+jwt", jwt.Claims{
		Issuer: issuer, Audience: []string{audience}, Subject: "mike", IssuedAt: time.Now(), ExpiresAt: time.Now().Add(15 * time.Minute),
		Extra: map[string]any{"sid": session, "epoch": epoch},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestLogoutReachesVerifiers ends sessions at one node, and asks a service that follows the feed of another node on the same
// database: within a second, tokens of those sessions are refused, and no other.
func TestLogoutReachesVerifiers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	key := signKey(t)
	here, there := startNode(t, openAt(t, path), signer(key)), startNode(t, openAt(t, path), signer(key))
	public := jwt.StaticKeys{key.Public()}
	s := startService(t, there.URL+revocation.Path, public, public, bearer.FeedConfig{})
	user(t, here.db, "mike", "e-mike")
	other := accessToken(t, key, "s-other", "e-mike")
	s.until(t, other, http.StatusOK)
	var worst time.Duration
	for i := range 8 {
		id := fmt.Sprint("s", i)
		session(t, here.db, "mike", id)
		tok := accessToken(t, key, id, "e-mike")
		s.until(t, tok, http.StatusOK)
		time.Sleep(time.Duration(i) * 37 * time.Millisecond) // at any moment of the polls
		end(t, here.db, "mike", id, time.Now().Add(16*time.Minute))
		worst = max(worst, s.until(t, tok, http.StatusUnauthorized))
	}
	if got := s.status(t, other); got != http.StatusOK {
		t.Errorf("a session that goes on: %d", got)
	}
	u, err := here.db.User(t.Context(), "mike")
	if err != nil {
		t.Fatal(err)
	}
	u.Epoch = "e-new" // logout everywhere
	if err := here.db.UpdateUser(t.Context(), u, store.Revocation{Key: "e-mike", ExpiresAt: time.Now().Add(16 * time.Minute)}); err != nil {
		t.Fatal(err)
	}
	worst = max(worst, s.until(t, other, http.StatusUnauthorized))
	if got := s.status(t, accessToken(t, key, "s-new", "e-new")); got != http.StatusOK {
		t.Errorf("after a new login: %d", got)
	}
	t.Logf("the slowest of 9 took %v", worst)
	if worst > time.Second {
		t.Errorf("it took %v until the service knew", worst)
	}
}

// TestFeedDown has a server that is gone, one whose database is gone, and both kinds of services.
func TestFeedDown(t *testing.T) {
	t.Parallel()
	key := signKey(t)
	n := startNode(t, open(t), signer(key))
	public := jwt.StaticKeys{key.Public()}
	cfg := bearer.FeedConfig{Interval: 20 * time.Millisecond, MaxStale: 500 * time.Millisecond}
	closed := startService(t, n.URL+revocation.Path, public, public, cfg)
	cfg.InsecureFailOpen = true
	open := startService(t, n.URL+revocation.Path, public, public, cfg)
	good, ended := accessToken(t, key, "s1", "e1"), accessToken(t, key, "s2", "e2")
	n.set.Add(store.Revocation{Key: "s2", ExpiresAt: time.Now().Add(time.Hour)})
	for _, s := range []*service{closed, open} {
		s.until(t, ended, http.StatusUnauthorized)
		s.until(t, good, http.StatusOK)
	}
	n.off.Store(true)
	closed.until(t, good, http.StatusServiceUnavailable)
	for range 3 {
		for s, want := range map[*service][2]int{closed: {503, 401}, open: {200, 401}} {
			if got := [2]int{s.status(t, good), s.status(t, ended)}; got != want {
				t.Errorf("%v, want %v: %v", got, want, s.feed)
			}
		}
		time.Sleep(200 * time.Millisecond)
	}
	if s := closed.feed.Stats(); !s.Stale || s.Age < cfg.MaxStale || s.Unavailable == 0 || s.Unchecked != 0 || s.Errors == 0 || s.LastError == "" {
		t.Errorf("closed: %+v", s)
	}
	if s := open.feed.Stats(); !s.Stale || s.Unavailable != 0 || s.Unchecked == 0 {
		t.Errorf("open: %+v", s)
	}
	n.off.Store(false)
	closed.until(t, good, http.StatusOK)
	if s := closed.feed.Stats(); s.Stale || s.LastError != "" {
		t.Errorf("closed, and back: %+v", s)
	}
	// A node that cannot ask its database falls silent too, rather than say what may be missing something.
	n.db.cut.Store(true)
	start := time.Now()
	closed.until(t, good, http.StatusServiceUnavailable)
	if took := time.Since(start); took < 4*time.Second || took > 7*time.Second {
		t.Errorf("after %v", took)
	}
	n.db.cut.Store(false)
	closed.until(t, good, http.StatusOK)
}

// TestNodesBehindABalancer has a service whose polls reach one node and then the other. Whatever one of them has said
// holds, though the other has not heard of it.
func TestNodesBehindABalancer(t *testing.T) {
	t.Parallel()
	key := signKey(t)
	nodes := []*node{startNode(t, open(t), signer(key)), startNode(t, open(t), signer(key))} // on databases of their own, so that they never agree
	var turn atomic.Int64
	balancer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nodes[turn.Add(1)%2].Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(balancer.Close)
	public := jwt.StaticKeys{key.Public()}
	s := startService(t, balancer.URL+revocation.Path, public, public, bearer.FeedConfig{Interval: 10 * time.Millisecond})
	a, b := accessToken(t, key, "s-a", "e1"), accessToken(t, key, "s-b", "e1")
	s.until(t, a, http.StatusOK)
	nodes[0].set.Add(store.Revocation{Key: "s-a", ExpiresAt: time.Now().Add(time.Hour)})
	nodes[1].set.Add(store.Revocation{Key: "s-b", ExpiresAt: time.Now().Add(time.Hour)})
	s.until(t, a, http.StatusUnauthorized)
	s.until(t, b, http.StatusUnauthorized)
	for range 200 {
		if x, y := s.status(t, a), s.status(t, b); x != 401 || y != 401 {
			t.Fatalf("an ended session is taken again: %d %d", x, y)
		}
	}
}

// TestSharedSecret has a server whose tokens and feed are under one secret, and a thousand requests while sessions end.
func TestSharedSecret(t *testing.T) {
	t.Parallel()
	secretKey := func(secret []byte) *jwt.Key {
		k, err := jwt.NewSecretKey(jwt.HS256, secret, jwt.KeyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	tokens := secretKey(secret)
	sign := func(typ string, c jwt.Claims) (string, error) { // as the token service does
		derived, err := hkdf.Key(sha256.New, secret, nil, "countersign "+typ, sha256.Size)
		if err != nil {
			return "", err
		}
		return jwt.Sign(secretKey(derived), typ, c)
	}
	n := startNode(t, open(t), sign)
	keys, err := bearer.FeedKeys(secret)
	if err != nil {
		t.Fatal(err)
	}
	s := startService(t, n.URL+revocation.Path, jwt.StaticKeys{tokens}, keys, bearer.FeedConfig{Interval: 10 * time.Millisecond})
	s.until(t, accessToken(t, tokens, "s", "e"), http.StatusOK)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 10 {
				id := fmt.Sprintf("s-%d-%d", w, i)
				tok := accessToken(t, tokens, id, "e")
				if got := s.status(t, tok); got != http.StatusOK {
					t.Errorf("%s: %d", id, got)
				}
				n.set.Add(store.Revocation{Key: id, ExpiresAt: time.Now().Add(time.Hour)})
				if took := s.until(t, tok, http.StatusUnauthorized); took > time.Second {
					t.Errorf("%s: %v", id, took)
				}
			}
		})
	}
	wg.Wait()
	if got := s.status(t, accessToken(t, tokens, "s", "e")); got != http.StatusOK {
		t.Errorf("a session that goes on: %d", got)
	}
}

// TestAccessTokenIsNoFeed has each kind of token in the place of the other.
func TestAccessTokenIsNoFeed(t *testing.T) {
	t.Parallel()
	key := signKey(t)
	n := startNode(t, open(t), signer(key))
	public := jwt.StaticKeys{key.Public()}
	s := startService(t, n.URL+revocation.Path, public, public, bearer.FeedConfig{})
	tok := accessToken(t, key, "s1", "e1")
	s.until(t, tok, http.StatusOK)
	res, err := http.Get(n.URL + revocation.Path)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	if got := s.status(t, string(doc)); got != http.StatusUnauthorized {
		t.Errorf("the feed as a token: %d", got)
	}
	imposter := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", revocation.MediaType)
		_, _ = io.WriteString(w, tok)
	}))
	t.Cleanup(imposter.Close)
	misled := startService(t, imposter.URL, public, public, bearer.FeedConfig{})
	misled.until(t, tok, http.StatusServiceUnavailable)
	if s := misled.feed.Stats(); s.Documents != 0 {
		t.Errorf("%+v", s)
	}
}
