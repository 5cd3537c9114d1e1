package sqlstore

import (
	"context"
	"errors"
	"fmt"
)

// Scrub takes what was replaced and deleted out of the write-ahead log too, by emptying it into the file, where
// secure_delete has overwritten it. It fails while another process reads or writes.
func (s *Store) Scrub(ctx context.Context) error {
	var busy, pages, moved int
	err := s.write.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved)
	if err == nil && busy != 0 {
		err = errors.New("somebody else is using it")
	}
	if err != nil {
		return fmt.Errorf("write-ahead log: %w", err)
	}
	return nil
}
