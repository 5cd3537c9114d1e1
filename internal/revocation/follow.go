package revocation

import (
	"context"
	"log/slog"
	"time"
)

// pageSize is how many revocations the store is asked for at a time.
const pageSize = 1000

// Load reads what the store has and the set has not: all at the start, then what is new. After a write by which the
// store itself chose what to end, Load makes that hold at once.
func (s *Set) Load(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for at := s.cfg.Now(); ; {
		page, err := s.store.Revocations(ctx, s.position, pageSize)
		if err != nil {
			return err
		}
		s.Add(page...)
		if n := len(page); n > 0 {
			s.position = page[n-1].Position
		}
		if len(page) < pageSize {
			s.checked.Store(&at)
			return nil
		}
	}
}

const (
	// loadTimeout bounds how long a store may take to say what is new.
	loadTimeout = 5 * time.Second
	pruneEvery  = 10 * time.Second
)

// Wake has Run ask the store at once.
func (s *Set) Wake() {
	select {
	case s.wake <- struct{}{}:
	default: // it is about to
	}
}

// Run asks the store again and again and forgets what is over, until ctx ends.
func (s *Set) Run(ctx context.Context) {
	poll, prune := time.NewTicker(s.cfg.Poll), time.NewTicker(pruneEvery)
	defer poll.Stop()
	defer prune.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-prune.C:
			s.prune()
		case <-poll.C:
			s.follow(ctx)
		case <-s.wake:
			s.follow(ctx)
		}
	}
}

func (s *Set) follow(ctx context.Context) {
	bounded, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	err := s.Load(bounded)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		s.faults.Add(1)
	}
	switch {
	case err != nil && !s.failing.Swap(true):
		s.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "revocations cannot be read: sessions that other nodes end go on here", slog.Any("error", err))
	case err == nil && s.failing.Swap(false):
		s.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "revocations can be read again")
	}
}
