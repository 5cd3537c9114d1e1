package ratelimit_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/ratelimit"
)

func TestOwnerLogsInWhileStrangersAttack(t *testing.T) {
	t.Parallel()
	l, c := setUp(t)
	pass(t, l, from(home))
	for i := range 60 { // 50 addresses, some more than once
		if a := from(attacker(i % 50)); i < 10 {
			fail(t, l, a, 1)
		} else {
			_, _ = enter(t, l, a)
		}
	}
	refused(t, l, from(attacker(50)), ratelimit.ReasonAccount)
	pass(t, l, from(home)) // the address is known
	// Nobody can tell by it that the owner came, nor that there is one.
	refused(t, l, from(attacker(51)), ratelimit.ReasonAccount)

	exhaust(t, l, c)
	refused(t, l, from(attacker(1000)), ratelimit.ReasonExhausted)
	pass(t, l, device("d")) // a known device, from anywhere
	fail(t, l, from(attacker(1001)), 1)

	// A known address whose cookie is gone, after the attacker has been there too.
	exhaust(t, l, c)
	fail(t, l, from(home), 4)
	pass(t, l, from(home))
}

func TestDeviceMakesItsAddressKnown(t *testing.T) {
	t.Parallel()
	l, c := setUp(t)
	pass(t, l, ratelimit.Attempt{Account: mike, Client: home, Device: "d"})
	exhaust(t, l, c)
	pass(t, l, from(home)) // without the cookie
}

func TestPassedEndsWhatIsRemembered(t *testing.T) {
	t.Parallel()
	l, _ := setUp(t)
	owner, r := enter(t, l, from(home))
	if r != nil {
		t.Fatal(r)
	}
	fail(t, l, from(home), 4)
	refused(t, l, from(home), ratelimit.ReasonPair)
	if err := owner.Passed(t.Context()); err != nil {
		t.Fatal(err)
	}
	pass(t, l, from(home))
}

func TestHundredFailures(t *testing.T) {
	t.Parallel()
	for name, spread := range map[string]bool{"from one address": false, "over 100 addresses": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, c := setUp(t)
			if spread {
				if n := exhaust(t, l, c); n != 100 {
					t.Fatalf("exhausted after %d", n)
				}
			} else {
				failPatiently(t, l, c, from(home), 100)
			}
			// The right password, from a stranger, at an address that has not failed yet and at one that has.
			wait := refused(t, l, from(attacker(500)), ratelimit.ReasonExhausted)
			refused(t, l, from(home), ratelimit.ReasonExhausted)
			if wait != 30*24*time.Hour {
				t.Errorf("waits %v", wait)
			}
			c.Advance(wait - time.Millisecond)
			refused(t, l, from(attacker(500)), ratelimit.ReasonExhausted)
			c.Advance(time.Millisecond)
			pass(t, l, from(attacker(500)))
		})
	}
}

func TestUnlock(t *testing.T) {
	t.Parallel()
	l, c := setUp(t)
	if err := l.Unlock(t.Context(), mike); err != nil { // nothing to unlock
		t.Fatal(err)
	}
	exhaust(t, l, c)
	refused(t, l, from(home), ratelimit.ReasonExhausted)
	if err := l.Unlock(t.Context(), mike); err != nil {
		t.Fatal(err)
	}
	fail(t, l, from(attacker(700)), 1) // one of whom no refusal is remembered
	c.Advance(time.Second)
	pass(t, l, from(home))
}

func TestOwnAllowanceIsBounded(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]ratelimit.Attempt{"device": device("d"), "pair": from(home)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, c := setUp(t)
			pass(t, l, from(home))
			exhaust(t, l, c)
			failPatiently(t, l, c, a, 20)
			refused(t, l, a, ratelimit.ReasonExhausted) // a stranger now
			c.Advance(29 * 24 * time.Hour)              // and it stays one
			refused(t, l, a, ratelimit.ReasonExhausted)
			c.Advance(24 * time.Hour)
			pass(t, l, a)
			fail(t, l, a, 5)
		})
	}
}

func TestWaitShrinksToNothing(t *testing.T) {
	t.Parallel()
	l, c := setUp(t)
	fail(t, l, from(home), 5)
	for doublings := range 12 {
		want := min(time.Second<<doublings, 15*time.Minute)
		for _, part := range []time.Duration{0, want / 4, want / 2, want - time.Millisecond} {
			c.Advance(part)
			if got := refused(t, l, from(home), ratelimit.ReasonPair); got != want-part {
				t.Fatalf("waits %v after %v of %v", got, part, want)
			}
			c.Advance(-part)
		}
		c.Advance(want)
		fail(t, l, from(home), 1)
	}
}

func TestIPv6(t *testing.T) {
	t.Parallel()
	l, _ := setUp(t)
	for i := range 5 { // another address of one /64 each
		fail(t, l, from(netip.MustParseAddr(fmt.Sprintf("2001:db8:1:1::%x", i))), 1)
	}
	refused(t, l, from(netip.MustParseAddr("2001:db8:1:1:ffff::")), ratelimit.ReasonPair)
	for i := range 995 { // another /64 of one /48 each, and another account
		client := netip.MustParseAddr(fmt.Sprintf("2001:db8:1:%x::1", i+2))
		fail(t, l, ratelimit.Attempt{Account: fmt.Sprint(i), Client: client}, 1)
	}
	refused(t, l, ratelimit.Attempt{Account: "x", Client: netip.MustParseAddr("2001:db8:1:ffff::1")}, ratelimit.ReasonAddress)
	fail(t, l, ratelimit.Attempt{Account: "x", Client: netip.MustParseAddr("2001:db8:2::1")}, 1)
}

