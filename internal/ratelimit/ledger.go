package ratelimit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

const (
	// maxTries is how often a write is tried that other nodes are faster at. Each try that fails is one that succeeded
	// elsewhere.
	maxTries = 20
	// contentionWait is what an attempt is told to wait that could not be counted.
	contentionWait = time.Second
	// settleTime bounds what is written when an attempt is over. It is done even if the client has gone.
	settleTime = 10 * time.Second
)

// charge is a counter that an attempt raises.
type charge struct {
	rule   rule
	reason string
	// gates tells a counter that can refuse the attempt from one that only counts it.
	gates bool
	// before is the counter as it was read, after as it was written.
	before, after store.Counter
}

// ledger reads and writes counters. Within a process those who want the same counters wait for each other, so that only
// other nodes get in between a read and a write, which the counters' versions show. It is safe for concurrent use.
type ledger struct {
	counters store.Counters
	now      func() time.Time
	locks    *stripes
}

func newLedger(cfg Config) *ledger {
	return &ledger{counters: cfg.Counters, now: cfg.Now, locks: newStripes()}
}

// reserve raises by one each counter that plan names, given those of keys as look reads them, or none of them and returns a [Refusal].
// It also returns the counters as plan saw them. What of a refusal recall remembers by the time that it is this caller's turn
// goes without a look into the store, and remember is told of a new one.
func (l *ledger) reserve(ctx context.Context, keys []string, look func(context.Context, time.Time, ...string) ([]store.Counter, error),
	recall func() *Refusal, remember func(*Refusal), plan func(time.Time, []store.Counter) []charge,
) ([]charge, []store.Counter, error) {
	unlock, err := l.locks.lock(ctx, keys)
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	if r := recall(); r != nil {
		return nil, nil, r
	}
	for try := range maxTries {
		if err := pause(ctx, try); err != nil {
			return nil, nil, err
		}
		now := l.now()
		seen, err := look(ctx, now, keys...)
		if err != nil {
			return nil, nil, fmt.Errorf("ratelimit: %w", err)
		}
		charges := plan(now, seen)
		if refusal := refuse(charges, now); refusal != nil {
			if err := l.heal(ctx, charges, now); err != nil {
				return nil, nil, err
			}
			remember(refusal)
			return nil, nil, refusal
		}
		next := make([]store.Counter, len(charges))
		for i := range charges {
			c := &charges[i]
			next[i] = c.rule.raise(c.before, now, 1)
			c.after = next[i]
			c.after.Version++
		}
		swapped, err := l.counters.SwapCounters(ctx, now, next...)
		if err != nil {
			return nil, nil, fmt.Errorf("ratelimit: %w", err)
		}
		written := pick(charges, swapped, true)
		if len(written) == len(charges) {
			return charges, seen, nil
		}
		if err := l.takeBack(ctx, written); err != nil {
			return nil, nil, err
		}
	}
	return nil, nil, &Refusal{RetryAfter: contentionWait, Reason: ReasonContention}
}

// pick returns those of all whose swap was, or was not, made.
func pick[T any](all []T, swapped []bool, made bool) (picked []T) {
	for i, x := range all {
		if swapped[i] == made {
			picked = append(picked, x)
		}
	}
	return picked
}

// takeBack undoes charges of which others were faster.
func (l *ledger) takeBack(ctx context.Context, charges []charge) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	return l.rewrite(ctx, undo(charges))
}

// refuse returns why an attempt under these charges is not let in: the longest wait of all, or nil.
func refuse(charges []charge, now time.Time) *Refusal {
	var longest *Refusal
	for _, c := range charges {
		if !c.gates {
			continue
		}
		wait, stopped := c.rule.wait(c.before, now)
		if wait <= 0 || longest != nil && wait <= longest.RetryAfter {
			continue
		}
		longest = &Refusal{RetryAfter: wait, Reason: c.reason, at: now}
		if stopped {
			longest.Reason = ReasonExhausted
		}
	}
	return longest
}

