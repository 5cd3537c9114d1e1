package ratelimit_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign-auth/countersign/internal/ratelimit"
)

func newSpray(t testing.TB, now func() time.Time) *ratelimit.Spray {
	t.Helper()
	s, err := ratelimit.NewSpray(ratelimit.SprayConfig{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSprayIsNoticed(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := newSpray(t, c.Now)
	var noticed []int
	for i := range 200 {
		for range 2 { // the same account again tells nothing new
			if n, yes := s.Failed("caf\u00e9 2026", fmt.Sprint(i)); yes {
				noticed = append(noticed, n)
			}
		}
		if n, _ := s.Failed("cafe\u0301 2026", fmt.Sprint(i)); n != i+1 { // as another keyboard writes it
			t.Fatalf("%d accounts after %d", n, i+1)
		}
		if n, yes := s.Failed(fmt.Sprint("own ", i), fmt.Sprint(i)); n != 1 || yes {
			t.Fatalf("a password of one account: %d %v", n, yes)
		}
		if n, yes := s.Failed(fmt.Sprint("guess ", i), "one"); n != 1 || yes {
			t.Fatalf("guesses at one account: %d %v", n, yes)
		}
	}
	if diff := cmp.Diff([]int{10, 20, 40, 80, 160}, noticed); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s.Weight(9) != 0 || s.Weight(10) <= 0 || s.Weight(1000) != s.Weight(10) {
		t.Errorf("weights %d %d %d", s.Weight(9), s.Weight(10), s.Weight(1000))
	}
	c.Advance(time.Hour)
	if n, _ := s.Failed("caf\u00e9 2026", "another"); n != 1 {
		t.Errorf("%d accounts in a new hour", n)
	}
}

func TestFloodDoesNotHideASpray(t *testing.T) {
	t.Parallel()
	s := newSpray(t, newClock().Now)
	flood := 0
	for i := range 10 {
		n, noticed := s.Failed("Spring2026!", fmt.Sprint(i))
		if n != i+1 || noticed != (i == 9) {
			t.Fatalf("account %d: %d %v", i, n, noticed)
		}
		if i == 0 {
			continue // one of one account is as any other
		}
		for range 9000 {
			flood++
			s.Failed(fmt.Sprint("random ", flood), "own account")
		}
	}
}

func TestSprayConcurrently(t *testing.T) {
	t.Parallel()
	s := newSpray(t, time.Now)
	var wg sync.WaitGroup
	var mu sync.Mutex
	times := 0
	for g := range 8 {
		wg.Go(func() {
			for i := range 30 {
				if _, noticed := s.Failed("p", fmt.Sprint(i)); noticed {
					mu.Lock()
					times++
					mu.Unlock()
				}
				s.Failed(fmt.Sprint(g, i), "x")
			}
		})
	}
	wg.Wait()
	if times != 2 { // at 10 and at 20
		t.Errorf("noticed %d times", times)
	}
}

func TestSprayConfig(t *testing.T) {
	t.Parallel()
	for _, n := range []int{-1, 1, 33} {
		if _, err := ratelimit.NewSpray(ratelimit.SprayConfig{Accounts: n}); err == nil {
			t.Errorf("%d accounts are taken", n)
		}
	}
}
