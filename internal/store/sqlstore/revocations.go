package sqlstore

import (
	"context"
	"fmt"

	"github.com/countersign-auth/countersign/internal/store"
)

const (
	insertRevocation  = "INSERT INTO revocations (key, expires_at) VALUES ($1, $2)"
	selectRevocations = "SELECT position, key, expires_at FROM revocations WHERE position > $1 ORDER BY position LIMIT $2"
)

// revoke writes revocations. There is one writer at a time, so that positions grow in the order of commits.
func revoke(w *writer, revoked []store.Revocation) error {
	for _, r := range revoked {
		if _, err := w.exec(insertRevocation, r.Key, micros(r.ExpiresAt)); err != nil {
			return err
		}
	}
	return nil
}

// Revoke implements [store.Revocations].
func (s *Store) Revoke(ctx context.Context, revoked ...store.Revocation) error {
	if err := s.commit(ctx, func(w *writer) error { return revoke(w, revoked) }); err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	return nil
}

// Revocations implements [store.Revocations].
func (s *Store) Revocations(ctx context.Context, after int64, limit int) (all []store.Revocation, err error) {
	err = s.read.each(ctx, selectRevocations, []any{after, limit}, func(r row) error {
		var x store.Revocation
		var expires int64
		if err := r.Scan(&x.Position, &x.Key, &expires); err != nil {
			return err
		}
		x.ExpiresAt = fromMicros(expires)
		all = append(all, x)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("revocations: %w", err)
	}
	return all, nil
}
