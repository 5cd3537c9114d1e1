package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

// lifetimeName is the record in the store that says how long tokens live that are out. The settings do not: they may have
// been others when the tokens were made, and a command may have none at all. What is revoked for too short a time comes
// back to life.
const lifetimeName = "access_ttl"

// lifetime is that record.
type lifetime struct {
	// TTL is the longest that a token which may be out was made for.
	TTL time.Duration `json:"ttl"`
	// Until is when the last such token has expired; zero while they are made.
	Until time.Time `json:"until,omitzero"`
}

func (l lifetime) over(now time.Time) bool { return !l.Until.IsZero() && !now.Before(l.Until) }

// longestTTL returns for how long a token may have been made that is out, by whatever server on this database.
func (a *App) longestTTL(ctx context.Context) (time.Duration, error) {
	l, _, err := a.readLifetime(ctx)
	if err != nil || l.over(a.now()) {
		return 0, err
	}
	return l.TTL, nil
}

// rememberTTL writes down what this server's settings make of the record. Longer lives begin at once; shorter ones when
// the last long-lived token is gone.
func (a *App) rememberTTL(ctx context.Context) error {
	own := a.Config.JWT.AccessTTL
	for {
		known, text, err := a.readLifetime(ctx)
		if err != nil {
			return err
		}
		next := known
		switch {
		case own >= known.TTL, known.over(a.now()):
			next = lifetime{TTL: own}
		case known.Until.IsZero(): // twice, for other nodes that are not restarted yet
			next.Until = a.now().UTC().Add(2 * known.TTL)
		}
		if next == known {
			return nil
		}
		changed, err := json.Marshal(next)
		if err != nil {
			return err
		}
		if text == nil {
			_, err = a.Store.FirstSecret(ctx, lifetimeName, changed)
			return err
		}
		if err = a.Store.ReplaceSecret(ctx, lifetimeName, text, changed); !errors.Is(err, store.ErrConflict) {
			return err
		}
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
