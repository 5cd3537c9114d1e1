package sqlstore

import (
	"context"
	"errors"
	"fmt"
)

// Scrub empties the WAL, in which what was written over stays until it is written over in its turn, into the file, where
// secure_delete has overwritten it. It fails when somebody reads for too long just then.
func (s *Store) Scrub(ctx context.Context) error {
	var busy, pages, moved int
	err := s.read.db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved)
	if err == nil && busy != 0 {
		err = errors.New("somebody else is using it")
	}
	if err != nil {
		return fmt.Errorf("write-ahead log: %w", err)
	}
	return nil
}
