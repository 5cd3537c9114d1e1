package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

// counter returns a new counter that lives for an hour from now.
func counter(key string, count int64, now time.Time) store.Counter {
	return store.Counter{Key: key, Count: count, LastAt: now, ExpiresAt: now.Add(time.Hour)}
}

func counters(t *testing.T, s store.Store, now time.Time, keys ...string) []store.Counter {
	t.Helper()
	got, err := s.Counters(t.Context(), now, keys...)
	if err != nil {
		t.Fatalf("Counters: %v", err)
	}
	return got
}

func written(swapped []bool) (n int) {
	for _, ok := range swapped {
		if ok {
			n++
		}
	}
	return n
}

// swapOne swaps one counter, and returns ErrConflict when that was not written.
func swapOne(t *testing.T, s store.Store, now time.Time, c store.Counter) error {
	swapped, err := s.SwapCounters(t.Context(), now, c)
	if err == nil && !swapped[0] {
		err = store.ErrConflict
	}
	return err
}

// swap swaps counters and demands that n of them are written.
func swap(t *testing.T, s store.Store, now time.Time, n int, all ...store.Counter) {
	t.Helper()
	swapped, err := s.SwapCounters(t.Context(), now, all...)
	if err != nil {
		t.Fatalf("SwapCounters: %v", err)
	}
	if got := written(swapped); got != n || len(swapped) != len(all) {
		t.Fatalf("%d of %d counters were written, want %d", got, len(all), n)
	}
}

func counterRoundTrip(t *testing.T, s store.Store) {
	const odd = "Ünï\u0301 <'\";--\U0001F600%_\\"
	full := store.Counter{
		Key: odd, Count: 1 << 62, LastAt: day, KnownAt: day.Add(-time.Microsecond), ExpiresAt: day.Add(time.Microsecond),
	}
	swap(t, s, day, 2, full, counter("x", 0, day))
	swap(t, s, day, 0)
	got := counters(t, s, day, "absent", odd, "X", "x", odd)
	full.Version = 1
	x := counter("x", 0, day)
	x.Version = 1
	same(t, got, []store.Counter{{Key: "absent"}, full, {Key: "X"}, x, full})
	if got[1].LastAt.Location() != time.UTC {
		t.Errorf("times come back in %v, want UTC", got[1].LastAt.Location())
	}
	if none := counters(t, s, day); len(none) != 0 {
		t.Errorf("no keys: %v", none)
	}

	full.Count, full.LastAt, full.KnownAt, full.ExpiresAt = -1, time.Time{}, time.Time{}, day.Add(2*time.Hour)
	swap(t, s, day, 1, full)
	full.Version = 2
	same(t, counters(t, s, day, odd), []store.Counter{full})
}

func counterExpiry(t *testing.T, s store.Store) {
	c := counter("c", 1, day)
	swap(t, s, day, 1, c)
	c.Version = 1
	swap(t, s, day, 1, c)
	c.Version = 2
	same(t, counters(t, s, c.ExpiresAt.Add(-time.Microsecond), "c"), []store.Counter{c})
	same(t, counters(t, s, c.ExpiresAt, "c"), []store.Counter{{Key: "c"}})

	again := counter("c", 7, c.ExpiresAt)
	swap(t, s, c.ExpiresAt.Add(-time.Microsecond), 0, again) // the old one lives yet
	swap(t, s, c.ExpiresAt, 0, c)                            // and now it is gone, and its version with it
	swap(t, s, c.ExpiresAt, 1, again)
	again.Version = 1
	same(t, counters(t, s, c.ExpiresAt, "c"), []store.Counter{again})
	swap(t, s, c.ExpiresAt, 0, c)
}

func swapSeveral(t *testing.T, s store.Store) {
	a, b, c := counter("a", 1, day), counter("b", 1, day), counter("c", 1, day)
	swap(t, s, day, 1, b)
	swapped, err := s.SwapCounters(t.Context(), day, a, b, c) // b is there already
	if err != nil {
		t.Fatal(err)
	}
	same(t, swapped, []bool{true, false, true})
	a.Version, b.Version, c.Version = 1, 1, 1
	same(t, counters(t, s, day, "a", "b", "c"), []store.Counter{a, b, c})
	a.Count, b.Count = 2, 2
	swap(t, s, day, 3, b, a, c)
	a.Version, b.Version, c.Version = 2, 2, 2
	same(t, counters(t, s, day, "c", "b", "a"), []store.Counter{c, b, a})
	wrong := c
	wrong.Version = 9
	swap(t, s, day, 0, wrong)
	gone := counter("gone", 1, day)
	gone.Version = 1
	swap(t, s, day, 0, gone) // an absent one has the version 0 and no other
	same(t, counters(t, s, day, "a", "gone"), []store.Counter{a, {Key: "gone"}})
}

func swappers(t *testing.T, s store.Store) {
	for version := range int64(5) { // of version 0 there is no record yet
		errs := make([]error, 30)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				c := counter("c", int64(i), day)
				c.Version = version
				errs[i] = swapOne(t, s, day, c)
			})
		}
		wg.Wait()
		c := counter("c", int64(onlyWinner(t, errs, store.ErrConflict)), day)
		c.Version = version + 1
		same(t, counters(t, s, day, "c"), []store.Counter{c})
	}
}

// counterMakers is about a record that somebody else makes, or makes anew, between the read and the swap.
func counterMakers(t *testing.T, s store.Store) {
	swap(t, s, day, 1, counter("expired", 9, day))
	now := day.Add(time.Hour)
	for _, key := range []string{"absent", "expired"} {
		errs := make([]error, 30)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				swapped, err := s.SwapCounters(t.Context(), now, counter(fmt.Sprintf("%s-own-%d", key, i), 1, now), counter(key, int64(i), now))
				switch errs[i] = err; {
				case err != nil:
				case !swapped[0]:
					t.Error("one that is nobody else's was not written")
				case !swapped[1]:
					errs[i] = store.ErrConflict
				}
			})
		}
		wg.Wait()
		c := counter(key, int64(onlyWinner(t, errs, store.ErrConflict)), now)
		c.Version = 1
		same(t, counters(t, s, now, key), []store.Counter{c})
	}
}

func retriers(t *testing.T, s store.Store) {
	const callers = 30
	var wg sync.WaitGroup
	var conflicts atomic.Int64
	for range callers {
		wg.Go(func() {
			for {
				got, err := s.Counters(t.Context(), day, "c")
				if err != nil {
					t.Error(err)
					return
				}
				c := counter("c", got[0].Count+1, day)
				c.Version = got[0].Version
				switch err := swapOne(t, s, day, c); {
				case err == nil:
					return
				case !errors.Is(err, store.ErrConflict):
					t.Error(err)
					return
				}
				conflicts.Add(1)
			}
		})
	}
	wg.Wait()
	c := counter("c", callers, day)
	c.Version = callers
	same(t, counters(t, s, day, "c"), []store.Counter{c})
	t.Logf("%d conflicts", conflicts.Load())
}
