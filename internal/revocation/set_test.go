package revocation_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/revocation"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/testkit"
)

// TestSetHoldsWhatLives follows one session and one user through the life of their revocations.
func TestSetHoldsWhatLives(t *testing.T) {
	t.Parallel()
	clock, db := newClock(), open(t)
	set := newSet(t, db, revocation.Config{Now: clock.Now})
	load(t, set)
	ended := func(want string) {
		t.Helper()
		var got []string
		for _, tok := range [][2]string{{"s1", "e-mike"}, {"s2", "e-mike"}, {"s3", "e-anna"}, {"s4", ""}, {"", "e-anna"}, {"", ""}} {
			if set.Ended(tok[0], tok[1]) {
				got = append(got, tok[0]+"/"+tok[1])
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("ended: %q, want %q", got, want)
		}
	}
	ended("")
	user(t, db, "mike", "e-mike")
	session(t, db, "mike", "s1")
	session(t, db, "mike", "s2")
	end(t, db, "mike", "s1", clock.Now().Add(16*time.Minute))
	ended("") // no node has heard of it
	v := set.Version()
	load(t, set)
	ended("s1/e-mike")
	if set.Version() == v {
		t.Error("the version stands still")
	}
	clock.Advance(5 * time.Minute)
	set.Add(store.Revocation{Key: "e-anna", ExpiresAt: clock.Now().Add(16 * time.Minute)}, store.Revocation{ExpiresAt: clock.Now().Add(time.Hour)})
	ended("s1/e-mike s3/e-anna /e-anna")
	clock.Advance(12*time.Minute - time.Second) // s1 has expired, and the margin for slow clocks is not over
	set.Prune()
	ended("s1/e-mike s3/e-anna /e-anna")
	clock.Advance(2 * time.Second)
	set.Prune()
	ended("s3/e-anna /e-anna")
	clock.Advance(6 * time.Minute)
	set.Prune()
	ended("")
	if s := set.Stats(); s.Entries != 0 {
		t.Errorf("%+v", s)
	}
	restarted := newSet(t, db, revocation.Config{Now: clock.Now}) // what the sweeper has left is not taken up again
	load(t, restarted)
	if s := restarted.Stats(); s.Entries != 0 || restarted.Version() != 0 {
		t.Errorf("%+v", s)
	}
}

// TestClockJump has the clock an hour ahead for a while, in which the set forgets nothing and misses nothing.
func TestClockJump(t *testing.T) {
	t.Parallel()
	clock, db := newClock(), open(t)
	set := newSet(t, db, revocation.Config{Now: clock.Now, Steady: func() time.Time { return start }})
	user(t, db, "mike", "e-mike")
	session(t, db, "mike", "s1")
	session(t, db, "mike", "s2")
	end(t, db, "mike", "s1", start.Add(16*time.Minute))
	load(t, set)
	clock.Advance(time.Hour)
	end(t, db, "mike", "s2", start.Add(16*time.Minute)) // by a node whose clock is right
	load(t, set)
	set.Prune()
	if hashes, _ := set.Alive(10); len(hashes) != 0 {
		t.Errorf("%d hashes in the feed", len(hashes))
	}
	clock.Advance(-time.Hour)
	for _, id := range []string{"s1", "s2"} {
		if !set.Ended(id, "") {
			t.Errorf("%s goes on", id)
		}
	}
	if hashes, _ := set.Alive(10); len(hashes) != 2 {
		t.Errorf("%d hashes in the feed", len(hashes))
	}
}

// TestAddIsIdempotent has the same revocation from this process and from the store, and once more for a longer time.
func TestAddIsIdempotent(t *testing.T) {
	t.Parallel()
	clock := newClock()
	set := newSet(t, open(t), revocation.Config{Now: clock.Now})
	r := store.Revocation{Key: "s1", ExpiresAt: clock.Now().Add(time.Minute)}
	set.Add(r, r)
	v := set.Version()
	set.Add(r)
	set.Add()
	if set.Version() != v || set.Stats().Entries != 1 {
		t.Errorf("version %d after %d, %+v", set.Version(), v, set.Stats())
	}
	r.ExpiresAt = r.ExpiresAt.Add(time.Hour)
	set.Add(r)
	clock.Advance(time.Hour)
	set.Prune()
	if !set.Ended("s1", "") || set.Stats().Entries != 1 {
		t.Error("the longer life is lost")
	}
}

// TestLoadByPages has more revocations in the store than a page, written by another process.
func TestLoadByPages(t *testing.T) {
	t.Parallel()
	db := openAt(t, filepath.Join(t.TempDir(), "c.db"))
	user(t, db, "mike", "e0")
	u, err := db.User(t.Context(), "mike")
	if err != nil {
		t.Fatal(err)
	}
	const n = 2500
	all := revoked(n, time.Now().Add(time.Hour))
	if err := db.UpdateUser(t.Context(), u, all...); err != nil {
		t.Fatal(err)
	}
	set := newSet(t, db, revocation.Config{})
	load(t, set)
	for _, r := range all {
		if !set.Ended(r.Key, "") {
			t.Fatalf("%s is missing", r.Key)
		}
	}
	if s := set.Stats(); s.Entries != n || s.Age > time.Minute {
		t.Errorf("%+v", s)
	}
}

// TestFollowsAnotherProcess has two nodes on one file: what one ends, the other knows within a second.
func TestFollowsAnotherProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	here, there := openAt(t, path), openAt(t, path)
	user(t, here, "mike", "e-mike")
	set := newSet(t, there, revocation.Config{})
	load(t, set)
	go set.Run(t.Context())
	for i := range 5 {
		id := fmt.Sprint("s", i)
		session(t, here, "mike", id)
		end(t, here, "mike", id, time.Now().Add(time.Hour))
		start := time.Now()
		for !set.Ended(id, "") {
			if time.Since(start) > time.Second {
				t.Fatal("a second has gone")
			}
			time.Sleep(time.Millisecond)
		}
		t.Logf("seen after %v", time.Since(start))
	}
}

