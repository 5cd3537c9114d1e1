package app

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// sweepEvery is how often what has expired is deleted.
	sweepEvery = time.Minute
	// sweepStep is how much of each kind at a time: as little as others notice not.
	sweepStep  = 500
	sweepPause = 50 * time.Millisecond
)

// Start begins what the server does beside answering requests: it follows the revocations, keys and settings of other
// nodes, and deletes what has expired. It ends with ctx, or when stop is called, which waits for it.
func (a *App) Start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	for _, run := range []func(context.Context){a.Revoked.Run, a.Tokens.Run, a.followLifetime, a.sweep} {
		running.Go(func() { run(ctx) })
	}
	return func() {
		cancel()
		running.Wait()
	}
}

// sweep deletes what has expired, now and then, until ctx ends.
func (a *App) sweep(ctx context.Context) {
	for wait := sweepEvery; ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		more, err := a.sweepOnce(ctx)
		if err != nil && ctx.Err() == nil {
			a.log.LogAttrs(ctx, slog.LevelWarn, "what has expired was not deleted", slog.Any("error", err))
		}
		wait = sweepEvery
		if err == nil && more {
			wait = sweepPause
		}
	}
}

// sweepOnce deletes some of what has expired, and reports whether there may be more.
func (a *App) sweepOnce(ctx context.Context) (more bool, err error) {
	return a.Store.DeleteExpired(ctx, a.steady(), sweepStep)
}
