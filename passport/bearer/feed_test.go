package bearer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"expvar"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/bearer"
	"github.com/countersign-auth/countersign/passport/passporttest"
)

var _ expvar.Var = (*bearer.Feed)(nil)

func TestFeedCheck(t *testing.T) {
	t.Parallel()
	clock, server := newFeedClock(), newFeedServer(t)
	feed := newFeed(t, server.URL, bearer.FeedConfig{Now: clock.now})
	at := time.Now().Add(-time.Minute)
	odd := func(name string, value any) *jwt.Token {
		return must(verifier(t, nil).Verify(t.Context(), token(t, "alice", func(c *jwt.Claims) { c.Extra = map[string]any{name: value} })))
	}
	check := func(want error, tok *jwt.Token) {
		t.Helper()
		if err := feed.Check(tok); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	check(bearer.ErrRevocationsUnavailable, held(t, "s1", "e1", at)) // before the first document
	check(nil, held(t, "", "", at))

	server.serves(signFeed(t, feedKey(), feedClaims(clock.now(), "s1", "e2", "")), `"1"`)
	poll(t, feed)
	check(bearer.ErrSessionEnded, held(t, "s1", "e1", at))
	check(bearer.ErrSessionEnded, held(t, "s2", "e2", at))
	check(bearer.ErrSessionEnded, held(t, "s1", "", at))
	check(bearer.ErrSessionEnded, held(t, "", "e2", at))
	check(bearer.ErrSessionEnded, odd("sid", 5))
	check(bearer.ErrSessionEnded, odd("epoch", nil))
	check(nil, held(t, "s3", "e3", at))
	check(nil, held(t, "S1", "E2", at))
	check(nil, held(t, "", "", at)) // of no session, though "" stands in the document

	for _, size := range []int{8, 10, 32} { // an entry may be longer than what is compared
		clock.advance(time.Second)
		c := feedClaims(clock.now())
		c.Extra["size"], c.Extra["entries"] = size, wireEntries(size, fmt.Sprint("s", size), "s4")
		server.serves(signFeed(t, feedKey(), c), "")
		poll(t, feed)
		check(bearer.ErrSessionEnded, held(t, fmt.Sprint("s", size), "e3", at))
	}
	if s := feed.Stats(); s.Refused != 9 || s.Unavailable != 1 || s.Documents != 4 || s.Stale || s.Entries != 7 || s.Unchecked != 0 {
		t.Errorf("%+v", s)
	}
}

// TestFeedIncomplete has documents that say of older tokens that they cannot be judged.
func TestFeedIncomplete(t *testing.T) {
	t.Parallel()
	clock, server := newFeedClock(), newFeedServer(t)
	feed := newFeed(t, server.URL, bearer.FeedConfig{Now: clock.now})
	since := time.Now().Add(-10 * time.Minute).Truncate(time.Second)
	c := feedClaims(clock.now(), "s1")
	c.Extra["since"] = since.Unix()
	server.serves(signFeed(t, feedKey(), c), "")
	poll(t, feed)
	for _, tt := range []struct {
		tok  *jwt.Token
		want error
	}{
		{held(t, "s2", "e2", since.Add(time.Second)), nil},
		{held(t, "s2", "e2", since), bearer.ErrTooOldToTell},
		{held(t, "s2", "", since.Add(-time.Hour)), bearer.ErrTooOldToTell},
		{held(t, "", "e2", time.Time{}), bearer.ErrTooOldToTell},
		{held(t, "", "", since), nil},
		{held(t, "s1", "e2", since), bearer.ErrSessionEnded},
	} {
		if err := feed.Check(tt.tok); !errors.Is(err, tt.want) {
			t.Errorf("got %v, want %v", err, tt.want)
		}
	}
	if s := feed.Stats(); !s.Since.Equal(since) || s.TooOld != 3 {
		t.Errorf("%+v", s)
	}
	clock.advance(time.Second)
	server.serves(signFeed(t, feedKey(), feedClaims(clock.now(), "s1")), "")
	poll(t, feed)
	if err := feed.Check(held(t, "s2", "e2", since)); err != nil {
		t.Errorf("complete again: %v", err)
	}
}

// TestFeedGoesStale follows what ends the trust in what was said last: silence, and the end of the document however often
// it is confirmed.
func TestFeedGoesStale(t *testing.T) {
	t.Parallel()
	for _, open := range []bool{false, true} {
		clock, server := newFeedClock(), newFeedServer(t)
		feed := newFeed(t, server.URL, bearer.FeedConfig{Now: clock.now, InsecureFailOpen: open})
		good, ended := held(t, "s2", "e2", time.Now()), held(t, "s1", "e1", time.Now())
		check := func(when string, stale bool) {
			t.Helper()
			var want error
			if stale && !open {
				want = bearer.ErrRevocationsUnavailable
			}
			if err := feed.Check(good); !errors.Is(err, want) {
				t.Errorf("open %v, %s: got %v, want %v", open, when, err, want)
			}
			if s := feed.Stats(); s.Stale != stale {
				t.Errorf("open %v, %s: %+v", open, when, s)
			}
		}
		if s := feed.Stats(); s.Age >= 0 {
			t.Errorf("before the first answer: %+v", s)
		}
		check("at first", true)
		server.serves(signFeed(t, feedKey(), feedClaims(clock.now(), "s1")), `"1"`)
		poll(t, feed)
		check("after a document", false)
		server.down()
		clock.advance(30*time.Second - 1)
		if err := feed.Poll(t.Context()); err == nil {
			t.Error("a poll that failed is no error")
		}
		check("almost half a minute of silence", false)
		clock.advance(1)
		check("half a minute of silence", true)
		if err := feed.Check(ended); !errors.Is(err, bearer.ErrSessionEnded) {
			t.Errorf("stale, and the session known to have ended: %v", err)
		}
		server.serves("", `"1"`) // an answer that only confirms
		poll(t, feed)
		check("confirmed", false)
		if s := feed.Stats(); s.Age != 0 || s.NotModified != 1 || s.Errors != 1 || s.LastError != "" {
			t.Errorf("%+v", s)
		}
	}
}

// TestFeedDocumentEnds has a document confirmed as long as it can be: that does not make it last longer.
func TestFeedDocumentEnds(t *testing.T) {
	t.Parallel()
	for lives, ends := range map[time.Duration]int{90 * time.Second: 120, time.Hour: 330} {
		clock, server := newFeedClock(), newFeedServer(t)
		feed := newFeed(t, server.URL, bearer.FeedConfig{Now: clock.now, MaxStale: time.Hour})
		c := feedClaims(clock.now())
		c.ExpiresAt = c.IssuedAt.Add(lives)
		server.serves(signFeed(t, feedKey(), c), `"1"`)
		poll(t, feed)
		server.serves("", `"1"`)
		good := held(t, "s2", "e2", time.Now())
		for second := range ends + 1 {
			if stale := feed.Check(good) != nil; stale != (second >= ends) {
				t.Errorf("a document that lives for %v: stale %v after %d s", lives, stale, second)
			}
			clock.advance(time.Second)
			_ = feed.Poll(t.Context())
		}
		if c := *server.condition.Load(); c != "" {
			t.Errorf("a document that is over is asked for by %q", c)
		}
	}
}

// TestFeedOrder sends documents in the wrong order: whatever one of them has said holds.
func TestFeedOrder(t *testing.T) {
	t.Parallel()
	clock, server := newFeedClock(), newFeedServer(t)
	feed := newFeed(t, server.URL, bearer.FeedConfig{Now: clock.now})
	start := clock.now()
	send := func(after time.Duration, since int64, keys ...string) {
		t.Helper()
		c := feedClaims(start.Add(after), keys...)
		c.Extra["since"] = since
		server.serves(signFeed(t, feedKey(), c), "")
		poll(t, feed)
	}
	known := func(since int64, keys ...string) {
		t.Helper()
		for _, key := range []string{"s0", "s1", "s2", "s3"} {
			want := strings.Contains(strings.Join(keys, " "), key)
			if got := errors.Is(feed.Check(held(t, key, "", time.Now())), bearer.ErrSessionEnded); got != want {
				t.Errorf("%s ended: %v", key, got)
			}
		}
		s := feed.Stats()
		if got := max(0, s.Since.Unix()); got != since || s.Entries != len(keys) {
			t.Errorf("since %d, %d entries, want %d, %d", got, s.Entries, since, len(keys))
		}
	}
	clock.advance(10 * time.Second)
	send(10*time.Second, 7, "s1", "s2")
	known(7, "s1", "s2")
	send(5*time.Second, 0, "s1") // played once more
	known(7, "s1", "s2")
	send(9*time.Second, 9, "s0") // from another node, whose clock is slow
	known(7, "s0", "s1", "s2")
	send(10*time.Second, 3) // from another node, in the same second
	known(7, "s0", "s1", "s2")
	clock.advance(time.Second)
	send(11*time.Second, 0, "s3")
	known(0, "s0", "s1", "s2", "s3")
	clock.advance(119 * time.Second) // s0 was last seen in the document of second 9
	send(130*time.Second, 0, "s3")
	known(0, "s1", "s2", "s3")
	clock.advance(2 * time.Second)
	send(132*time.Second, 0)
	known(0, "s3")
}

func TestFeedAnswers(t *testing.T) {
	t.Parallel()
	clock, server := newFeedClock(), newFeedServer(t)
	feed := newFeed(t, server.URL, bearer.FeedConfig{Now: clock.now})
	h := handler(t, verifier(t, nil), bearer.Options{Realm: "api", Revocations: feed})
	ask := func(tok string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request("/", "Authorization: Bearer "+tok))
		return w
	}
	good, ended := token(t, "alice", of("s2", "e2", time.Now())), token(t, "alice", of("s1", "e1", time.Now()))
	w := ask(good)
	if w.Code != 503 || w.Header().Get("Retry-After") != "5" || !strings.Contains(w.Body.String(), `"revocations_unavailable"`) || w.Header().Get("WWW-Authenticate") != "" {
		t.Errorf("closed: %d %v %s", w.Code, w.Header(), w.Body)
	}
	c := feedClaims(clock.now(), "s1")
	c.Extra["since"] = time.Now().Add(-time.Minute).Unix()
	server.serves(signFeed(t, feedKey(), c), "")
	poll(t, feed)
	if w := ask(good); w.Code != 200 {
		t.Errorf("good: %d %s", w.Code, w.Body)
	}
	for tok, detail := range map[string]string{
		ended: "The session has ended.",
		token(t, "alice", of("s2", "e2", time.Now().Add(-time.Hour))): "The token is too old to be checked. Get a new one.",
	} {
		w := ask(tok)
		want := `Bearer realm="api", error="invalid_token", error_description="` + detail + `"`
		if got := w.Header().Get("WWW-Authenticate"); w.Code != 401 || got != want || !strings.Contains(w.Body.String(), `"invalid_token"`) {
			t.Errorf("%d %s\nwant %s", w.Code, got, want)
		}
	}
	if w := ask("junk"); w.Code != 401 {
		t.Errorf("junk: %d", w.Code)
	}
}

