package sqlstore

import (
	"context"
	"fmt"

	"github.com/countersign-auth/countersign/internal/store"
)

// Scrub empties the WAL, in which what was written over stays until it is written over in its turn, into the file, where
// secure_delete has overwritten it. It waits for nobody, and returns [store.ErrBusy] when somebody reads or writes just
// then: what is to be gone for certain takes calls until one succeeds.
func (s *Store) Scrub(ctx context.Context) error {
	// TRUNCATE keeps writers out, even while it waits for readers. So it does not wait, and is left what PASSIVE could not
	// move, which keeps nobody out.
	for _, mode := range []string{"PASSIVE", "TRUNCATE"} {
		var busy, pages, moved int
		err := s.scrubber.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &pages, &moved)
		if err == nil && (busy != 0 || moved < pages) {
			err = store.ErrBusy
		}
		if err != nil {
			return fmt.Errorf("write-ahead log: %w", translate(err))
		}
	}
	return nil
}

// forget is Scrub after a write that has removed a secret. If it is in vain just then, the next Scrub makes up for it.
func (s *Store) forget(ctx context.Context) { _ = s.Scrub(ctx) }
