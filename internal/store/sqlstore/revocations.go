package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/countersign-auth/countersign/internal/store"
)

const (
	insertRevocation  = "INSERT INTO revocations (key, expires_at) VALUES ($1, $2)"
	selectRevocations = "SELECT position, key, expires_at FROM revocations WHERE position > $1 ORDER BY position LIMIT $2"
)

// revoke writes revocations. Writers follow one another, so that positions grow in the order of commits.
func revoke(ctx context.Context, tx *sql.Tx, revoked ...store.Revocation) error {
	for _, r := range revoked {
		if _, err := tx.ExecContext(ctx, insertRevocation, r.Key, micros(r.ExpiresAt)); err != nil {
			return translate(err)
		}
	}
	return nil
}

// Revocations implements [store.Revocations].
func (s *Store) Revocations(ctx context.Context, after int64, limit int) (all []store.Revocation, err error) {
	rows, err := s.read.QueryContext(ctx, selectRevocations, after, limit)
	if err != nil {
		return nil, fmt.Errorf("revocations: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r store.Revocation
		var expires int64
		if err := rows.Scan(&r.Position, &r.Key, &expires); err != nil {
			return nil, fmt.Errorf("revocations: %w", err)
		}
		r.ExpiresAt = fromMicros(expires)
		all = append(all, r)
	}
	return all, rows.Err()
}
