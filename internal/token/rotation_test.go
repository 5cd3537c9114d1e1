package token_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/token"
	"github.com/countersign-auth/countersign/jwt"
)

func TestRotation(t *testing.T) {
	t.Parallel()
	c, st := newClock(), newStore(t)
	s := open(t, st, config(t, c.Now))
	run(t, s)
	old := mint(t, s)
	if _, err := s.Rotate(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if got := states(s); got != "pending signs" {
		t.Fatalf("keys: %s", got)
	}
	if keyOf(t, mint(t, s)) != keyOf(t, old) {
		t.Error("a new key signs before it has been published for long enough")
	}
	c.Advance(10*time.Minute - time.Second)
	last := mint(t, s)
	if keyOf(t, last) != keyOf(t, old) {
		t.Error("a new key signs a second early")
	}
	c.Advance(time.Second)
	next := mint(t, s)
	if got := states(s); got != "signs verifies" || keyOf(t, next) == keyOf(t, old) {
		t.Fatalf("keys: %s", got)
	}
	tok := good(t, s, last)
	c.Advance(15*time.Minute + token.Leeway - 2*time.Second) // as late as any token of the old key can be taken
	good(t, s, last)
	if !s.Live(tok) || states(s) != "signs verifies" {
		t.Error("the old key is gone before its last token has expired")
	}
	c.Advance(token.Leeway + 2*time.Second)
	eventually(t, "the old key verifies no more", func() bool { return states(s) == "signs" })
	if s.Live(tok) {
		t.Error("a token of a dead key is live")
	}
}

// A key that signs no more is deleted an hour after its last token has expired.
func TestDeadKeyIsDeleted(t *testing.T) {
	t.Parallel()
	c, st := newClock(), newStore(t)
	s := open(t, st, config(t, c.Now))
	run(t, s)
	if _, err := s.Rotate(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	inStore := func() int {
		keys, err := st.SigningKeys(t.Context())
		if err != nil {
			t.Error(err)
		}
		return len(keys)
	}
	c.Advance(s.Lifetime() + time.Hour - time.Second)
	time.Sleep(600 * time.Millisecond)
	if n := inStore(); n != 2 || states(s) != "signs" {
		t.Errorf("an hour is not over, and the store has %d keys; %s", n, states(s))
	}
	c.Advance(time.Second)
	eventually(t, "it is deleted", func() bool { return inStore() == 1 })
}

// A clock that is ahead for a while has a key unused for as long, and changes nothing else.
func TestClockJump(t *testing.T) {
	t.Parallel()
	for name, jump := range map[string]time.Duration{"an hour": time.Hour, "ten years": 10 * 365 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, st := newClock(), newStore(t)
			cfg := config(t, c.Now)
			cfg.RotateEvery = 24 * time.Hour
			begin := c.Now()
			if jump > time.Hour { // which is kept in any case
				cfg.Steady = func() time.Time { return begin }
			}
			s := open(t, st, cfg)
			run(t, s)
			text := mint(t, s)
			if _, err := s.Rotate(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			c.Advance(jump)
			eventually(t, "only the new key is there", func() bool { return states(s) == "signs" })
			time.Sleep(600 * time.Millisecond) // in which it is not deleted
			c.Advance(-jump)
			eventually(t, "both are there", func() bool { return states(s) == "signs verifies" })
			good(t, s, text)
		})
	}
}

// What a newer key takes over at once, a pending one does not get back.
func TestOvertaken(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := open(t, newStore(t), config(t, c.Now))
	first := s.Keys()[0].ID
	pending, err1 := s.Rotate(t.Context(), false)
	at := c.Now()
	now, err2 := s.Rotate(t.Context(), true)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	c.Advance(time.Hour)
	if got := keyOf(t, mint(t, s)); got != now.ID {
		t.Errorf("%s signs, want %s and not %s", got, now.ID, pending.ID)
	}
	for _, k := range s.Keys() {
		if k.ID == first && !k.EndsAt.Equal(at.Add(s.Lifetime())) {
			t.Errorf("the first key ends at %v", k.EndsAt)
		}
	}
}

// A key whose successor is retired before it signs goes on.
func TestSuccessorRetired(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := open(t, newStore(t), config(t, c.Now))
	next, err := s.Rotate(t.Context(), false)
	if err == nil {
		err = s.Retire(t.Context(), next.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	c.Advance(24 * time.Hour)
	readKeys(t, s)
	if k := s.Keys(); len(k) != 1 || !k[0].EndsAt.IsZero() {
		t.Fatalf("%+v", k)
	}
	good(t, s, mint(t, s))
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	c, path := newClock(), filepath.Join(t.TempDir(), "c.db")
	cfg := config(t, c.Now)
	cfg.RotateEvery = 2 * time.Hour
	nodes := make([]*token.Service, 4) // of which one rotates
	for i := range nodes {
		nodes[i] = open(t, openStore(t, path), cfg)
		run(t, nodes[i])
	}
	begin := c.Now()
	for turn := 1; turn <= 3; turn++ {
		c.Advance(begin.Add(time.Duration(turn)*cfg.RotateEvery - 10*time.Minute - time.Second).Sub(c.Now()))
		time.Sleep(600 * time.Millisecond)
		if got := states(nodes[0]); got != "signs" {
			t.Fatalf("turn %d: too early: %s", turn, got)
		}
		c.Advance(time.Second)
		eventually(t, "a new key is published everywhere", func() bool {
			for _, n := range nodes {
				if states(n) != "pending signs" {
					return false
				}
			}
			return true
		})
		time.Sleep(600 * time.Millisecond) // in which the others must not rotate too
		if at := nodes[1].Keys()[0].SignsAt; states(nodes[1]) != "pending signs" || !at.Equal(begin.Add(time.Duration(turn)*cfg.RotateEvery)) {
			t.Fatalf("turn %d: %s, signs at %v", turn, states(nodes[1]), at)
		}
		c.Advance(time.Hour)
		eventually(t, "the old key verifies nowhere", func() bool {
			for _, n := range nodes {
				if states(n) != "signs" {
					return false
				}
			}
			return true
		})
	}
}

func TestAlgorithmBySetting(t *testing.T) {
	t.Parallel()
	c, st := newClock(), newStore(t)
	first := open(t, st, config(t, c.Now))
	if alg := first.Keys()[0].Algorithm; alg != jwt.ES256 {
		t.Fatalf("the first key is for %s", alg)
	}
	cfg := config(t, c.Now)
	cfg.Algorithm = jwt.EdDSA
	s := open(t, st, cfg)
	if got := states(s); got != "signs" {
		t.Fatalf("a command that does not run changes the keys: %s", got)
	}
	run(t, s)
	eventually(t, "a key of the new algorithm is published", func() bool { return states(s) == "pending signs" })
	old := mint(t, s)
	c.Advance(10 * time.Minute)
	if alg := good(t, s, mint(t, s)).Key.Algorithm(); alg != jwt.EdDSA {
		t.Errorf("signed with %s", alg)
	}
	good(t, s, old)
	again := open(t, st, config(t, c.Now)) // without the setting, what is there goes on
	run(t, again)
	time.Sleep(600 * time.Millisecond)
	if got := states(again); got != "signs verifies" || again.Keys()[0].Algorithm != jwt.EdDSA {
		t.Errorf("keys: %s", got)
	}
	if next, err := again.Rotate(t.Context(), true); err != nil || next.Algorithm != jwt.EdDSA {
		t.Errorf("rotates to %s, %v", next.Algorithm, err)
	}
}

// Twenty rotations by two nodes on one database, each at once: no token may be refused, by either node, at any time.
func TestRotateUnderLoad(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	var nodes [2]*token.Service
	for i := range nodes {
		nodes[i] = open(t, openStore(t, path), config(t, time.Now))
		run(t, nodes[i])
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var checked, refused atomic.Int64
	var load sync.WaitGroup
	for range 6 {
		load.Go(func() {
			var kept []string
			for ctx.Err() == nil {
				a, err := nodes[rand.IntN(2)].Mint(grant())
				if err != nil {
					t.Error(err)
					return
				}
				if kept = append(kept, a.Token); len(kept) > 500 {
					kept = kept[250:]
				}
				for _, text := range []string{a.Token, kept[rand.IntN(len(kept))]} {
					checked.Add(1)
					if _, err := nodes[rand.IntN(2)].Verify(ctx, text); err != nil && ctx.Err() == nil {
						refused.Add(1)
						t.Errorf("refused: %v", err)
					}
				}
			}
		})
	}
	for i := range 20 {
		before := checked.Load()
		if _, err := nodes[i%2].Rotate(ctx, true); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the load goes on", func() bool { return checked.Load() > before+100 })
	}
	cancel()
	load.Wait()
	eventually(t, "both know all keys", func() bool { return len(nodes[0].Keys()) == 21 && len(nodes[1].Keys()) == 21 })
	t.Logf("%d tokens verified, %d refused", checked.Load(), refused.Load())
}
