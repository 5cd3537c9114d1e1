package bearer

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"
)

// pollTimeout bounds how long an answer may take, its body included.
const pollTimeout = 5 * time.Second

// Run polls until ctx ends.
func (f *Feed) Run(ctx context.Context) {
	failures, was := 0, told{}
	for {
		err := f.Poll(ctx)
		if ctx.Err() != nil {
			return
		}
		if failures++; err == nil {
			failures = 0
		}
		was = f.report(ctx, was, err)
		if !sleep(ctx, f.wait(failures)) {
			return
		}
	}
}

// Poll asks the server once, now. [Feed.Run] does so all the time; call it before that to begin with a feed that is
// not stale. What was known stays when it fails.
func (f *Feed) Poll(ctx context.Context) error {
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	err := f.poll(ctx)
	if err == nil {
		f.lastError.Store(nil)
		return nil
	}
	err = fmt.Errorf("bearer: revocation feed: %w", err)
	if ctx.Err() == nil {
		f.errors.Add(1)
		text := err.Error()
		f.lastError.Store(&text)
	}
	return err
}

func (f *Feed) poll(ctx context.Context) error {
	v := f.view.Load()
	etag := ""
	if f.cfg.Now().Before(v.expires) {
		etag = v.etag
	}
	doc, err := f.source.Get(ctx, etag)
	if err != nil {
		return err
	}
	if doc.NotModified {
		f.notModified.Add(1)
		f.view.Store(f.confirmed(v.known, v.etag, v.expires))
		return nil
	}
	return f.take(ctx, v, string(doc.Body), doc.ETag)
}

// take verifies a document and adds it to what is known.
func (f *Feed) take(ctx context.Context, v *view, body, etag string) error {
	token, err := f.verifier.Verify(ctx, body)
	if err != nil {
		return err
	}
	doc, err := readDocument(token)
	if err != nil {
		return err
	}
	expires := token.ExpiresAt
	if latest := token.IssuedAt.Add(feedAge); expires.After(latest) {
		expires = latest
	}
	if expires.Before(v.expires) {
		expires = v.expires
	}
	f.documents.Add(1)
	f.view.Store(f.confirmed(v.known.with(doc), etag, expires))
	return nil
}

// confirmed returns the view of a good answer.
func (f *Feed) confirmed(k known, etag string, expires time.Time) *view {
	now := f.cfg.Now()
	return &view{known: k, etag: etag, at: now, until: now.Add(f.cfg.MaxStale), expires: expires}
}

// wait returns how long to wait after that many failures in a row: up to four intervals, so that a server that is down
// is not asked in vain all the time, and never in step with other verifiers.
func (f *Feed) wait(failures int) time.Duration {
	d := f.cfg.Interval << min(failures, 2)
	return d - rand.N(d/5)
}

// told is what the log has been told.
type told struct{ failing, stale bool }

// report logs what has changed since was, and returns what is now.
func (f *Feed) report(ctx context.Context, was told, err error) told {
	is := told{failing: err != nil, stale: f.stale(f.view.Load())}
	log := f.cfg.Logger
	switch {
	case is.stale && !was.stale && f.cfg.InsecureFailOpen:
		log.LogAttrs(ctx, slog.LevelError, "revocation feed: stale: tokens of ended sessions are taken", slog.Any("error", err))
	case is.stale && !was.stale:
		log.LogAttrs(ctx, slog.LevelError, "revocation feed: stale: tokens are answered 503", slog.Any("error", err))
	case is.failing && !was.failing:
		log.LogAttrs(ctx, slog.LevelWarn, "revocation feed: a poll failed", slog.Any("error", err))
	case !is.failing && was.failing:
		log.LogAttrs(ctx, slog.LevelInfo, "revocation feed: back")
	}
	return is
}

// sleep waits for d, or until ctx ends, which it reports as false.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
