package sqlstore

import (
	"context"
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
