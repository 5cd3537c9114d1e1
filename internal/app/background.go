package app

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/countersign-auth/countersign/internal/revocation"
	"github.com/countersign-auth/countersign/internal/store"
)

const (
	// sweepEvery is how often what has expired is deleted.
	sweepEvery = time.Minute
	// sweepStep is how much of each kind at a time: as little as others notice not.
	sweepStep  = 500
	sweepPause = 50 * time.Millisecond
	// scrubEvery is how often the store forgets what was deleted, by commands beside the server too. Somebody who reads for
	// long keeps it from that, and after scrubPause it tries again.
	scrubEvery = time.Minute
	scrubPause = time.Second
)

// Start begins what the server does beside answering requests: it follows the revocations, keys and settings of other
// nodes, deletes what has expired, and has the store forget what was deleted. It ends with ctx, or when stop is called,
// which waits for it.
func (a *App) Start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	sweep := func(ctx context.Context) { repeat(ctx, sweepEvery, a.sweep) }
	scrub := func(ctx context.Context) { repeat(ctx, scrubPause, a.forget) }
	for _, run := range []func(context.Context){a.Revoked.Run, a.Tokens.Run, a.followLifetime, a.watch, sweep, scrub} {
		running.Go(func() { run(ctx) })
	}
	return func() {
		cancel()
		running.Wait()
	}
}

// watch has the followers look at once when the store knows of the writes of others. They look by themselves all the same,
// for not every store does, and none for certain.
func (a *App) watch(ctx context.Context) {
	if w, ok := a.Store.(store.Watcher); ok {
		w.Watch(ctx, a.wake, a.log)
	}
}

// wake has the followers look at what other nodes may have changed.
func (a *App) wake() {
	a.Revoked.Wake()
	a.Tokens.Wake()
	select {
	case a.lifetimeChanged <- struct{}{}:
	default: // it is about to be read
	}
}

// repeat has do done after a wait, and again and again after the wait that do returns, until ctx ends.
func repeat(ctx context.Context, wait time.Duration, do func(context.Context) time.Duration) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = do(ctx)
	}
}

// sweep deletes a step of what has expired.
func (a *App) sweep(ctx context.Context) (wait time.Duration) {
	more, err := a.sweepOnce(ctx)
	if err != nil && ctx.Err() == nil {
		a.log.LogAttrs(ctx, slog.LevelWarn, "what has expired was not deleted", slog.Any("error", err))
	}
	if err == nil && more {
		return sweepPause
	}
	return sweepEvery
}

// forget scrubs.
func (a *App) forget(ctx context.Context) (wait time.Duration) {
	err := a.scrub(ctx)
	if errors.Is(err, store.ErrBusy) {
		return scrubPause
	}
	if err != nil && ctx.Err() == nil {
		a.log.LogAttrs(ctx, slog.LevelWarn, "what was deleted may still be in the database's files", slog.Any("error", err))
	}
	return scrubEvery
}

// scrub has the store forget what was deleted or replaced, where that takes more than to delete or replace. It waits for
// nobody, and returns [store.ErrBusy] when somebody is in the way.
func (a *App) scrub(ctx context.Context) error {
	if s, ok := a.Store.(store.Scrubber); ok {
		return s.Scrub(ctx)
	}
	return nil
}

// scrubFor scrubs, and for so long tries again.
func (a *App) scrubFor(ctx context.Context, patience time.Duration) error {
	const pause = 10 * time.Millisecond
	for deadline := time.Now().Add(patience); ; {
		err := a.scrub(ctx)
		if !errors.Is(err, store.ErrBusy) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// sweepOnce deletes some of what has expired, and reports whether there may be more. What has expired here may not have at a
// node whose clock is slow, which would take a token again whose revocation is gone.
func (a *App) sweepOnce(ctx context.Context) (more bool, err error) {
	return a.Store.DeleteExpired(ctx, a.steady().Add(-revocation.Margin), sweepStep)
}
