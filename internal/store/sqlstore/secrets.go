package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/countersign-auth/countersign/internal/store"
)

const selectSecret = "SELECT value FROM secrets WHERE name = $1"

// FirstSecret implements [store.Secrets].
func (s *Store) FirstSecret(ctx context.Context, name string, value []byte) ([]byte, error) {
	var kept []byte
	err := translate(s.read.QueryRowContext(ctx, selectSecret, name).Scan(&kept))
	if errors.Is(err, store.ErrNotFound) {
		if _, err = s.write.ExecContext(ctx, "INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING", name, value); err == nil {
			err = s.write.QueryRowContext(ctx, selectSecret, name).Scan(&kept)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("secret %s: %w", name, err)
	}
	return kept, nil
}

// Secret implements [store.Secrets].
func (s *Store) Secret(ctx context.Context, name string) ([]byte, error) {
	var value []byte
	if err := translate(s.read.QueryRowContext(ctx, selectSecret, name).Scan(&value)); err != nil {
		return nil, fmt.Errorf("secret %s: %w", name, err)
	}
	return value, nil
}

// ReplaceSecret implements [store.Secrets].
func (s *Store) ReplaceSecret(ctx context.Context, name string, old, value []byte) error {
	err := transact(ctx, s.write, func(tx *sql.Tx) error {
		n, err := affected(tx.ExecContext(ctx, "UPDATE secrets SET value = $1 WHERE name = $2 AND value = $3", value, name, old))
		if err != nil || n == 1 {
			return err
		}
		var kept []byte
		return conflictOr(translate(tx.QueryRowContext(ctx, selectSecret, name).Scan(&kept)))
	})
	if err != nil {
		return fmt.Errorf("secret %s: %w", name, err)
	}
	return nil
}
