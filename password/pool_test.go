package password

import (
	"context"
	"errors"
	"fmt"
	"strings"
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

// pooled returns a Hasher of bcrypt at that cost over a pool.
func pooled(t testing.TB, cost int, c PoolConfig) *Hasher {
	t.Helper()
	p, err := NewPool(c)
	if err != nil {
		t.Fatal(err)
	}
	config := cheapConfig(Bcrypt)
	config.BcryptCost, config.Pool = cost, p
	return mustNew(t, config)
}

// inBubble runs f with fake time, and lets the workers of its pools end.
func inBubble(t *testing.T, f func(*testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		f(t)
		time.Sleep(2 * idleTime)
	})
}

// empty waits for the workers of a pool to rest, and reports what is left in it.
func empty(t *testing.T, p *Pool) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for range 10_000 {
		if p.lanes.idle == p.lanes.workers && p.whole.idle == p.whole.workers {
			break
		}
		p.mu.Unlock()
		time.Sleep(time.Millisecond)
		p.mu.Lock()
	}
	for _, c := range []*crew{&p.lanes, &p.whole} {
		if c.waiting.n != 0 || c.waiting.nominal != 0 || len(c.waiting.lines)+len(c.waiting.byClient)+len(c.waiting.clients)+len(c.waiting.subjects)+c.waiting.places != 0 ||
			c.running != 0 || c.tasks != 0 {
			t.Errorf("left in the pool: %+v", *c)
		}
	}
	if p.memory != 0 {
		t.Errorf("memory %d", p.memory)
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
		for range 20 {
			if err := call(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if len(*ops) > 0 {
		t.Errorf("operations %v", *ops)
	}
}

// block holds the only worker of h inside of hashes until release is called, and returns when all its lanes are taken.
func block(t *testing.T, h *Hasher) (release func()) {
	t.Helper()
	gate := make(chan struct{})
	blocker := *h
	blocker.observe = func(operation) { <-gate }
	blocker.claim = Claim{Client: "blocker"}
	for range h.pool.lanes.width + 1 { // one in the worker's hands, whose share was one, and all others in the queue
		go func() { _ = blocker.VerifyAbsent(context.WithoutCancel(t.Context()), "x") }()
	}
	synctest.Wait()
	return func() { close(gate) }
}

// With nothing to be had for a second, every call gives up when its context does, computes nothing and leaves its place.
func TestContextEndsWaiting(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		h := pooled(t, 4, PoolConfig{Workers: 1, MaxWait: time.Hour})
		short := mustHash(t, h, "right")
		release := block(t, h)
		ops := watch(h)
		for range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := h.Verify(ctx, short, "right"); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			cancel()
		}
		if len(*ops) > 0 {
			t.Errorf("operations %v", *ops)
		}
		release()
		if ok, err := h.Verify(t.Context(), short, "right"); err != nil || !ok {
			t.Error(ok, err)
		}
		time.Sleep(time.Minute)
		empty(t, h.pool)
	})
}

// A hash that is being computed is dropped when its context ends.
func TestContextEndsWithin(t *testing.T) {
	t.Parallel()
	h := pooled(t, 16, PoolConfig{Workers: 1})
	ctx, cancel := context.WithCancel(t.Context())
	h.observe = func(operation) { cancel() }
	task := &task{}
	task.add(h.work(step{record: h.dummyBcrypt}, []byte("guess"), func([]byte) { t.Error("it was computed to its end") }))
	if err := h.pool.run(ctx, task); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	empty(t, h.pool)
}

// An attempt of two operations whose client leaves during the first does not begin the second, and has no result.
func TestContextEndsBetween(t *testing.T) {
	t.Parallel()
	h := cheap(t, Bcrypt)
	encoded := mustHash(t, h, count(73))
	ctx, cancel := context.WithCancel(t.Context())
	var n atomic.Int64
	h.observe = func(operation) { n.Add(1); cancel() }
	ok, err := h.Verify(ctx, encoded, count(73))
	empty(t, h.pool)
	if ok || !errors.Is(err, context.Canceled) || n.Load() != 1 {
		t.Errorf("%v, %v after %d operations", ok, err, n.Load())
	}
}