// ofOwn is a Revocations of the caller's own.
type ofOwn struct{ err error }

func (o ofOwn) Check(*jwt.Token) error { return o.err }

func TestRevocationsOfOwn(t *testing.T) {
	t.Parallel()
	for err, status := range map[error]int{
		nil: 200, fmt.Errorf("x: %w", bearer.ErrSessionEnded): 401, errors.New("down"): 500, bearer.ErrRevocationsUnavailable: 503,
	} {
		w := httptest.NewRecorder()
		handler(t, verifier(t, nil), bearer.Options{Revocations: ofOwn{err}}).ServeHTTP(w, request("/", "Authorization: Bearer "+token(t, "alice")))
		if w.Code != status {
			t.Errorf("%v: %d, want %d", err, w.Code, status)
		}
	}
	if second(bearer.NewStrategy(verifier(t, nil), load, bearer.Options{Revocations: (*bearer.Feed)(nil)})) == nil {
		t.Error("a nil feed is taken")
	}
}

// TestContractWithFeed has the suite of strategies with a feed that revokes what the suite says is refused.
func TestContractWithFeed(t *testing.T) {
	t.Parallel()
	server := newFeedServer(t)
	server.serves(signFeed(t, feedKey(), feedClaims(time.Now(), "s-ended", "e-ended")), "")
	feed := newFeed(t, server.URL, bearer.FeedConfig{})
	poll(t, feed)
	stale := newFeed(t, server.URL, bearer.FeedConfig{})
	strategy := func(v bearer.Verifier, f *bearer.Feed) func() (passport.Strategy[*user], error) {
		return func() (passport.Strategy[*user], error) {
			return bearer.NewStrategy(v, load, bearer.Options{Realm: "api", Revocations: f})
		}
	}
	with := func(tok string) func() *http.Request {
		return func() *http.Request { return request("/", "Authorization: Bearer "+tok) }
	}
	alice, bob := token(t, "alice", of("s1", "e1", time.Now())), token(t, "bob", of("s2", "e2", time.Now()))
	ended, everywhere := token(t, "alice", of("s-ended", "e1", time.Now())), token(t, "bob", of("s3", "e-ended", time.Now()))
	passporttest.Run(t, passporttest.Suite[*user]{
		New: strategy(verifier(t, nil), feed), Broken: strategy(verifier(t, nil), stale), Hanging: strategy(verifier(t, keysDown{hang: true}), feed),
		Valid:     []passporttest.Valid[*user]{{Request: with(alice), User: &user{"alice"}}, {Request: with(bob), User: &user{"bob"}}},
		Absent:    []func() *http.Request{func() *http.Request { return request("/") }},
		Refused:   []func() *http.Request{with(ended), with(everywhere), with("undefined")},
		Twice:     []func() *http.Request{func() *http.Request { return request("/", "Authorization: Bearer "+alice+", Bearer "+bob) }},
		Malformed: []func() *http.Request{func() *http.Request { return request("/", "Authorization: Bearer a b") }},
		InQuery:   []func() *http.Request{func() *http.Request { return request("/?access_token=" + alice) }},
		Secrets:   []string{alice, bob, ended, "s-ended", "e-ended"},
		Scheme:    "Bearer",
	})
}

