package bearer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"mime"
	"net/http"
	"strings"
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
	bounded, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	err := f.poll(bounded)
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
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/jwt")
	req.Header.Set("Accept-Encoding", "identity") // else a client may unpack what was packed, at any length
	if v.etag != "" && f.cfg.Now().Before(v.expires) {
		req.Header.Set("If-None-Match", v.etag)
	}
	res, err := f.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotModified && req.Header.Get("If-None-Match") != "":
		f.notModified.Add(1)
		f.view.Store(f.confirmed(v.known, v.etag, v.expires))
		return nil
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("the answer has the status %d", res.StatusCode)
	}
	body, err := f.body(res)
	if err != nil {
		return err
	}
	return f.take(ctx, v, body, etagOf(res.Header))
}

// body reads an answer that can be a document.
func (f *Feed) body(res *http.Response) (string, error) {
	if media, _, err := mime.ParseMediaType(res.Header.Get("Content-Type")); err != nil || media != "application/jwt" {
		return "", errors.New("the answer is not application/jwt")
	}
	if e := res.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return "", errors.New("the answer is packed, which nobody asked for")
	}
	if res.ContentLength > int64(f.cfg.MaxBytes) {
		return "", errors.New("the answer is longer than allowed")
	}
	var b strings.Builder
	if res.ContentLength > 0 {
		b.Grow(int(res.ContentLength))
	}
	n, err := io.Copy(&b, io.LimitReader(res.Body, int64(f.cfg.MaxBytes)+1))
	if err != nil {
		return "", err
	}
	if n > int64(f.cfg.MaxBytes) {
		return "", errors.New("the answer is longer than allowed")
	}
	return b.String(), nil
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

// etagOf returns an entity tag that can be sent back, "" without one.
func etagOf(h http.Header) string {
	tags := h["Etag"]
	if len(tags) != 1 || len(tags[0]) > 128 {
		return ""
	}
	return tags[0]
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