// However many call, hashes of all kinds come out right, and the pool is empty after.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	for workers := range 4 {
		h := pooled(t, 4, PoolConfig{Workers: workers, MaxWait: time.Minute, MaxMemoryKiB: 16})
		all := calls(t, h)
		var wg sync.WaitGroup
		for i := range 20 {
			for name, call := range all {
				wg.Go(func() {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					if i%4 == 0 {
						time.AfterFunc(time.Duration(i)*50*time.Microsecond, cancel)
					}
					if err := call(ctx); err != nil && (i%4 != 0 || !errors.Is(err, context.Canceled)) {
						t.Errorf("%s: %v", name, err)
					}
				})
			}
		}
		wg.Wait()
		empty(t, h.pool)
	}
}

// Passwords of different costs side by side, each right and wrong.
func TestMixedCosts(t *testing.T) {
	t.Parallel()
	h := pooled(t, 4, PoolConfig{Workers: 2, MaxWait: time.Minute})
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			config := cheapConfig(Bcrypt)
			config.BcryptCost, config.Pool = 4+i%4, h.pool
			mine := mustNew(t, config)
			pw := fmt.Sprintf("password %d", i)
			encoded := mustHash(t, mine, pw)
			for guess, want := range map[string]bool{pw: true, pw + "x": false} {
				if ok, err := h.Verify(t.Context(), encoded, guess); ok != want || err != nil {
					t.Errorf("cost %d, %q: %v, %v", 4+i%4, guess, ok, err)
				}
			}
		})
	}
	wg.Wait()
}

// What cannot begin in time is refused at once, with the time after which it could.
func TestOverload(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		h := pooled(t, 12, PoolConfig{Workers: 1, MaxWait: 2 * time.Second})
		release := block(t, h)
		var begun, n atomic.Int64
		h.observe = func(operation) { begun.Add(1) }
		for range 100 { // of 65 ms each by the nominal speed, so that about 30 can wait
			go func() {
				var refused *OverloadError
				start := time.Now()
				if err := h.VerifyAbsent(t.Context(), "x"); errors.As(err, &refused) {
					if took := time.Since(start); took != 0 && took != 2*time.Second {
						t.Errorf("refused after %v", took)
					}
					if refused.RetryAfter < time.Second || refused.RetryAfter > 3*time.Second {
						t.Errorf("RetryAfter %v", refused.RetryAfter)
					}
					n.Add(1)
				} else if err != nil {
					t.Error(err)
				}
			}()
		}
		synctest.Wait()
		waiting := int64(h.pool.Stats().Waiting)
		if n.Load() < 60 || waiting+n.Load() < 100 {
			t.Errorf("%d refused at once, %d waiting", n.Load(), waiting)
		}
		if _, err := h.Reserve(); err == nil {
			t.Error("a place in a full queue")
		}
		time.Sleep(2 * time.Second) // nothing has begun in time: all are refused
		synctest.Wait()
		if n.Load() != 100 || begun.Load() != 0 {
			t.Errorf("%d refused, %d begun", n.Load(), begun.Load())
		}
		release()
		time.Sleep(time.Minute)
		release, err := h.Reserve()
		if err != nil {
			t.Fatalf("Reserve: %v", err)
		}
		release()
		empty(t, h.pool)
	})
}

// Memory that is in use by other hashes does not hold up bcrypt, which needs none.
func TestMemoryIsNotOfBcrypt(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		h := pooled(t, 4, PoolConfig{Workers: 1, MaxMemoryKiB: 8})
		big := mustNew(t, Config{Algorithm: Argon2id, Argon2: Argon2Params{MemoryKiB: 64, Time: 1}, Pool: h.pool})
		big.observe = func(operation) { time.Sleep(time.Minute) }
		go func() { _ = big.VerifyAbsent(t.Context(), "x") }()
		synctest.Wait()
		begun := time.Now()
		if err := h.VerifyAbsent(t.Context(), "x"); err != nil || time.Since(begun) > 0 {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		time.Sleep(time.Hour)
		empty(t, h.pool)
	})
}

// Two hashes that come at once to one resting worker are computed by two.
func TestRouse(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		h := pooled(t, 4, PoolConfig{Workers: 2})
		if err := h.VerifyAbsent(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		h.pool.mu.Lock()
		for range 2 {
			h.pool.rouse(&h.pool.lanes)
		}
		workers := h.pool.lanes.workers
		h.pool.mu.Unlock()
		if workers != 2 {
			t.Errorf("%d workers", workers)
		}
		time.Sleep(time.Minute)
		empty(t, h.pool)
	})
}

