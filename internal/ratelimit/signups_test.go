package ratelimit_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/ratelimit"
)

func TestSignups(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	c := newClock()
	signups, err := ratelimit.NewSignups(ratelimit.Config{Counters: s, Key: key, Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	enter := func(a netip.Addr) (*ratelimit.Signup, *ratelimit.Refusal) {
		t.Helper()
		e, err := signups.Enter(t.Context(), a)
		var r *ratelimit.Refusal
		if err != nil && !errors.As(err, &r) {
			t.Fatal(err)
		}
		return e, r
	}
	for i := range 20 {
		e, r := enter(home)
		if r != nil {
			t.Fatal(i, r)
		}
		if i == 0 {
			for range 2 { // the second does nothing
				if err := e.Withdraw(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if _, r := enter(home); r != nil {
		t.Fatal("what was withdrawn counts: ", r)
	}
	if _, r := enter(home); r == nil || r.RetryAfter != 30*time.Second || r.Reason != ratelimit.ReasonAddress {
		t.Fatalf("got %v", r)
	}
	if _, r := enter(attacker(1)); r != nil {
		t.Errorf("another address: %v", r)
	}
	c.Advance(29 * time.Second)
	if _, r := enter(home); r == nil || r.RetryAfter != time.Second {
		t.Fatalf("got %v", r)
	}
	c.Advance(time.Second)
	if _, r := enter(home); r != nil {
		t.Fatal(r)
	}
	for i := range 200 {
		if _, r := enter(netip.MustParseAddr(fmt.Sprintf("2001:db8:1:%x::1", i))); r != nil {
			t.Fatal(i, r)
		}
	}
	if _, r := enter(netip.MustParseAddr("2001:db8:1:ffff::1")); r == nil {
		t.Error("a /48 signs up without end")
	}

	off, err := ratelimit.NewSignups(ratelimit.Config{Disabled: true})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		e, err := off.Enter(t.Context(), home)
		if err != nil || e.Withdraw(t.Context()) != nil {
			t.Fatal(err)
		}
	}
}
