package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

var _ store.Watcher = (*Store)(nil)

// watchEvery is how often Watch looks. A look reads a number from shared memory.
const watchEvery = 100 * time.Millisecond

const (
	// dataVersion changes when another connection has committed, whoever has it.
	dataVersion = "PRAGMA data_version"
	// news changes when there is something for those who watch. It spares them all else that this process and others commit.
	news = `SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'revocations'), 0) || ' ' ||
		coalesce((SELECT group_concat(id || ' ' || hex(private), ' ') FROM signing_keys), '') || ' ' ||
		coalesce((SELECT group_concat(name || ' ' || hex(value), ' ') FROM secrets), '')`
)

// Watch implements [store.Watcher]. It looks on a connection of its own, for what that one commits it would not see.
func (s *Store) Watch(ctx context.Context, changed func(), log *slog.Logger) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	w := watcher{path: s.path}
	defer w.forget()
	for failing := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		fresh, err := w.look(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !failing {
			log.LogAttrs(ctx, slog.LevelWarn, "the database cannot be watched: what other processes change is seen later", slog.Any("error", err))
		}
		if fresh || failing && err == nil { // or something may have been missed
			changed()
		}
		failing = err != nil
	}
}

// watcher is what Watch has seen.
type watcher struct {
	path    string
	reader  *reader // nil until it is needed, and after a fault
	version int64
	news    string
}

// look reports whether there is news since the last look. The first look has none.
func (w *watcher) look(ctx context.Context) (fresh bool, err error) {
	defer func() {
		if err != nil && !errors.Is(err, store.ErrBusy) {
			w.forget()
		}
	}()
	first := w.reader == nil
	if first {
		db, err := open(w.path, 1, busyTimeout)
		if err != nil {
			return false, err
		}
		w.reader = &reader{db: db}
	}
	// Not as a prepared statement: its first step would answer for all.
	var version int64
	if err := w.reader.db.QueryRowContext(ctx, dataVersion).Scan(&version); err != nil {
		return false, fmt.Errorf("watch: %w", translate(err))
	}
	if version == w.version && !first {
		return false, nil
	}
	var text string
	if err := w.reader.one(ctx, news, nil, &text); err != nil {
		return false, fmt.Errorf("watch: %w", err)
	}
	fresh = text != w.news && !first
	w.version, w.news = version, text
	return fresh, nil
}

// forget closes the connection.
func (w *watcher) forget() {
	if w.reader != nil {
		_ = w.reader.close() // it has only read
		w.reader = nil
	}
}