func TestAddress(t *testing.T) {
	t.Parallel()
	l, c := setUp(t)
	own := ratelimit.Attempt{Account: "eve@example.com", Client: home}
	for i := range 99 {
		fail(t, l, ratelimit.Attempt{Account: fmt.Sprint(i), Client: home}, 1)
		if i%10 == 0 {
			pass(t, l, own) // takes back no more than itself
		}
	}
	pass(t, l, own)
	fail(t, l, ratelimit.Attempt{Account: "99", Client: home}, 1)
	if wait := refused(t, l, own, ratelimit.ReasonAddress); wait != 10*time.Second {
		t.Errorf("waits %v", wait)
	}
	// Who comes with a device is not held up by its neighbours.
	pass(t, l, ratelimit.Attempt{Account: mike, Client: home, Device: "d"})
	c.Advance(10 * time.Second)
	e, r := enter(t, l, ratelimit.Attempt{Account: "100", Client: home})
	if r != nil {
		t.Fatal(r)
	}
	e.Failed()
	if err := e.Weigh(t.Context(), 1000); err != nil {
		t.Fatal(err)
	}
	if wait := refused(t, l, own, ratelimit.ReasonAddress); wait != time.Minute {
		t.Errorf("waits %v", wait)
	}
	c.Advance(time.Minute)
	pass(t, l, own)
	c.Advance(1000 * time.Second) // whatever was done, it is over by then
	fail(t, l, own, 1)
}

func TestWithdrawnCountsNothing(t *testing.T) {
	t.Parallel()
	l, c := setUp(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	withdraw := func(a ratelimit.Attempt) {
		t.Helper()
		e, r := enter(t, l, a)
		if r != nil {
			t.Fatal(r)
		}
		for range 2 { // the second does nothing
			if err := e.Withdraw(gone); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 300 {
		withdraw(from(home))
	}
	fail(t, l, from(home), 5)
	c.Advance(refused(t, l, from(home), ratelimit.ReasonPair))
	withdraw(from(home)) // does not begin the wait anew
	fail(t, l, from(home), 1)

	// Several at once: each takes back its own.
	var entries []*ratelimit.Entry
	for i := range 5 {
		e, r := enter(t, l, ratelimit.Attempt{Account: "x", Client: attacker(1)})
		if r != nil {
			t.Fatal(i, r)
		}
		entries = append(entries, e)
	}
	refused(t, l, ratelimit.Attempt{Account: "x", Client: attacker(1)}, ratelimit.ReasonPair)
	entries[4].Failed()
	for _, e := range entries {
		if err := e.Withdraw(gone); err != nil { // of the one that failed too: it stays
			t.Fatal(err)
		}
	}
	c.Advance(time.Second) // for which the refusal is remembered
	fail(t, l, ratelimit.Attempt{Account: "x", Client: attacker(1)}, 4)
	refused(t, l, ratelimit.Attempt{Account: "x", Client: attacker(1)}, ratelimit.ReasonPair)
}

func TestClockIsSetBack(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]time.Duration{"a little": 30 * time.Second, "a year": 365 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, c := setUp(t)
			fail(t, l, from(home), 5)
			c.Advance(-back)
			wait := refused(t, l, from(home), ratelimit.ReasonPair) // nothing is unlocked
			if wait > time.Minute {
				t.Errorf("waits %v", wait)
			}
			c.Advance(wait) // and nothing locked for longer
			fail(t, l, from(home), 1)
			refused(t, l, from(home), ratelimit.ReasonPair)
		})
	}
}

// Who hangs up in time has not failed at the account, but has used up something of the address.
func TestAbandoned(t *testing.T) {
	t.Parallel()
	l, _ := setUp(t)
	for n := 0; ; n++ {
		e, r := enter(t, l, from(home))
		if r != nil {
			if r.Reason != ratelimit.ReasonAddress || n < 50 {
				t.Errorf("refused after %d: %v", n, r)
			}
			break
		}
		if err := e.Abandoned(t.Context()); err != nil || n > 500 {
			t.Fatal(n, err)
		}
	}
	pass(t, l, from(attacker(1)))
}

// TestPassingWithTheSession: a login writes its counters together with its session. Those that somebody else has raised
// meanwhile are not written over, and still lose this login's own count.
func TestPassingWithTheSession(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	c := newClock()
	l := newLogins(t, s, c.Now)
	for i := range 50 {
		a := ratelimit.Attempt{Account: fmt.Sprint("owner ", i), Client: home}
		owner, r := enter(t, l, a)
		if r != nil {
			t.Fatal(r)
		}
		next, now := owner.Passing()
		fail(t, l, ratelimit.Attempt{Account: fmt.Sprint("other ", i), Client: home}, 1) // raises the address
		swapped, err := s.SwapCounters(t.Context(), now, next...)
		if err != nil {
			t.Fatal(err)
		}
		if want := []bool{true, true, false}; !slices.Equal(swapped, want) { // account, pair, address
			t.Fatalf("swapped %v, want %v", swapped, want)
		}
		if err := owner.Passed(t.Context(), swapped...); err != nil {
			t.Fatal(err)
		}
	}
	fail(t, l, ratelimit.Attempt{Account: "more", Client: home}, 1) // the known pair's, and the address has half of its room
	for i := range 49 {
		fail(t, l, ratelimit.Attempt{Account: fmt.Sprint("more ", i), Client: home}, 1)
	}
	refused(t, l, ratelimit.Attempt{Account: "one more", Client: home}, ratelimit.ReasonAddress)
}
