package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/countersign-auth/countersign/internal/store"
)

const keyColumns = "id, algorithm, private, created_at"

// FirstKey implements [store.Keys].
func (s *Store) FirstKey(ctx context.Context, k store.SigningKey) error {
	res, err := s.write.ExecContext(ctx, "INSERT INTO signing_keys ("+keyColumns+`)
		SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT 1 FROM signing_keys)`, k.ID, k.Algorithm, k.Private, micros(k.CreatedAt))
	if err != nil {
		return translate(err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return store.ErrExists
}

// SigningKeys implements [store.Keys].
func (s *Store) SigningKeys(ctx context.Context) (keys []store.SigningKey, err error) {
	rows, err := s.read.QueryContext(ctx, "SELECT "+keyColumns+" FROM signing_keys ORDER BY created_at DESC, id DESC")
	if err != nil {
		return nil, fmt.Errorf("signing keys: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var k store.SigningKey
		var created int64
		if err := rows.Scan(&k.ID, &k.Algorithm, &k.Private, &created); err != nil {
			return nil, fmt.Errorf("signing keys: %w", err)
		}
		k.CreatedAt = fromMicros(created)
		keys = append(keys, k)
	}
	return keys, rows.Err()
}
