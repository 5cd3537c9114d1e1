package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/token"
)

// lifetimeName is the record in the store that says how long tokens live that are out. The settings do not: they may have
// been others when the tokens were made, they may be others at another node, and a command may have none at all. What is
// revoked for too short a time comes back to life.
const lifetimeName = "access_ttl"

const (
	// lifetimePoll is how often servers read the record.
	lifetimePoll = 500 * time.Millisecond
	// lifetimeTimeout bounds one reading.
	lifetimeTimeout = 5 * time.Second
)

// lifetime is that record.
type lifetime struct {
	// TTL is what the server that started last makes tokens for.
	TTL time.Duration `json:"ttl"`
	// Was is what longer-lived ones were made for, and Until is when the last of those has expired. While a server makes such
	// ones, it puts Until off.
	Was   time.Duration `json:"was,omitzero"`
	Until time.Time     `json:"until,omitzero"`
}

// longest returns the longest that a token may have been made for that is out.
func (l lifetime) longest(now time.Time) time.Duration {
	if now.Before(l.Until) {
		return max(l.TTL, l.Was)
	}
	return l.TTL
}

// next returns the record as a process leaves it that makes tokens for ttl: a server that starts, or else one that runs or a
// command. Of processes with different settings only those with the longer one write again, when half the time is over.
func (l lifetime) next(ttl time.Duration, starts bool, now, steady time.Time) lifetime {
	cover := ttl
	if starts {
		cover, l.TTL = l.TTL, ttl
	}
	if l.Was <= l.TTL || !steady.Before(l.Until) {
		l.Was, l.Until = 0, time.Time{}
	}
	whole := token.Lifetime(cover)
	if cover > l.TTL && (cover > l.Was || l.Until.Before(now.Add(whole+whole/2))) {
		l.Was = max(l.Was, cover)
		if until := now.Add(2 * whole); until.After(l.Until) {
			l.Until = until
		}
	}
	return l
}

// CoverTokens sees to it that what ends is known to have ended for as long as the tokens live that this process makes. A
// command calls it before it makes one; a server sees to it while it runs.
func (a *App) CoverTokens(ctx context.Context) error { return a.settleLifetime(ctx, false) }

// settleLifetime reads the record, and writes what this process makes of it.
func (a *App) settleLifetime(ctx context.Context, starts bool) error {
	for raised := false; ; {
		known, text, err := a.readLifetime(ctx)
		if err != nil {
			return err
		}
		next := known.next(a.Config.JWT.AccessTTL, starts, a.now().UTC(), a.steady())
		if next == known {
			a.longest.Store(int64(known.longest(a.steady())))
			if raised {
				return a.heard(ctx)
			}
			return nil
		}
		changed, err := json.Marshal(next)
		if err != nil {
			return err
		}
		if text == nil {
			_, err = a.Store.FirstSecret(ctx, lifetimeName, changed)
		} else if err = a.Store.ReplaceSecret(ctx, lifetimeName, text, changed); errors.Is(err, store.ErrConflict) {
			continue
		}
		if err != nil {
			return err
		}
		raised = raised || text != nil && next.longest(a.steady()) > known.longest(a.steady())
	}
}

// heard waits until all nodes have read the record: what one of them ended before might be kept for too short a time.
func (a *App) heard(ctx context.Context) error {
	select {
	case <-time.After(2 * lifetimePoll):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// followLifetime keeps the record right while the server runs, and what is known of it here.
func (a *App) followLifetime(ctx context.Context) {
	ticker := time.NewTicker(lifetimePoll)
	defer ticker.Stop()
	for failing := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-a.lifetimeChanged:
		}
		bounded, cancel := context.WithTimeout(ctx, lifetimeTimeout)
		err := a.settleLifetime(bounded, false)
		cancel()
		if err != nil && !failing && ctx.Err() == nil {
			a.log.LogAttrs(ctx, slog.LevelError, "how long tokens live cannot be read or written: what ends may be kept for too short a time",
				slog.Any("error", err))
		}
		failing = err != nil
	}
}

func (a *App) readLifetime(ctx context.Context) (l lifetime, text []byte, err error) {
	text, err = a.Store.Secret(ctx, lifetimeName)
	if errors.Is(err, store.ErrNotFound) {
		return l, nil, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &l)
	}
	if err != nil {
		return l, nil, fmt.Errorf("the record of how long tokens live: %w", err)
	}
	return l, text, nil
}
