package sqlstore

import (
	"context"
	"fmt"
	"time"
)

const (
	deleteExpiredCounters = `DELETE FROM counters WHERE expires_at <= $1 AND key IN (
		SELECT key FROM counters WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`
	deleteExpiredSessions = `DELETE FROM sessions WHERE expires_at <= $1 AND id IN (
		SELECT id FROM sessions WHERE sweep_at <= $1 ORDER BY sweep_at LIMIT $2)`
	// putOffSessions has the sweeper look again at those that were used since they were to expire.
	putOffSessions = `UPDATE sessions SET sweep_at = expires_at WHERE expires_at > $1 AND id IN (
		SELECT id FROM sessions WHERE sweep_at <= $1 ORDER BY sweep_at LIMIT $2)`
	deleteExpiredRevocations = `DELETE FROM revocations WHERE expires_at <= $1 AND position IN (
		SELECT position FROM revocations WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`
)

// DeleteExpired implements [store.Sweeper]. Each kind has a commit of its own, so that others wait for none long. If the
// power fails, what was deleted may be there again, and is as dead as before.
func (s *Store) DeleteExpired(ctx context.Context, now time.Time, limit int) (more bool, err error) {
	for _, queries := range [][]string{{deleteExpiredCounters}, {putOffSessions, deleteExpiredSessions}, {deleteExpiredRevocations}} {
		var done int64
		err := s.group.commit(ctx, relaxed, len(queries) == 1, func(w *writer) error {
			done = 0
			for _, query := range queries {
				n, err := w.exec(query, micros(now), limit)
				if err != nil {
					return err
				}
				done += n
			}
			return nil
		})
		if err != nil {
			return false, fmt.Errorf("delete what has expired: %w", err)
		}
		more = more || done >= int64(limit)
	}
	return more, nil
}
