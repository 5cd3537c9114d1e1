package ratelimit_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/ratelimit"
)

func TestBurstOnTwoNodes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		attempt func(i int) ratelimit.Attempt
		want    int64
	}{
		"one account from many addresses": {func(i int) ratelimit.Attempt { return from(attacker(i)) }, 10},
		"one account from one address":    {func(int) ratelimit.Attempt { return from(home) }, 5},
		"one account from one /64": {func(i int) ratelimit.Attempt {
			return from(netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i)))
		}, 5},
		"one device": {func(i int) ratelimit.Attempt { return device("d") }, 5},
		"many accounts from one address": {func(i int) ratelimit.Attempt {
			return ratelimit.Attempt{Account: fmt.Sprint(i), Client: home}
		}, 100},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, path := open(t)
			c := newClock() // which stands still: no wait ends during the burst
			nodes := []*ratelimit.Logins{newLogins(t, s, c.Now), newLogins(t, openAt(t, path), c.Now)}
			var checks atomic.Int64
			var wg sync.WaitGroup
			for i := range 200 {
				wg.Go(func() {
					for { // an attempt that could not be counted comes again: no pass comes of that either
						e, err := nodes[i%2].Enter(t.Context(), tt.attempt(i))
						var r *ratelimit.Refusal
						switch {
						case err == nil:
							checks.Add(1)
							e.Failed()
						case !errors.As(err, &r):
							t.Error(err)
						case r.Reason == ratelimit.ReasonContention:
							continue
						}
						return
					}
				})
			}
			wg.Wait()
			if got := checks.Load(); got != tt.want {
				t.Errorf("%d checks were made, want %d", got, tt.want)
			}
		})
	}
}

func TestParallelLoginsOnTwoNodesLeaveNothing(t *testing.T) {
	t.Parallel()
	s, path := open(t)
	c := newClock()
	nodes := []*ratelimit.Logins{newLogins(t, s, c.Now), newLogins(t, openAt(t, path), c.Now)}
	var wg sync.WaitGroup
	for i := range 80 {
		wg.Go(func() {
			e, err := nodes[i%2].Enter(t.Context(), ratelimit.Attempt{Account: fmt.Sprint("user ", i), Client: home})
			if err != nil {
				t.Error(err)
				return
			}
			switch i / 2 % 3 {
			case 0:
				err = e.Passed(t.Context())
			case 1:
				err = e.Withdraw(t.Context())
			case 2: // as a login that writes the counters together with its session
				next, now := e.Passing()
				swapped, swapErr := s.SwapCounters(t.Context(), now, next...)
				err = errors.Join(swapErr, e.Passed(t.Context(), swapped...))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range 800 { // each account has its ten free failures
		fail(t, nodes[i%2], ratelimit.Attempt{Account: fmt.Sprint("user ", i/10), Client: attacker(i)}, 1)
	}
	for i := range 100 { // the address has all its room again
		fail(t, nodes[i%2], ratelimit.Attempt{Account: fmt.Sprint("other ", i), Client: home}, 1)
	}
	refused(t, nodes[0], ratelimit.Attempt{Account: "one more", Client: home}, ratelimit.ReasonAddress)
}

func TestCountsOutliveTheProcess(t *testing.T) {
	t.Parallel()
	s, path := open(t)
	c := newClock()
	l := newLogins(t, s, c.Now)
	pass(t, l, from(home))
	exhaust(t, l, c)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	l = newLogins(t, openAt(t, path), c.Now)
	refused(t, l, from(attacker(300)), ratelimit.ReasonExhausted)
	pass(t, l, from(home))
}

func TestStoreShowsNothing(t *testing.T) {
	t.Parallel()
	s, path := open(t)
	l := newLogins(t, s, newClock().Now)
	fail(t, l, ratelimit.Attempt{Account: "canary@example.com", Client: home, Device: "canary"}, 1)
	fail(t, l, ratelimit.Attempt{Account: "canary", Client: home}, 1)
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if suffix != "" && !bytes.Contains(b, []byte("login-pair:")) {
			t.Error("no counter in the file")
		}
		if bytes.Contains(b, []byte("canary")) || bytes.Contains(b, []byte(home.String())) {
			t.Errorf("c.db%s shows what was counted", suffix)
		}
	}
}

func TestDisabledAndMisconfigured(t *testing.T) {
	t.Parallel()
	l, err := ratelimit.NewLogins(ratelimit.Config{Disabled: true})
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		fail(t, l, from(home), 1)
		pass(t, l, from(home))
	}
	if e, _ := enter(t, l, from(home)); errors.Join(e.Weigh(t.Context(), 9), e.Withdraw(t.Context()), l.Unlock(t.Context(), mike)) != nil {
		t.Error("a throttle that is off fails")
	}
	s, _ := open(t)
	for want, cfg := range map[string]ratelimit.Config{
		"no counters":       {Key: key},
		"a key of 31 bytes": {Counters: s, Key: key[1:]},
		"negative":          {Counters: s, Key: key, Policy: ratelimit.Policy{Own: -1}},
		"policy of Account": {Counters: s, Key: key, Policy: ratelimit.Policy{Account: ratelimit.Backoff{Free: -1}}},
		"policy of Signup":  {Counters: s, Key: key, Policy: ratelimit.Policy{Signup: ratelimit.Bucket{Leak: time.Hour}}},
	} {
		if _, err := ratelimit.NewLogins(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
		if _, err := ratelimit.NewSignups(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestFaultLetsNobodyIn(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	l := newLogins(t, s, newClock().Now)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	e, err := l.Enter(t.Context(), from(home))
	var r *ratelimit.Refusal
	if e != nil || err == nil || errors.As(err, &r) {
		t.Errorf("got %v, %v", e, err)
	}
}

// Two nodes that meet at one counter of several take back each of the others once.
func TestEachCountIsTakenBackOnce(t *testing.T) {
	t.Parallel()
	s, path := open(t)
	c := newClock()
	nodes := []*ratelimit.Logins{newLogins(t, s, c.Now), newLogins(t, openAt(t, path), c.Now)}
	from := func(who, i int) ratelimit.Attempt { // each at its own /64 of one /48
		return ratelimit.Attempt{Account: fmt.Sprint(who, " ", i), Client: netip.MustParseAddr(fmt.Sprintf("2001:db8:1:%x::1", who))}
	}
	for who, l := range nodes {
		for i := range 50 {
			fail(t, l, from(who, i), 1)
		}
	}
	var wg sync.WaitGroup
	for who, l := range nodes {
		for i := range 40 {
			wg.Go(func() {
				e, err := l.Enter(t.Context(), from(who, 1000+i))
				if err == nil {
					err = e.Withdraw(t.Context())
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	for who, l := range nodes {
		for i := range 50 {
			fail(t, l, from(who, 2000+i), 1)
		}
		refused(t, l, from(who, 3000), ratelimit.ReasonAddress)
	}
}
