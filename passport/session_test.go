package passport_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign-auth/countersign/passport"
)

func TestSessionLoginAndLogout(t *testing.T) {
	t.Parallel()
	store := passport.NewMemoryStore(10)
	b := newSite(t, store, passport.SessionConfig[*user]{Keep: []string{"theme"}}).browser(t)
	if got := b.get("/api"); !strings.HasPrefix(got, "401") {
		t.Errorf("no session: %s", got)
	}
	b.want(b.get("/private?page=2"), "303 /loginpage")
	before := b.cookie()
	b.want(b.get("/set?k=theme&v=dark"), "200 ")
	b.want(b.get("/set?k=cart&v=7"), "200 ")
	b.want(b.get("/login", "X-form: alice"), "303 /private?page=2") // the path survives the new id
	after := b.cookie()
	if before == after || before == "" || after == "" {
		t.Errorf("the id is %q before and %q after", before, after)
	}
	b.want(b.get("/private"), "200 alice")
	b.want(b.get("/messages"), "200 failure: Log in first.\nsuccess: Welcome.\n")
	b.want(b.get("/messages"), "200 ")
	b.want(b.get("/get?k=theme"), "200 dark")
	b.want(b.get("/get?k=cart"), "200 ")
	b.want(b.get("/set?k=draft&v=1"), "200 ")
	b.want(b.get("/logout"), "200 ")
	if b.cookie() == after {
		t.Error("logout keeps the id")
	}
	if got := b.get("/api"); !strings.HasPrefix(got, "401") {
		t.Errorf("after logout: %s", got)
	}
	b.want(b.get("/get?k=theme"), "200 dark")
	b.want(b.get("/get?k=draft"), "200 ")
	for _, old := range []string{before, after} {
		stranger := b.site.browser(t)
		if got := stranger.get("/api", "Cookie: "+old); !strings.HasPrefix(got, "401") {
			t.Errorf("an old id is alive: %s", got)
		}
		b.want(stranger.get("/get?k=theme", "Cookie: "+old), "200 ")
	}
	if n := store.Len(); n != 1 {
		t.Errorf("%d sessions are left in the store", n)
	}
	b.want(b.get("/remove?k=theme"), "200 ")
	b.want(b.get("/logout"), "200 ")
	if b.cookie() != "" || store.Len() != 0 {
		t.Errorf("nothing is kept, yet cookie %q and %d sessions", b.cookie(), store.Len())
	}
}

func TestSessionAnotherUserLogsIn(t *testing.T) {
	t.Parallel()
	b := newSite(t, nil, passport.SessionConfig[*user]{}).browser(t)
	b.want(b.get("/login", "X-form: alice"), "303 /home")
	b.want(b.get("/set?k=x&v=1"), "200 ")
	b.want(b.get("/login", "X-form: bob"), "303 /home")
	b.want(b.get("/api"), "200 bob")
	b.want(b.get("/get?k=x"), "200 ")
	b.want(b.get("/messages"), "200 success: Welcome.\n") // bob's own, not alice's
	b.want(b.get("/login", "X-form: gone"), "303 /home")
	if got := b.get("/api"); !strings.HasPrefix(got, "401") {
		t.Errorf("a user who is gone: %s", got)
	}
}

