package password

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

type verifier = func(ctx context.Context, encoded, password string) (bool, error)

func verifiers(h *Hasher) []verifier { return []verifier{h.Verify, h.VerifyImported} }

// calls are all that compute hashes.
func calls(t *testing.T, h *Hasher) map[string]func(context.Context) error {
	t.Helper()
	short, long := mustHash(t, h, "right"), mustHash(t, h, count(73))
	return map[string]func(context.Context) error{
		"Hash":           func(ctx context.Context) error { _, err := h.Hash(ctx, "right"); return err },
		"Hash, long":     func(ctx context.Context) error { _, err := h.Hash(ctx, count(73)); return err },
		"Verify":         func(ctx context.Context) error { _, err := h.Verify(ctx, short, "right"); return err },
		"Verify, long":   func(ctx context.Context) error { _, err := h.Verify(ctx, long, count(73)); return err },
		"VerifyImported": func(ctx context.Context) error { _, err := h.VerifyImported(ctx, short, "right"); return err },
		"VerifyAbsent":   func(ctx context.Context) error { return h.VerifyAbsent(ctx, "right") },
	}
}

func TestContextEnded(t *testing.T) {
	t.Parallel()
	h := cheap(t, Bcrypt)
	all := calls(t, h)
	ops := watch(h)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range all {
		for range 20 { // a select that has both ways open takes either
			if err := call(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if len(*ops) > 0 || len(h.slots) > 0 {
		t.Errorf("operations %v, %d places taken", *ops, len(h.slots))
	}
}

func TestContextEndsWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := cheapConfig(Bcrypt)
		c.MaxConcurrent = 1
		h := mustNew(t, c)
		all := calls(t, h)
		ops := watch(h)
		h.slots <- struct{}{}
		for name, call := range all {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
			cancel()
		}
		if len(*ops) > 0 {
			t.Errorf("operations %v", *ops)
		}
		<-h.slots
		if err := all["Hash"](t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// An attempt of two operations whose client leaves during the first does not
// begin the second, and has no result.
func TestContextEndsBetween(t *testing.T) {
	t.Parallel()
	h := cheap(t, Bcrypt)
	encoded := mustHash(t, h, count(73))
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	h.observe = func(operation) { n++; cancel() }
	ok, err := h.Verify(ctx, encoded, count(73))
	if ok || !errors.Is(err, context.Canceled) || n != 1 || len(h.slots) > 0 {
		t.Errorf("%v, %v after %d operations", ok, err, n)
	}
}

func TestConcurrency(t *testing.T) {
	t.Parallel()
	c := cheapConfig(Bcrypt)
	c.MaxConcurrent = 3
	h := mustNew(t, c)
	all := calls(t, h)
	var most atomic.Int64
	h.observe = func(operation) {
		// The operation's own place is taken while it is observed.
		most.Store(max(most.Load(), int64(len(h.slots))))
		if n := len(h.slots); n < 1 || n > 3 {
			t.Errorf("%d places taken", n)
		}
	}
	var wg sync.WaitGroup
	for range 8 {
		for name, call := range all {
			wg.Go(func() {
				if err := call(t.Context()); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
	}
	wg.Wait()
	if len(h.slots) != 0 {
		t.Errorf("%d places not given back", len(h.slots))
	}
}

// With all places held inside of hash operations, the next caller waits, and
// gets the first that is given back.
func TestConcurrencyBound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := cheapConfig(Bcrypt)
		c.MaxConcurrent = 2
		h := mustNew(t, c)
		var inside, done atomic.Int64
		gate := make(chan struct{})
		h.observe = func(operation) {
			inside.Add(1)
			<-gate
			inside.Add(-1)
		}
		for range 5 {
			go func() {
				if err := h.VerifyAbsent(t.Context(), "guess"); err != nil {
					t.Error(err)
				}
				done.Add(1)
			}()
		}
		for n := range int64(5) {
			synctest.Wait()
			if got, want := inside.Load(), min(2, 5-n); got != want || done.Load() != n {
				t.Errorf("%d done: %d inside, want %d", done.Load(), got, want)
			}
			gate <- struct{}{}
		}
		synctest.Wait()
	})
}