// A hash of other software that takes long is taken for what it takes, once that has been seen.
func TestForeignEstimate(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		h := pooled(t, 4, PoolConfig{Workers: 1, MaxWait: 5 * time.Second})
		slow := foreign{format: "slow", derive: func([]byte) []byte { time.Sleep(2 * time.Second); return nil }}
		for range 8 {
			if _, err := h.run(t.Context(), h.foreignSteps(slow, guess{}), []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		var refused atomic.Int64
		for range 20 {
			go func() {
				var overload *OverloadError
				begun := time.Now()
				_, err := h.run(t.Context(), h.foreignSteps(slow, guess{}), []byte("x"))
				if errors.As(err, &overload) && time.Since(begun) == 0 {
					refused.Add(1)
				}
			}()
			synctest.Wait()
		}
		if n := refused.Load(); n < 15 {
			t.Errorf("%d refused at once", n)
		}
		time.Sleep(time.Hour)
		empty(t, h.pool)
	})
}

// Places that are kept count like tasks: no more are given than can be served in time, in turns, and each is given up once.
func TestReserve(t *testing.T) {
	t.Parallel()
	h := pooled(t, 10, PoolConfig{Workers: 1, MaxWait: time.Second})
	var places []func()
	for {
		release, err := h.For(Claim{Client: "greedy"}).Reserve()
		if err != nil {
			break
		}
		places = append(places, release)
	}
	if n := len(places); n < 50 || n > 70 { // of 17 ms each
		t.Errorf("%d places", n)
	}
	other, err := h.For(Claim{Client: "other", Subject: "x"}).Reserve()
	if err != nil {
		t.Fatalf("another client: %v", err)
	}
	other()
	other()
	if _, err := h.Verify(t.Context(), mustHash(t, cheap(t, Bcrypt), "x"), "x"); err != nil {
		t.Errorf("a hash of another client: %v", err)
	}
	for _, release := range places {
		release()
	}
	empty(t, h.pool)
}

// A call whose context ends before it could begin is refused instead of being let wait for nothing.
func TestOverloadByContext(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		h := pooled(t, 12, PoolConfig{Workers: 1, MaxWait: time.Hour})
		release := block(t, h)
		defer release()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		var refused *OverloadError
		if err := h.VerifyAbsent(ctx, "x"); !errors.As(err, &refused) {
			t.Errorf("got %v", err)
		}
	})
}

// Clients take turns, however many hashes one of them wants.
func TestFairAmongClients(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		h := pooled(t, 4, PoolConfig{Workers: 1, MaxWait: time.Hour})
		release := block(t, h)
		var mu sync.Mutex
		var order []string
		ask := func(client string, n int) {
			for range n {
				mine := h.For(Claim{Client: client})
				mine.observe = func(operation) {
					mu.Lock()
					defer mu.Unlock()
					order = append(order, client)
				}
				go func() { _ = mine.VerifyAbsent(t.Context(), "x") }()
				synctest.Wait()
			}
		}
		ask("greedy", 50)
		ask("small", 2)
		ask("other", 1)
		release()
		synctest.Wait()
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		last := 0
		for i, client := range order {
			if client != "greedy" {
				last = i
			}
		}
		if len(order) != 53 || last > 5 {
			t.Errorf("order %v", order)
		}
	})
}

// When the queue is full, the longest line gives way to a newcomer.
func TestFullQueue(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		h := pooled(t, 4, PoolConfig{Workers: 1, MaxWait: time.Hour, MaxQueue: 20})
		release := block(t, h)
		var refused, done sync.Map
		ask := func(client string, n int) {
			for i := range n {
				go func() {
					var overload *OverloadError
					if err := h.For(Claim{Client: client}).VerifyAbsent(t.Context(), "x"); errors.As(err, &overload) {
						refused.Store(fmt.Sprint(client, i), true)
					} else {
						done.Store(fmt.Sprint(client, i), err)
					}
				}()
				synctest.Wait()
			}
		}
		ask("greedy", 100)
		ask("small", 3)
		release()
		time.Sleep(time.Minute)
		for i := range 3 {
			if err, ok := done.Load(fmt.Sprint("small", i)); !ok || err != nil {
				t.Errorf("small %d: %v %v", i, ok, err)
			}
		}
		n := 0
		refused.Range(func(any, any) bool { n++; return true })
		if n < 83 {
			t.Errorf("%d refused", n)
		}
		empty(t, h.pool)
	})
}

