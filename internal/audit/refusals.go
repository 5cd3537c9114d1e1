package audit

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/store"
)

const (
	// minute is how long refusals are counted before they are written.
	minute = time.Minute
	// maxRefusals is how many different ones are counted at once. More than that are one of their kind and reason.
	maxRefusals = 4096
	// others is the subject of those.
	others = "others"
)

// refusals is what was refused. The mu of the log guards it, and flushing what stands below it.
type refusals struct {
	counted []store.Event // one for each refusal, in the order of their first
	index   map[refusal]int
	timer   *time.Timer // writes them; nil when there is nothing to write

	flushing  sync.Mutex
	unwritten []store.Event // what the store has not taken yet
}

// refusal is what makes two of them the same.
type refusal struct{ kind, reason, subject, client string }

// Refused counts something that was refused unchecked: all of one kind, reason, subject and client of a minute become
// one event with their number, written at the minute's end, so that a flood can neither fill the disk nor force a
// commit each. What else the event says is that of the first. Clients are told apart by address, those of IPv6 by
// network (/64), of which everybody has a whole one.
func (l *Log) Refused(e store.Event) {
	e.Result, e.Count, e.Client = Refused, 1, network(e.Client)
	key := refusal{e.Kind, e.Reason, e.Subject, e.Client}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	r := &l.refusals
	if _, ok := r.index[key]; !ok && len(r.index) >= maxRefusals {
		e = store.Event{Kind: e.Kind, Result: Refused, Reason: e.Reason, Subject: others, Count: 1}
		key = refusal{e.Kind, e.Reason, others, ""}
	}
	if i, ok := r.index[key]; ok {
		r.counted[i].Count++
		return
	}
	if r.index == nil {
		r.index = map[refusal]int{}
	}
	r.index[key] = len(r.counted)
	r.counted = append(r.counted, e)
	l.arm()
}

// network returns what the client of that address is counted as, and anything else as it is.
func network(client string) string {
	addr, err := netip.ParseAddr(client)
	if err != nil {
		return client
	}
	return api.Source(addr)
}

// arm sees to it that the refusals are written in a minute.
func (l *Log) arm() {
	if l.refusals.timer == nil && !l.closed {
		l.refusals.timer = time.AfterFunc(minute, l.tick)
	}
}

func (l *Log) tick() {
	l.mu.Lock()
	l.refusals.timer = nil
	l.mu.Unlock()
	if err := l.flush(context.Background()); err != nil {
		l.log.LogAttrs(context.Background(), slog.LevelWarn, "refusals are not in the audit log yet: the store failed", slog.Any("error", err))
		l.mu.Lock()
		l.arm()
		l.mu.Unlock()
	}
}

// flush writes the refusals counted so far in one commit. Those that the store does not take are kept as they are for
// the next time, and those that come meanwhile are counted on, so that there are never more than twice maxRefusals.
func (l *Log) flush(ctx context.Context) error {
	r := &l.refusals
	r.flushing.Lock()
	defer r.flushing.Unlock()
	if err := l.writeRefusals(ctx); err != nil {
		return err
	}
	var err error
	if r.unwritten, err = l.takeRefusals(); err != nil {
		return err
	}
	for _, e := range r.unwritten {
		l.Say(ctx, e)
	}
	return l.writeRefusals(ctx)
}

func (l *Log) writeRefusals(ctx context.Context) error {
	r := &l.refusals
	if len(r.unwritten) == 0 {
		return nil
	}
	err := l.append(ctx, r.unwritten)
	if errors.Is(err, store.ErrExists) {
		// An earlier commit had reached the disk, though its answer did not reach us: all of it or, in a store that has no
		// transactions, a part.
		err = l.appendEach(ctx, r.unwritten)
	}
	if err == nil {
		r.unwritten = nil
	}
	return err
}

// appendEach appends those of events that are not there.
func (l *Log) appendEach(ctx context.Context, events []store.Event) error {
	for _, e := range events {
		if err := l.append(ctx, []store.Event{e}); err != nil && !errors.Is(err, store.ErrExists) {
			return err
		}
	}
	return nil
}

// takeRefusals ends a minute and begins the next.
func (l *Log) takeRefusals() ([]store.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.refusals.counted
	for i := range taken {
		if err := l.stamp(&taken[i]); err != nil {
			return nil, err
		}
	}
	l.refusals.counted, l.refusals.index = nil, nil
	return taken, nil
}
