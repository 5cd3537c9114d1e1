package ratelimit_test

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/ratelimit"
	"github.com/countersign-auth/countersign/internal/store/sqlstore"
	"github.com/countersign-auth/countersign/internal/testkit"
)

var (
	key   = bytes.Repeat([]byte{7}, 32)
	start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	home  = netip.MustParseAddr("198.51.100.7")
)

const mike = "mike@example.com"

func newClock() *testkit.Clock { return testkit.ClockAt(start) }

func attacker(i int) netip.Addr           { return netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)}) }
func from(a netip.Addr) ratelimit.Attempt { return ratelimit.Attempt{Account: mike, Client: a} }
func device(id string) ratelimit.Attempt {
	return ratelimit.Attempt{Account: mike, Client: attacker(9999), Device: id}
}

func open(t testing.TB) (*sqlstore.Store, string) {
	path := filepath.Join(t.TempDir(), "c.db")
	return openAt(t, path), path
}

func openAt(t testing.TB, path string) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func newLogins(t testing.TB, s *sqlstore.Store, now func() time.Time) *ratelimit.Logins {
	t.Helper()
	l, err := ratelimit.NewLogins(ratelimit.Config{Counters: s, Key: key, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func setUp(t testing.TB) (*ratelimit.Logins, *testkit.Clock) {
	s, _ := open(t)
	c := newClock()
	return newLogins(t, s, c.Now), c
}

// enter returns the entry or the refusal.
func enter(t testing.TB, l *ratelimit.Logins, a ratelimit.Attempt) (*ratelimit.Entry, *ratelimit.Refusal) {
	t.Helper()
	e, err := l.Enter(t.Context(), a)
	var r *ratelimit.Refusal
	if err != nil && !errors.As(err, &r) {
		t.Fatal(err)
	}
	return e, r
}

// fail makes n attempts that fail and must all be let in.
func fail(t testing.TB, l *ratelimit.Logins, a ratelimit.Attempt, n int) {
	t.Helper()
	for i := range n {
		e, r := enter(t, l, a)
		if r != nil {
			t.Fatalf("failure %d: %v", i+1, r)
		}
		e.Failed()
	}
}

// failPatiently makes n attempts that fail, each as soon as it may be made.
func failPatiently(t testing.TB, l *ratelimit.Logins, c *testkit.Clock, a ratelimit.Attempt, n int) {
	t.Helper()
	for range n {
		e, r := enter(t, l, a)
		if r != nil {
			c.Advance(r.RetryAfter)
			fail(t, l, a, 1)
			continue
		}
		e.Failed()
	}
}

func pass(t testing.TB, l *ratelimit.Logins, a ratelimit.Attempt) {
	t.Helper()
	e, r := enter(t, l, a)
	if r != nil {
		t.Fatal(r)
	}
	if err := e.Passed(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func refused(t testing.TB, l *ratelimit.Logins, a ratelimit.Attempt, reason string) time.Duration {
	t.Helper()
	_, r := enter(t, l, a)
	if r == nil || r.Reason != reason {
		t.Fatalf("got %v, want a refusal for %s", r, reason)
	}
	return r.RetryAfter
}

// exhaust has strangers fail at mike's until they are refused, each from an address of its own. It returns how often.
func exhaust(t testing.TB, l *ratelimit.Logins, c *testkit.Clock) (n int) {
	t.Helper()
	for ; ; n++ {
		a := from(attacker(n))
		if _, r := enter(t, l, a); r != nil {
			if r.Reason == ratelimit.ReasonExhausted {
				return n
			}
			c.Advance(r.RetryAfter)
			fail(t, l, a, 1)
		}
	}
}
