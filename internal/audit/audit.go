// Package audit writes the audit log: who did what from where, and what came of it.
//
// What was checked is recorded event by event, and is on the disk before anybody learns what came of it. What was
// refused unchecked is only counted, minute by minute, for a flood of that costs its sender nothing. No event holds a
// secret: an event has no room for free text, and tells accounts apart by fingerprints.
package audit

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/countersign-auth/countersign/internal/store"
)

// The results of an event.
const (
	// OK is a thing that was done.
	OK = "ok"
	// Failed is a thing that was checked, and wrong.
	Failed = "failed"
	// Refused is a thing that was not even checked.
	Refused = "refused"
)

// By is who does something. Its zero value is the user concerned, of whom no more is known.
type By struct {
	// Actor is as in [store.Event].
	Actor string
	// Client and RequestID are those of the request; empty when there is none.
	Client, RequestID string
}

// Event returns an event of what was done to a user.
func (by By) Event(kind, reason, userID string) store.Event {
	return store.Event{
		Kind: kind, Result: OK, Reason: reason, UserID: userID, Actor: by.Actor, Client: by.Client, RequestID: by.RequestID,
	}
}

// CLI is the actor of what was done on the command line of the server.
const CLI = "cli"

// writeTimeout bounds one commit, whoever waits for it.
const writeTimeout = 10 * time.Second

// errClosed answers who records after Close.
var errClosed = errors.New("audit: the log is closed")

// Log writes the audit log. It is safe for concurrent use, and runs no goroutine while it has nothing to write.
type Log struct {
	events store.Events
	log    *slog.Logger
	now    func() time.Time

	mu       sync.Mutex
	closed   bool
	lastID   int64
	next     *batch // what the writer takes next; nil when nothing waits
	writing  bool   // a writer runs
	refusals refusals

	running sync.WaitGroup // the writer
}

// batch is the events of one commit.
type batch struct {
	events []store.Event
	done   chan struct{} // closed when err is set
	err    error
}

// New returns a Log. Every event is also a line of log.
func New(events store.Events, log *slog.Logger, now func() time.Time) *Log {
	return &Log{events: events, log: log, now: now}
}

// Record writes an event for something that was checked; it is durable when Record returns nil. It fills ID, At and
// Count. Calls that come while a commit runs share the next one, and its error.
//
// When ctx ends first, Record returns its error and the event is still written: a client that hangs up in time must not
// be able to keep what it tried out of the log.
func (l *Log) Record(ctx context.Context, e store.Event) error {
	b, err := l.begin(ctx, e)
	if err != nil {
		return err
	}
	return b.wait(ctx)
}

// begin has e written with the next batch.
func (l *Log) begin(ctx context.Context, e store.Event) (*batch, error) {
	e.Count = 1
	b, err := l.enqueue(&e)
	if err == nil {
		l.Say(ctx, e) // before the commit: if that fails, the line is all there is
	}
	return b, err
}

// wait returns when the batch is written, or ctx ends.
func (b *batch) wait(ctx context.Context) error {
	select {
	case <-b.done:
		return b.err
	case <-ctx.Done():
		return fmt.Errorf("audit: %w", ctx.Err())
	}
}

// Stamp fills ID, At and Count of an event that is to be written in one commit with what it tells of. Say then tells the
// server's log.
func (l *Log) Stamp(e store.Event) (store.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return e, errClosed
	}
	e.Count = 1
	err := l.stamp(&e)
	return e, err
}

// Done records what has been done and is not taken back, whether its client still waits or not, in that order and with few
// commits. That it cannot be recorded is only logged: an answer that denies what was done helps nobody.
func (l *Log) Done(ctx context.Context, events ...store.Event) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	batches := make([]*batch, len(events))
	errs := make([]error, len(events))
	for i, e := range events {
		if e.Result == "" {
			e.Result = OK
		}
		batches[i], errs[i] = l.begin(ctx, e)
	}
	for i, e := range events {
		if errs[i] == nil {
			errs[i] = batches[i].wait(ctx)
		}
		if errs[i] != nil {
			l.log.LogAttrs(ctx, slog.LevelError, "what was done is not in the audit log", slog.String("kind", e.Kind),
				slog.String("user", e.UserID), slog.String("request_id", e.RequestID), slog.Any("error", errs[i]))
		}
	}
}

// enqueue gives e its time and id, both in the order in which events are committed, and sees to it that a writer runs.
func (l *Log) enqueue(e *store.Event) (*batch, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errClosed
	}
	if err := l.stamp(e); err != nil {
		return nil, err
	}
	if l.next == nil {
		l.next = &batch{done: make(chan struct{})}
	}
	l.next.events = append(l.next.events, *e)
	if !l.writing {
		l.writing = true
		l.running.Go(l.write)
	}
	return l.next, nil
}

// write commits batch after batch until nothing waits. What comes during a commit is the next batch, so that the slower
// the disk is, the more events share one.
func (l *Log) write() {
	for {
		l.mu.Lock()
		b := l.next
		l.next = nil
		l.writing = b != nil
		l.mu.Unlock()
		if b == nil {
			return
		}
		b.err = l.append(context.Background(), b.events)
		close(b.done)
	}
}

func (l *Log) append(ctx context.Context, events []store.Event) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := l.events.AppendEvents(ctx, events...); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// stamp fills At and ID. The id is a UUIDv7 (RFC 9562, section 5.7) of At with the fraction of its millisecond in the
// 12 bits behind it (section 6.2, method 3), and greater than all before it even if the clock is set back.
func (l *Log) stamp(e *store.Event) error {
	id, err := uuid.NewRandom()
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	e.At = l.now().UTC()
	fraction := int64(e.At.Nanosecond()) % 1e6 << 12 / 1e6
	l.lastID = max(e.At.UnixMilli()<<12|fraction, l.lastID+1)
	const version = 7 << 12
	binary.BigEndian.PutUint64(id[:8], uint64(l.lastID)>>12<<16|version|uint64(l.lastID)&0xfff)
	e.ID = id.String()
	return nil
}

// Before returns what stands just before the first id of that time, for [store.Events.ListEvents].
func Before(t time.Time) string {
	if t.UnixMilli() <= 0 {
		return ""
	}
	hex := fmt.Sprintf("%012x", t.UnixMilli())
	return hex[:8] + "-" + hex[8:]
}

// Say writes e to the server's log, without what tells accounts apart.
func (l *Log) Say(ctx context.Context, e store.Event) {
	line := []slog.Attr{
		slog.String("kind", e.Kind), slog.String("method", e.Method), slog.String("result", e.Result), slog.String("reason", e.Reason),
		slog.String("user", e.UserID), slog.String("client", e.Client), slog.String("request_id", e.RequestID), slog.Int64("count", e.Count),
	}
	if e.Actor != "" {
		line = append(line, slog.String("actor", e.Actor))
	}
	l.log.LogAttrs(ctx, slog.LevelInfo, "audit", line...)
}

// Close writes what waits and what is still being counted. Nothing can be recorded after it.
func (l *Log) Close(ctx context.Context) error {
	l.mu.Lock()
	l.closed = true
	if l.refusals.timer != nil {
		l.refusals.timer.Stop()
	}
	l.mu.Unlock()
	written := make(chan struct{})
	go func() {
		l.running.Wait() // a batch that fails has told those who wait for it
		close(written)
	}()
	select {
	case <-written:
		return l.flush(ctx)
	case <-ctx.Done():
		return fmt.Errorf("audit: %w", ctx.Err())
	}
}
