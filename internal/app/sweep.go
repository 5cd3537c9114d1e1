package app

import (
	"context"
	"log/slog"
	"time"
)

const (
	// sweepEvery is how often what has expired is deleted.
	sweepEvery = time.Minute
	// sweepStep is how much of each kind at a time: as little as others notice not.
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
		more, err := a.Store.DeleteExpired(ctx, a.now(), sweepStep)
		if err != nil && ctx.Err() == nil {
			a.log.LogAttrs(ctx, slog.LevelWarn, "what has expired was not deleted", slog.Any("error", err))
		}
		wait = sweepEvery
		if err == nil && more {
			wait = sweepPause
		}
	}
}
