package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/countersign-auth/countersign/internal/store"
)

const (
	keyColumns = "id, algorithm, private, created_at, signs_at"
	newestKey  = "SELECT id FROM signing_keys ORDER BY seq DESC LIMIT 1"
	insertKey  = "INSERT INTO signing_keys (" + keyColumns + `, seq)
		SELECT $1, $2, $3, $4, $5, coalesce((SELECT max(seq) FROM signing_keys), 0) + 1 WHERE coalesce((` + newestKey + "), '') = $6"
)

// AddKey implements [store.Keys].
func (s *Store) AddKey(ctx context.Context, k store.SigningKey, newest string) error {
	n, err := affected(s.write.ExecContext(ctx, insertKey, k.ID, k.Algorithm, k.Private, micros(k.CreatedAt), micros(k.SignsAt), newest))
	if err == nil && n == 0 {
		return store.ErrConflict
	}
	return err
}

// SigningKeys implements [store.Keys].
func (s *Store) SigningKeys(ctx context.Context) (keys []store.SigningKey, err error) {
	rows, err := s.read.QueryContext(ctx, "SELECT "+keyColumns+" FROM signing_keys ORDER BY seq DESC")
	if err != nil {
		return nil, fmt.Errorf("signing keys: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var k store.SigningKey
		var created, signs int64
		if err := rows.Scan(&k.ID, &k.Algorithm, &k.Private, &created, &signs); err != nil {
			return nil, fmt.Errorf("signing keys: %w", err)
		}
		k.CreatedAt, k.SignsAt = fromMicros(created), fromMicros(signs)
		keys = append(keys, k)
	}
	return keys, rows.Err()
}

// ReplaceKey implements [store.Keys].
func (s *Store) ReplaceKey(ctx context.Context, id string, old, sealed []byte) error {
	return transact(ctx, s.write, func(tx *sql.Tx) error {
		n, err := affected(tx.ExecContext(ctx, "UPDATE signing_keys SET private = $1 WHERE id = $2 AND private = $3", sealed, id, old))
		if err != nil || n == 1 {
			return err
		}
		var one int
		return conflictOr(translate(tx.QueryRowContext(ctx, "SELECT 1 FROM signing_keys WHERE id = $1", id).Scan(&one)))
	})
}

// DeleteKey implements [store.Keys].
func (s *Store) DeleteKey(ctx context.Context, id string) error {
	n, err := affected(s.write.ExecContext(ctx, "DELETE FROM signing_keys WHERE id = $1", id))
	if err == nil && n == 0 {
		return store.ErrNotFound
	}
	return err
}