func TestSessionCookie(t *testing.T) {
	t.Parallel()
	login := func(s *passport.Sessions[*user], lines ...string) *httptest.ResponseRecorder {
		return serve(s.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			report(w, s.SetValue(w, r, "k", "v"))
			report(w, s.Login(w, r, &user{"alice"}))
			if u, ok, err := s.User(r); err != nil || !ok || u.name != "alice" {
				t.Errorf("in the same request: %v %v %v", u, ok, err)
			}
		})), request(lines...))
	}
	w := login(sessions(t, nil, passport.SessionConfig[*user]{}))
	lines := w.Header()["Set-Cookie"]
	if len(lines) != 1 {
		t.Fatalf("Set-Cookie: %q", lines)
	}
	c, err := http.ParseSetCookie(lines[0])
	if err != nil || c.Name != "__Host-session" || len(c.Value) != 43 || !c.Secure || !c.HttpOnly ||
		c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || w.Header().Get("Cache-Control") == "" {
		t.Errorf("%q %v", lines[0], w.Header())
	}
	w = login(sessions(t, nil, passport.SessionConfig[*user]{InsecureCookie: true}))
	if c, _ := http.ParseSetCookie(w.Header().Get("Set-Cookie")); c.Name != "session" || c.Secure || !c.HttpOnly {
		t.Errorf("insecure: %v", c)
	}
	for _, cfg := range []passport.SessionConfig[*user]{
		{CookieName: "__Host-x", InsecureCookie: true}, {CookieName: "a b"}, {IdleTTL: -1},
	} {
		cfg.Serialize = func(context.Context, *user) (string, error) { return "", nil }
		cfg.Deserialize = func(context.Context, string) (*user, bool, error) { return nil, false, nil }
		if _, err := passport.NewSessions(passport.NewMemoryStore(0), cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
	if _, err := passport.NewSessions(passport.NewMemoryStore(0), passport.SessionConfig[*user]{}); err == nil {
		t.Error("no Serialize is taken")
	}
}

func TestSessionFixation(t *testing.T) {
	t.Parallel()
	b := newSite(t, nil, passport.SessionConfig[*user]{}).browser(t)
	b.want(b.get("/login", "X-form: alice"), "303 /home")
	good := b.cookie()
	fixed := "__Host-session=" + strings.Repeat("A", 43)
	for _, cookie := range []string{fixed, good + "; " + good, good + "; " + fixed, good + "x", "__Host-session=", "__Host-session=" + strings.Repeat("é", 21) + "x", strings.ToLower(good)} {
		if got := b.site.browser(t).get("/api", "Cookie: "+cookie); !strings.HasPrefix(got, "401") {
			t.Errorf("cookie %q: %s", cookie, got)
		}
	}
	victim := b.site.browser(t)
	victim.want(victim.get("/quiet", "X-form: bob", "Cookie: "+fixed), "200 bob")
	if victim.cookie() == fixed {
		t.Error("the id of the attacker is taken over")
	}
	if got := b.site.browser(t).get("/api", "Cookie: "+fixed); !strings.HasPrefix(got, "401") {
		t.Errorf("the attacker is in: %s", got)
	}
}

func TestSessionTimes(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	cfg := passport.SessionConfig[*user]{IdleTTL: time.Hour, MaxTTL: 3 * time.Hour, AnonymousTTL: time.Minute,
		Now: func() time.Time { return time.Unix(1_700_000_000+now.Load(), 0) }}
	b := newSite(t, nil, cfg).browser(t)
	b.want(b.get("/login", "X-form: alice"), "303 /home")
	for range 3 {
		now.Add(50 * 60)
		b.want(b.get("/api"), "200 alice")
	}
	now.Add(31 * 60) // 3 h 1 min after the login, 31 min after the last use
	if got := b.get("/api"); !strings.HasPrefix(got, "401") {
		t.Errorf("after MaxTTL: %s", got)
	}
	b.want(b.get("/login", "X-form: alice"), "303 /home")
	now.Add(60 * 60)
	if got := b.get("/api"); !strings.HasPrefix(got, "401") {
		t.Errorf("after IdleTTL: %s", got)
	}
	b.want(b.get("/set?k=a&v=1"), "200 ")
	now.Add(59)
	b.want(b.get("/get?k=a"), "200 1")
	now.Add(60)
	b.want(b.get("/get?k=a"), "200 ")
}

// failingStore fails in the methods that are named in it.
type failingStore struct {
	passport.SessionStore
	fail atomic.Value // string
}

func (f *failingStore) err(method string) error {
	if s, _ := f.fail.Load().(string); strings.Contains(s, method) {
		return errors.New("store is down")
	}
	return nil
}

func (f *failingStore) Create(ctx context.Context, key string, data []byte, exp time.Time) error {
	if err := f.err("Create"); err != nil {
		return err
	}
	return f.SessionStore.Create(ctx, key, data, exp)
}

func (f *failingStore) Load(ctx context.Context, key string, now time.Time) ([]byte, bool, error) {
	if err := f.err("Load"); err != nil {
		return nil, false, err
	}
	return f.SessionStore.Load(ctx, key, now)
}

func (f *failingStore) Delete(ctx context.Context, key string) error {
	if err := f.err("Delete"); err != nil {
		return err
	}
	return f.SessionStore.Delete(ctx, key)
}

func TestSessionStoreDownIsAFault(t *testing.T) {
	t.Parallel()
	store := &failingStore{SessionStore: passport.NewMemoryStore(10)}
	b := newSite(t, store, passport.SessionConfig[*user]{}).browser(t)
	b.want(b.get("/set?k=a&v=1"), "200 ")
	before := b.cookie()
	for _, method := range []string{"Create", "Load", "Delete"} {
		store.fail.Store(method)
		if got := b.get("/login", "X-form: alice"); !strings.HasPrefix(got, "500") || strings.Contains(got, "store is down") {
			t.Errorf("login, %s fails: %s", method, got)
		}
		if b.cookie() != before {
			t.Errorf("login, %s fails: the id changed", method)
		}
		store.fail.Store("")
		if got := b.get("/api"); !strings.HasPrefix(got, "401") {
			t.Errorf("login, %s fails: logged in all the same: %s", method, got)
		}
	}
	b.want(b.get("/login", "X-form: alice"), "303 /home")
	store.fail.Store("Load")
	if got := b.get("/api"); !strings.HasPrefix(got, "500") {
		t.Errorf("the store is down: %s", got)
	}
	store.fail.Store("Delete")
	if got := b.get("/logout"); !strings.HasPrefix(got, "500") {
		t.Errorf("logout fails: %s", got)
	}
}

func TestSessionEndedMeanwhileStaysEnded(t *testing.T) {
	t.Parallel()
	s := sessions(t, nil, passport.SessionConfig[*user]{})
	w := serve(s.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		report(w, s.Login(w, r, &user{"alice"}))
	})), request())
	c, _ := http.ParseSetCookie(w.Header().Get("Set-Cookie"))
	cookie := "Cookie: " + c.Name + "=" + c.Value
	w = serve(s.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok, _ := s.User(r); !ok { // loaded
			t.Error("not logged in")
		}
		serve(s.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { report(w, s.Logout(w, r)) })), request(cookie))
		report(w, s.SetValue(w, r, "k", "v"))
	})), request(cookie))
	c, _ = http.ParseSetCookie(w.Header().Get("Set-Cookie"))
	for _, cookie := range []string{cookie, "Cookie: " + c.Name + "=" + c.Value} {
		serve(s.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if u, ok, _ := s.User(r); ok {
				t.Errorf("%v came back to life", u)
			}
		})), request(cookie))
	}
}

