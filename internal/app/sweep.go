package app

import (
	"context"
	"log/slog"
	"time"
)

const (
	// sweepEvery is how often what has expired is deleted.
	sweepEvery = 10 * time.Minute
	// sweepStep is how much of it at a time: as little as others notice not.
	sweepStep  = 500
	sweepPause = 50 * time.Millisecond
)

// sweep deletes what has expired, now and then, until ctx ends.
func (a *App) sweep(ctx context.Context) {
	for wait := sweepEvery; ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		n, err := a.Store.DeleteExpiredCounters(ctx, a.now(), sweepStep)
		if err != nil && ctx.Err() == nil {
			a.log.LogAttrs(ctx, slog.LevelWarn, "expired counters were not deleted", slog.Any("error", err))
		}
		wait = sweepEvery
		if err == nil && n == sweepStep { // there may be more
			wait = sweepPause
		}
	}
}