// TestStoreDown has a store that cannot be asked for a while: it is logged once each time, and Age tells.
func TestStoreDown(t *testing.T) {
	t.Parallel()
	db := open(t)
	var log testkit.Log
	set := newSet(t, db, revocation.Config{Poll: 2 * time.Millisecond, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if set.Age() < 1000*time.Hour {
		t.Errorf("before the first time, Age is %v", set.Age())
	}
	db.cut.Store(true)
	if err := set.Load(t.Context()); err == nil {
		t.Error("a store that is down is no error at the start")
	}
	db.cut.Store(false)
	load(t, set)
	go set.Run(t.Context())
	wait := func(what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(5 * time.Second); !ok(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %+v\n%s", what, set.Stats(), log.String())
			}
		}
	}
	for round := range 2 {
		faults := set.Stats().Faults
		db.cut.Store(true)
		wait("faults", func() bool { return set.Stats().Faults > faults+5 })
		wait("age", func() bool { return set.Age() > 10*time.Millisecond })
		db.cut.Store(false)
		wait("back", func() bool { return strings.Count(log.String(), "can be read again") == round+1 })
		if n := strings.Count(log.String(), "cannot be read"); n != round+1 {
			t.Errorf("logged %d times after %d failures:\n%s", n, round+1, log.String())
		}
	}
}

// TestSetAgainstAMap adds, asks and lets time pass at random, and compares with a map.
func TestSetAgainstAMap(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	clock := newClock()
	set := newSet(t, open(t), revocation.Config{Now: clock.Now})
	over := map[string]time.Time{}
	for step := range 20_000 {
		key := fmt.Sprint("k", rnd.IntN(3000))
		switch rnd.IntN(10) {
		case 0:
			clock.Advance(time.Duration(rnd.IntN(3)) * time.Second)
			if rnd.IntN(20) == 0 {
				set.Prune()
			}
		case 1, 2, 3:
			until := clock.Now().Add(time.Duration(rnd.IntN(600)) * time.Second)
			set.Add(store.Revocation{Key: key, ExpiresAt: until})
			if until.After(over[key]) {
				over[key] = until
			}
		default:
			until, known := over[key]
			if alive := known && clock.Now().Before(until); alive && !set.Ended(key, "") {
				t.Fatalf("step %d: %s is lost", step, key)
			}
			if !known && set.Ended("", key) {
				t.Fatalf("step %d: %s was never there", step, key)
			}
		}
	}
	alive := 0
	for _, until := range over {
		if clock.Now().Before(until.Add(revocation.Margin)) {
			alive++
		}
	}
	set.Prune()
	if n := set.Stats().Entries; n < alive || n > alive+20 { // those of the last second are kept a little longer
		t.Errorf("%d entries, %d alive", n, alive)
	}
}

// TestConcurrent reads while others add, prune and load. What was added is seen by whoever asks afterwards.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	clock, db := newClock(), open(t)
	set := newSet(t, db, revocation.Config{Now: clock.Now})
	var done atomic.Bool
	var writers, readers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := range 1000 {
				key := fmt.Sprintf("%d-%d", w, i)
				before := set.Version()
				set.Add(store.Revocation{Key: key, ExpiresAt: clock.Now().Add(time.Hour)})
				if !set.Ended(key, "") || set.Version() == before {
					t.Errorf("%s is not there", key)
				}
				set.Add(store.Revocation{Key: "short-" + key, ExpiresAt: clock.Now().Add(time.Second)})
			}
		})
	}
	for range 2 {
		readers.Go(func() {
			for !done.Load() {
				if set.Ended("never", "never") {
					t.Error("never")
				}
				_, _ = set.Stats(), set.Age()
			}
		})
	}
	readers.Go(func() {
		for !done.Load() {
			clock.Advance(time.Second)
			set.Prune()
			load(t, set)
		}
	})
	writers.Wait()
	done.Store(true)
	readers.Wait()
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	if _, err := revocation.New(nil, revocation.Config{}); err == nil {
		t.Error("no store is taken")
	}
	if _, err := revocation.New(open(t), revocation.Config{Poll: -1}); err == nil {
		t.Error("a negative Poll is taken")
	}
}

// TestWakeAsksAtOnce has a set that would ask in an hour.
func TestWakeAsksAtOnce(t *testing.T) {
	t.Parallel()
	db := open(t)
	set := newSet(t, db, revocation.Config{Poll: time.Hour})
	load(t, set)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { set.Run(ctx) })
	if err := db.Revoke(ctx, store.Revocation{Key: "s1", ExpiresAt: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	set.Wake()
	set.Wake() // nobody waits in it, however often it is called
	for began := time.Now(); !set.Ended("s1", ""); time.Sleep(time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			t.Fatal("it did not ask")
		}
	}
	stop()
	running.Wait()
}
