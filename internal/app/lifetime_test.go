package app_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/app"
	"github.com/countersign-auth/countersign/internal/config"
	"github.com/countersign-auth/countersign/internal/login/withpassword"
	"github.com/countersign-auth/countersign/internal/session"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/internal/token"
)

// openTTL opens the database as a command does.
func openTTL(t *testing.T, data string, clock *testkit.Clock, ttl string) *app.App {
	t.Helper()
	cfg, _, err := config.Load(config.Sources{Environ: []string{
		"COUNTERSIGN_DATA=" + data, "COUNTERSIGN_JWT_ACCESS_TTL=" + ttl, "COUNTERSIGN_PASSWORD_BCRYPT_COST=4",
	}})
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.Open(t.Context(), cfg, cfg.Listen, slog.New(slog.DiscardHandler), clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// serveTTL starts a node that makes tokens for ttl, but for its listener.
func serveTTL(t *testing.T, data string, clock *testkit.Clock, ttl string) (a *app.App, stop func()) {
	t.Helper()
	a = openTTL(t, data, clock, ttl)
	if _, err := a.Server(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop = a.Start(t.Context())
	t.Cleanup(stop)
	return a, stop
}

// becomes waits for what a node learns by itself.
func becomes(t *testing.T, a *app.App, ttl time.Duration) {
	t.Helper()
	for start := time.Now(); a.Tokens.Lifetime() != token.Lifetime(ttl); time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatalf("it keeps what ends for %v, want %v", a.Tokens.Lifetime(), token.Lifetime(ttl))
		}
	}
}

// A shorter jwt.access_ttl is not that of the tokens that are out.
func TestLifetimeOutlivesTheSetting(t *testing.T) {
	t.Parallel()
	data, clock := t.TempDir(), testkit.NewClock()
	for i, step := range []struct {
		after    time.Duration
		ttl      string
		lifetime time.Duration
	}{
		{0, "15m", 15 * time.Minute},
		{0, "4h", 4 * time.Hour},
		{time.Hour, "10m", 4 * time.Hour},
		{3 * time.Hour, "5m", 4 * time.Hour}, // twice the four hours
		{6 * time.Hour, "5m", 5 * time.Minute},
		{time.Hour, "20m", 20 * time.Minute},
		{time.Minute, "5m", 20 * time.Minute},
		{time.Minute, "20m", 20 * time.Minute},
		{time.Hour, "5m", 20 * time.Minute}, // which began anew
	} {
		clock.Advance(step.after)
		a, stop := serveTTL(t, data, clock, step.ttl)
		if got, want := a.Tokens.Lifetime(), token.Lifetime(step.lifetime); got != want {
			t.Errorf("step %d: %v, want %v", i, got, want)
		}
		stop()
	}
}

// endedFor ends the session of a new token of one node at another, and reports whether the token is refused until it expires.
func endedFor(t *testing.T, clock *testkit.Clock, by, at *app.App, ttl time.Duration) bool {
	t.Helper()
	u, err := by.Store.UserByEmail(t.Context(), "mike@example.com")
	if err != nil {
		if u, err = by.Passwords.Create(t.Context(), withpassword.NewUser{Email: "mike@example.com", Password: testkit.Password}); err != nil {
			t.Fatal(err)
		}
	}
	opened, err := by.Sessions.Open(t.Context(), session.Login{User: u})
	if err == nil {
		err = at.Sessions.End(t.Context(), u.ID, store.Which{})
	}
	if err != nil {
		t.Fatal(err)
	}
	clock.Advance(ttl - time.Second)
	if _, err := by.Store.DeleteExpired(t.Context(), clock.Now(), 100); err != nil {
		t.Fatal(err)
	}
	fresh := openTTL(t, by.Config.Data, clock, "15m") // which knows what the store has
	tok, err := fresh.Tokens.Verify(t.Context(), opened.Tokens.Access.Token)
	if err != nil {
		t.Fatal(err)
	}
	_, ok, err := fresh.Guard.Holder(t.Context(), tok)
	return !ok || err != nil
}

// A node that starts with a longer jwt.access_ttl is heard by those that run.
func TestLongerLifetimeIsHeard(t *testing.T) {
	t.Parallel()
	data, clock := t.TempDir(), testkit.NewClock()
	short, _ := serveTTL(t, data, clock, "15m")
	long, _ := serveTTL(t, data, clock, "24h")
	if got, want := short.Tokens.Lifetime(), token.Lifetime(24*time.Hour); got != want { // before the other one serves
		t.Errorf("%v, want %v", got, want)
	}
	if !endedFor(t, clock, long, short, 24*time.Hour) {
		t.Error("a token lives again")
	}
}

// While a node makes longer-lived tokens than the one that started last, all keep what ends for as long. Neither writes without need.
func TestLongerLifetimeIsRenewed(t *testing.T) {
	t.Parallel()
	data, clock := t.TempDir(), testkit.NewClock()
	long, stop := serveTTL(t, data, clock, "2h")
	short, _ := serveTTL(t, data, clock, "15m")
	record := func() string {
		t.Helper()
		text, err := short.Store.Secret(t.Context(), "access_ttl")
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for range 3 {
		clock.Advance(90 * time.Minute)
		for start, before := time.Now(), record(); record() == before; time.Sleep(10 * time.Millisecond) {
			if time.Since(start) > 10*time.Second {
				t.Fatalf("not renewed: %s", before)
			}
		}
		var seen []string
		for range 4 { // the first may be by the time before the clock went on
			seen = append(seen, record())
			time.Sleep(1200 * time.Millisecond)
			if record() == seen[len(seen)-1] {
				break
			}
		}
		if len(seen) > 2 {
			t.Errorf("they take turns: %s", seen)
		}
		command := openTTL(t, data, clock, "15m")
		if !endedFor(t, clock, long, command, 2*time.Hour) {
			t.Error("a token lives again")
		}
	}
	stop()
	clock.Advance(5 * time.Hour)
	becomes(t, short, 15*time.Minute)
	if text := record(); strings.Contains(text, "until") {
		t.Errorf("still there: %s", text)
	}
}

// What has run for longer than the record reached ahead when it started is still known.
func TestLifetimeOfARunningServer(t *testing.T) {
	t.Parallel()
	data, clock := t.TempDir(), testkit.NewClock()
	_, stop := serveTTL(t, data, clock, "4h")
	stop()
	a, _ := serveTTL(t, data, clock, "2h")
	clock.Advance(9 * time.Hour)
	becomes(t, a, 2*time.Hour)
	if !endedFor(t, clock, a, openTTL(t, data, clock, "15m"), 2*time.Hour) {
		t.Error("a token lives again")
	}
}