func TestSessionNeedsMiddlewareAndText(t *testing.T) {
	t.Parallel()
	s := sessions(t, nil, passport.SessionConfig[*user]{})
	w := httptest.NewRecorder()
	if err := s.Login(w, request(), &user{"alice"}); !errors.Is(err, passport.ErrNoMiddleware) {
		t.Errorf("login: %v", err)
	}
	if _, err := s.Strategy().Authenticate(request()); !errors.Is(err, passport.ErrNoMiddleware) {
		t.Errorf("strategy: %v", err)
	}
	serve(s.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.Login(w, r, &user{"\xff"}) == nil || s.SetValue(w, r, "k", "\xff") == nil || s.SetReturnTo(w, r, "//evil") == nil {
			t.Error("a bad value is taken")
		}
		for n := range 20 {
			report(w, s.AddMessage(w, r, passport.Message{Text: fmt.Sprint(n)}))
		}
		if list, err := s.Messages(r); err != nil || len(list) != 16 || list[15].Text != "19" {
			t.Errorf("messages %v, %v", list, err)
		}
		var wg sync.WaitGroup // a handler may use its session from several goroutines
		for range 8 {
			wg.Go(func() { _, _, _ = s.Value(r, "k"); _, _, _ = s.TakeReturnTo(r) })
		}
		wg.Wait()
	})), request())
}

func TestMemoryStore(t *testing.T) {
	t.Parallel()
	ctx, m := t.Context(), passport.NewMemoryStore(3)
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	has := func(key string, now int) bool { _, ok, _ := m.Load(ctx, key, at(now)); return ok }
	for key, end := range map[string]int{"a": 100, "b": 50, "c": 200} {
		if err := m.Create(ctx, key, []byte(key), at(end)); err != nil {
			t.Fatal(err)
		}
	}
	if m.Create(ctx, "a", nil, at(1)) == nil {
		t.Error("a key is created twice")
	}
	if err := m.Create(ctx, "d", nil, at(150)); err != nil || has("b", 0) || !has("a", 0) || m.Len() != 3 {
		t.Errorf("full: %v, %d", err, m.Len())
	}
	if ok, _ := m.Update(ctx, "a", []byte("A"), at(300)); !ok {
		t.Error("update")
	}
	if ok, _ := m.Update(ctx, "b", nil, at(300)); ok {
		t.Error("update brings a session back")
	}
	if has("d", 150) || !has("c", 199) || m.Len() != 2 {
		t.Errorf("expiry: %d left", m.Len())
	}
	data, _, _ := m.Load(ctx, "a", at(250))
	data[0] = 'x'
	if again, _, _ := m.Load(ctx, "a", at(250)); string(again) != "A" {
		t.Errorf("data is shared: %s", again)
	}
	if m.Delete(ctx, "zz") != nil || m.Delete(ctx, "a") != nil || has("a", 0) {
		t.Error("delete")
	}
	if diff := cmp.Diff(0, m.Len()); diff != "" {
		t.Error(diff)
	}
}
