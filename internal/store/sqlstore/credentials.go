package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

const credentialColumns = "method, key, user_id, data, created_at, updated_at, version"

func scanCredential(r row) (c store.Credential, err error) {
	var created, updated int64
	err = r.Scan(&c.Method, &c.Key, &c.UserID, &c.Data, &created, &updated, &c.Version)
	c.CreatedAt, c.UpdatedAt = fromMicros(created), fromMicros(updated)
	return c, translate(err)
}

const selectCredential = "SELECT " + credentialColumns + " FROM credentials WHERE method = $1 AND key = $2"

// Credential implements [store.Credentials].
func (s *Store) Credential(ctx context.Context, method, key string) (store.Credential, error) {
	return scanCredential(s.read.QueryRowContext(ctx, selectCredential, method, key))
}

// UpdateCredential implements [store.Credentials].
func (s *Store) UpdateCredential(ctx context.Context, c store.Credential) error {
	return transact(ctx, s.write, func(tx *sql.Tx) error { return changeCredential(ctx, tx, c) })
}

// ChangeCredential implements [store.Credentials].
func (s *Store) ChangeCredential(ctx context.Context, c store.Credential, keep string, until time.Time) error {
	return transact(ctx, s.write, func(tx *sql.Tx) error {
		if err := changeCredential(ctx, tx, c); err != nil {
			return err
		}
		_, err := endSessions(ctx, tx, until, deleteSessions, c.UserID, "", keep)
		return err
	})
}

const updateCredential = `UPDATE credentials SET data = $1, updated_at = $2, version = version + 1
	WHERE method = $3 AND key = $4 AND user_id = $5 AND version = $6`

func changeCredential(ctx context.Context, tx *sql.Tx, c store.Credential) error {
	n, err := affected(tx.ExecContext(ctx, updateCredential, c.Data, micros(c.UpdatedAt), c.Method, c.Key, c.UserID, c.Version))
	if err != nil || n == 1 {
		return err
	}
	_, err = scanCredential(tx.QueryRowContext(ctx, selectCredential, c.Method, c.Key))
	return conflictOr(err)
}
