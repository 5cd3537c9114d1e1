package sqlstore

import (
	"context"
	"fmt"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

// sweeps returns the statements that delete what has expired, those of each kind of record together. Pick ends their inner
// queries.
func sweeps(pick string) [][]string {
	picked := func(query string) string { return query + pick + ")" }
	return [][]string{
		{picked(`DELETE FROM counters WHERE expires_at <= $1 AND key IN (
			SELECT key FROM counters WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2`)},
		{
			// The sweeper looks again at those that were used since they were to expire.
			picked(`UPDATE sessions SET sweep_at = expires_at WHERE expires_at > $1 AND id IN (
				SELECT id FROM sessions WHERE sweep_at <= $1 ORDER BY sweep_at LIMIT $2`),
			picked(`DELETE FROM sessions WHERE expires_at <= $1 AND id IN (
				SELECT id FROM sessions WHERE sweep_at <= $1 ORDER BY sweep_at LIMIT $2`),
		},
		{picked(`DELETE FROM revocations WHERE expires_at <= $1 AND position IN (
			SELECT position FROM revocations WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2`)},
	}
}

// DeleteExpired implements [store.Sweeper]. Each kind has a commit of its own, so that others wait for none long. If the
// power fails, what was deleted may be there again, and is as dead as before.
func (s verbs) DeleteExpired(ctx context.Context, now time.Time, limit int) (more bool, err error) {
	for _, queries := range sweeps(s.pick()) {
		var done int64
		err := s.commit(ctx, change{single: len(queries) == 1, durability: relaxed, do: func(w tx) error {
			done = 0
			for _, query := range queries {
				n, err := w.exec(query, store.Micros(now), limit)
				if err != nil {
					return err
				}
				done += n
			}
			return nil
		}})
		if err != nil {
			return false, fmt.Errorf("delete what has expired: %w", err)
		}
		more = more || done >= int64(limit)
	}
	return more, nil
}