// TestFeedRun has the whole loop on a real clock: it begins, fails, is logged once, and comes back.
func TestFeedRun(t *testing.T) {
	t.Parallel()
	server := newFeedServer(t)
	var log syncLog
	feed := newFeed(t, server.URL, bearer.FeedConfig{Interval: 10 * time.Millisecond, MaxStale: time.Second, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { defer close(done); feed.Run(ctx) }()
	publish := func(keys ...string) {
		server.serves(signFeed(t, feedKey(), feedClaims(time.Now(), keys...)), fmt.Sprintf("%q", keys))
	}
	until := func(what string, want error) {
		t.Helper()
		deadline := time.Now().Add(5 * time.Second)
		for !errors.Is(feed.Check(held(t, "s1", "e1", time.Now())), want) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %v; %v", what, feed.Check(held(t, "s1", "e1", time.Now())), feed)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	publish()
	until("a document", nil)
	var wg sync.WaitGroup
	for range 4 { // others ask all the time
		wg.Go(func() {
			tok := held(t, "s9", "e9", time.Now())
			for ctx.Err() == nil {
				_, _ = feed.Check(tok), feed.Stats()
			}
		})
	}
	server.down()
	until("silence", bearer.ErrRevocationsUnavailable)
	for !strings.Contains(log.String(), "503") {
		time.Sleep(5 * time.Millisecond)
	}
	publish()
	until("back", nil)
	publish("s1")
	until("ended", bearer.ErrSessionEnded)
	cancel()
	<-done
	wg.Wait()
	text := log.String()
	for part, least := range map[string]int{"tokens are answered 503": 1, "a poll failed": 0, "back": 1} { // a slow machine's first failure is late enough
		if n := strings.Count(text, part); n < least || n > 2 {
			t.Errorf("%d times %q:\n%s", n, part, text)
		}
	}
	var doc map[string]any
	if err := json.Unmarshal([]byte(feed.String()), &doc); err != nil || doc["stale"] != false || doc["documents"].(float64) != 2 {
		t.Errorf("%s %v", feed, err)
	}
}

type syncLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *syncLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *syncLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
