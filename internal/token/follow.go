package token

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

const (
	// poll is how often the keys are read, which other nodes and commands may have changed.
	poll = 500 * time.Millisecond
	// reloadGap is how long after one reading of the keys the next one begins at the earliest. It bounds what tokens with
	// invented keys can cost the database.
	reloadGap = 50 * time.Millisecond
	// reloadTimeout bounds one reading.
	reloadTimeout = 5 * time.Second
	// repeatAfter is how long the log is quiet about what it has said.
	repeatAfter = time.Minute
)

// Wake has Run read the keys at once.
func (s *Service) Wake() {
	select {
	case s.wake <- struct{}{}:
	default: // it is about to
	}
}

// Run follows the keys in the store, rotates on schedule and deletes the keys whose last token has expired an hour ago, until
// ctx ends.
// A jwt.algorithm that is another than that of the newest key makes a new one, as a rotation.
func (s *Service) Run(ctx context.Context) {
	if s.shared() {
		<-ctx.Done()
		return
	}
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for settled := false; ; {
		if s.follow.wait(ctx) == nil {
			if !settled {
				settled = s.settleAlgorithm(ctx)
			}
			s.tend(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-s.wake:
		}
	}
}

// settleAlgorithm makes a key of the configured algorithm if the newest one has another, and reports whether that is done.
// It is done once: two nodes that are configured differently would otherwise take turns for ever.
func (s *Service) settleAlgorithm(ctx context.Context) bool {
	r := s.ring.Load()
	if s.cfg.Algorithm == "" || r.keys[0].Algorithm() == s.cfg.Algorithm {
		return true
	}
	return s.rotateAlone(ctx, r, "jwt.algorithm is another than that of the newest key")
}

// tend does what is due, by the steady clock.
func (s *Service) tend(ctx context.Context) {
	now, r := s.cfg.Steady(), s.ring.Load()
	if every := s.cfg.RotateEvery; every > 0 && !now.Before(r.keys[0].signsAt.Add(every-s.cfg.PublishAhead)) {
		s.rotateAlone(ctx, r, "jwt.rotate_every has passed")
	}
	for _, id := range r.dead {
		switch err := s.store.DeleteKey(ctx, id); {
		case err == nil:
			s.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "a signing key is deleted: its last token expired an hour ago", slog.String("key", id))
		case errors.Is(err, store.ErrNotFound), ctx.Err() != nil: // another node was faster
		default:
			s.complain.about(ctx, slog.LevelError, "a dead signing key is not deleted", fmt.Errorf("%s: %w", id, err))
		}
	}
}

// rotateAlone rotates without anybody asking, and reports whether it did. It does not if there is a newer key than in the
// ring that has been judged.
func (s *Service) rotateAlone(ctx context.Context, judged *ring, why string) bool {
	key, err := s.rotate(ctx, false, judged.newest)
	switch {
	case err == nil:
		s.cfg.Log.LogAttrs(ctx, slog.LevelInfo, "a new signing key is published", slog.String("key", key.ID),
			slog.String("algorithm", string(key.Algorithm)), slog.Time("signs_at", key.SignsAt), slog.String("reason", why))
		return true
	case errors.Is(err, store.ErrConflict): // another node was faster
	case ctx.Err() == nil:
		s.complain.about(ctx, slog.LevelError, "the signing keys are not rotated", err)
	}
	return false
}

// load reads the keys and puts them in place. When it fails, the last good ones stay there.
func (s *Service) load(ctx context.Context) error {
	records, err := s.store.SigningKeys(ctx)
	if err == nil && len(records) == 0 {
		err = errors.New("there are none")
	}
	if err != nil {
		s.complain.about(ctx, slog.LevelError, "the signing keys cannot be read, and are used as they last were", err)
		return fmt.Errorf("signing keys: %w", err)
	}
	keys, err := s.unsealAll(records)
	if err != nil {
		s.complain.about(ctx, slog.LevelError, "a signing key cannot be opened: it is not used, or used as it last was", err)
	}
	if len(keys) == 0 {
		return fmt.Errorf("signing keys: %w", err)
	}
	next, err := newRing(keys, s.Lifetime(), s.cfg.Now(), s.cfg.Steady())
	if err != nil {
		return err
	}
	next.newest = records[0].ID
	s.ring.Store(next)
	return nil
}

// follower reads the keys for all who wait for it, one reading at a time.
type follower struct {
	load func(context.Context) error

	mu sync.Mutex
	// next is the reading that has not begun; nil if nobody waits for it.
	next    *reading
	running bool
	last    time.Time // when the last one began
}

type reading struct {
	done chan struct{}
	err  error
}

// wait returns when a reading has ended that began after the call.
func (f *follower) wait(ctx context.Context) error {
	f.mu.Lock()
	if f.next == nil {
		f.next = &reading{done: make(chan struct{})}
	}
	r := f.next
	if !f.running {
		f.running = true
		go f.run()
	}
	f.mu.Unlock()
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run reads while anybody waits. Its context is its own: the one who asked first may leave.
func (f *follower) run() {
	for {
		f.mu.Lock()
		pause := reloadGap - time.Since(f.last)
		f.mu.Unlock()
		time.Sleep(pause)
		f.mu.Lock()
		r := f.next
		if r == nil {
			f.running = false
			f.mu.Unlock()
			return
		}
		f.next, f.last = nil, time.Now()
		f.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), reloadTimeout)
		r.err = f.load(ctx)
		cancel()
		close(r.done)
	}
}

// complaints tells the log what is wrong, each thing once a minute at most.
type complaints struct {
	log  *slog.Logger
	mu   sync.Mutex
	said map[string]time.Time
}

func (c *complaints) about(ctx context.Context, level slog.Level, what string, err error) {
	now := time.Now()
	c.mu.Lock()
	quiet := now.Sub(c.said[what]) < repeatAfter
	if !quiet {
		c.said[what] = now
	}
	c.mu.Unlock()
	if !quiet {
		c.log.LogAttrs(ctx, level, what, slog.Any("error", err))
	}
}