// heal sets the time of counters that lie in the future, because the clock was set back, to now.
func (l *ledger) heal(ctx context.Context, charges []charge, now time.Time) error {
	var next []store.Counter
	for _, c := range charges {
		if ahead(c.before, now) {
			next = append(next, healed(c.before, now))
		}
	}
	if len(next) == 0 {
		return nil
	}
	if _, err := l.counters.SwapCounters(ctx, now, next...); err != nil {
		return fmt.Errorf("ratelimit: %w", err)
	}
	return nil
}

// edit is a change to a counter that must be made in the end, whoever else writes it.
type edit struct {
	// seen is the counter as it is thought to be.
	seen store.Counter
	// apply returns what it is to become, false if it is that already.
	apply func(c store.Counter, now time.Time) (store.Counter, bool)
}

// undo returns the edits that take charges back. A counter that nobody has raised since is as it was before, so that
// the wait which it had then goes on; else one failure less is all that can be said.
func undo(charges []charge) []edit {
	edits := make([]edit, len(charges))
	for i, c := range charges {
		edits[i] = edit{seen: c.after, apply: func(now store.Counter, at time.Time) (store.Counter, bool) {
			switch {
			case now.Version == 0 || now.Count == 0:
				return now, false
			case now.Version != c.after.Version:
				return c.rule.lower(now), true
			}
			before := c.before
			before.Version = now.Version
			if least := at.Add(emptyKeep); before.ExpiresAt.Before(least) {
				before.ExpiresAt = least
			}
			return before, true
		}}
	}
	return edits
}

// change makes the edits, all or as many as it can. It is done even if ctx has ended.
func (l *ledger) change(ctx context.Context, edits []edit) error {
	if len(edits) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	unlock, err := l.locks.lock(ctx, keysOf(edits))
	if err != nil {
		return err
	}
	defer unlock()
	return l.rewrite(ctx, edits)
}

// mend is change for edits that others have been faster than.
func (l *ledger) mend(ctx context.Context, edits []edit) error {
	if len(edits) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	unlock, err := l.locks.lock(ctx, keysOf(edits))
	if err != nil {
		return err
	}
	defer unlock()
	if edits, err = l.reread(ctx, edits); err != nil {
		return err
	}
	return l.rewrite(ctx, edits)
}

func keysOf(edits []edit) []string {
	keys := make([]string, len(edits))
	for i, e := range edits {
		keys[i] = e.seen.Key
	}
	return keys
}

// apply returns those of the edits that change something, and what they make of their counters.
func apply(edits []edit, now time.Time) (todo []edit, next []store.Counter) {
	for _, e := range edits {
		if c, changed := e.apply(e.seen, now); changed {
			todo, next = append(todo, e), append(next, c)
		}
	}
	return todo, next
}

// rewrite is change for a caller that has the locks. It goes on until ctx ends: what is not taken back holds up somebody
// who has done nothing.
func (l *ledger) rewrite(ctx context.Context, edits []edit) error {
	for try := 0; ; try++ {
		if err := pause(ctx, try); err != nil {
			return err
		}
		now := l.now()
		todo, next := apply(edits, now)
		if len(todo) == 0 {
			return nil
		}
		swapped, err := l.counters.SwapCounters(ctx, now, next...)
		if err != nil {
			return fmt.Errorf("ratelimit: %w", err)
		}
		if todo = pick(todo, swapped, false); len(todo) == 0 {
			return nil
		}
		if edits, err = l.reread(ctx, todo); err != nil {
			return err
		}
	}
}

// reread returns the edits with the counters as they are now.
func (l *ledger) reread(ctx context.Context, edits []edit) ([]edit, error) {
	seen, err := l.counters.Counters(ctx, l.now(), keysOf(edits)...)
	if err != nil {
		return nil, fmt.Errorf("ratelimit: %w", err)
	}
	for i := range edits {
		edits[i].seen = seen[i]
	}
	return edits, nil
}

// pause gives the other nodes a little time, at random, so that two do not stay in step. The first try does not wait,
// nor does the second.
func pause(ctx context.Context, try int) error {
	if try < 2 {
		return ctx.Err()
	}
	t := time.NewTimer(rand.N(time.Duration(min(try, 16)) * 2 * time.Millisecond))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
