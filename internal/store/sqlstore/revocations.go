package sqlstore

import (
	"context"
	"fmt"

	"github.com/countersign-auth/countersign/internal/store"
)

const selectRevocations = "SELECT position, key, expires_at FROM revocations WHERE position > $1 ORDER BY position LIMIT $2"

// Revoke implements [store.Revocations]. Of a fault it may come that they are written twice, which does no harm.
func (s verbs) Revoke(ctx context.Context, revoked ...store.Revocation) error {
	if err := s.commit(ctx, change{do: func(w tx) error { return w.revoke(revoked) }}); err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	return nil
}

// Revocations implements [store.Revocations].
func (s verbs) Revocations(ctx context.Context, after int64, limit int) (all []store.Revocation, err error) {
	err = s.each(ctx, selectRevocations, []any{after, limit}, func(r row) error {
		var x store.Revocation
		var expires int64
		if err := r.Scan(&x.Position, &x.Key, &expires); err != nil {
			return err
		}
		x.ExpiresAt = store.FromMicros(expires)
		all = append(all, x)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("revocations: %w", err)
	}
	return all, nil
}