func TestOneSubjectCannotFillTheQueue(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		h := pooled(t, 4, PoolConfig{Workers: 1, MaxWait: time.Hour})
		release := block(t, h)
		var n atomic.Int64
		for i := range 100 {
			go func() {
				var refused *OverloadError
				mine := h.For(Claim{Client: fmt.Sprint(i), Subject: "victim@example.com"})
				if err := mine.VerifyAbsent(t.Context(), "x"); errors.As(err, &refused) {
					n.Add(1)
				}
			}()
		}
		synctest.Wait()
		if n.Load() != 100-maxPerSubject {
			t.Errorf("%d refused", n.Load())
		}
		if give, err := h.For(Claim{Client: "1", Subject: "other@example.com"}).Reserve(); err != nil {
			t.Error(err)
		} else {
			give()
		}
		release()
		time.Sleep(time.Minute)
		empty(t, h.pool)
	})
}

// The memory of argon2id at one moment is bounded; what alone exceeds the bound is computed alone.
func TestMemoryBound(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		p, err := NewPool(PoolConfig{Workers: 8, MaxWait: time.Hour, MaxMemoryKiB: 100})
		if err != nil {
			t.Fatal(err)
		}
		var inside, most atomic.Int64
		for _, kib := range []uint32{40, 40, 40, 40, 64, 8, 8, 300, 40} {
			h := mustNew(t, Config{Algorithm: Argon2id, Argon2: Argon2Params{MemoryKiB: kib, Time: 1}, Pool: p})
			h.observe = func(operation) {
				n := inside.Add(int64(kib))
				most.Store(max(most.Load(), n))
				if n > 100 && n != 300 {
					t.Errorf("%d KiB at once", n)
				}
				time.Sleep(time.Second)
				inside.Add(-int64(kib))
			}
			go func() {
				if _, err := h.Hash(t.Context(), "x"); err != nil {
					t.Error(err)
				}
			}()
		}
		time.Sleep(time.Hour)
		if most.Load() != 300 {
			t.Errorf("most %d KiB", most.Load())
		}
		empty(t, p)
	})
}

// Workers end when there has been nothing to do for a while, and begin again.
func TestWorkersEnd(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		h := pooled(t, 4, PoolConfig{Workers: 2})
		for range 3 {
			for _, guess := range []string{"x", count(73)} { // bcrypt alone, and argon2id too
				if err := h.VerifyAbsent(t.Context(), guess); err != nil {
					t.Error(err)
				}
			}
			time.Sleep(2 * idleTime)
			h.pool.mu.Lock()
			if n := h.pool.lanes.workers + h.pool.whole.workers; n != 0 {
				t.Errorf("%d workers left", n)
			}
			h.pool.mu.Unlock()
		}
	})
}

// A panic in a hash is an error of that hash alone.
func TestPanic(t *testing.T) {
	t.Parallel()
	h := pooled(t, 4, PoolConfig{Workers: 1})
	hostile := foreign{format: "hostile", derive: func([]byte) []byte { panic("no such luck") }}
	if ok, err := h.run(t.Context(), h.foreignSteps(hostile, guess{}), []byte("x")); ok || err == nil || !strings.Contains(err.Error(), "panic") {
		t.Errorf("%v, %v", ok, err)
	}
	if err := h.VerifyAbsent(t.Context(), count(73)); err != nil {
		t.Error(err)
	}
	empty(t, h.pool)
}

// What has begun is not refused for being late with its second part.
func TestLateSecondPart(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		h := pooled(t, 4, PoolConfig{Workers: 1, MaxWait: time.Second})
		slow := *h
		slow.observe = func(o operation) {
			if o.Algorithm == Argon2id {
				time.Sleep(3 * time.Second)
			}
		}
		for range 2 { // the second waits for the only thread of the first, over MaxWait
			go func() {
				if err := slow.VerifyAbsent(t.Context(), count(73)); err != nil {
					t.Error(err)
				}
			}()
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		empty(t, h.pool)
	})
}

func TestPoolConfig(t *testing.T) {
	t.Parallel()
	for _, c := range []PoolConfig{{Workers: -1}, {MaxWait: -1}, {MaxQueue: -1}, {MaxMemoryKiB: -1}} {
		if _, err := NewPool(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}
