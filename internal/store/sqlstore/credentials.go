package sqlstore

import (
	"context"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

const (
	selectCredential = "SELECT method, key, user_id, data, created_at, updated_at, version FROM credentials WHERE method = $1 AND key = $2"
	hasCredential    = "SELECT 1 FROM credentials WHERE method = $1 AND key = $2"
	insertCredential = `INSERT INTO credentials (method, key, user_id, data, created_at, updated_at, version)
		VALUES ($1, $2, $3, $4, $5, $6, 1)`
	updateCredential = `UPDATE credentials SET data = $1, updated_at = $2, version = version + 1
		WHERE method = $3 AND key = $4 AND user_id = $5 AND version = $6`
)

// Credential implements [store.Credentials].
func (s *Store) Credential(ctx context.Context, method, key string) (c store.Credential, err error) {
	var created, updated int64
	err = s.read.one(ctx, selectCredential, []any{method, key}, &c.Method, &c.Key, &c.UserID, &c.Data, &created, &updated, &c.Version)
	if err != nil {
		return store.Credential{}, err
	}
	c.CreatedAt, c.UpdatedAt = fromMicros(created), fromMicros(updated)
	return c, nil
}

// UpdateCredential implements [store.Credentials].
func (s *Store) UpdateCredential(ctx context.Context, c store.Credential) error {
	return s.commitSingle(ctx, func(w *writer) error { return changeCredential(w, c) })
}

// ChangeCredential implements [store.Credentials].
func (s *Store) ChangeCredential(ctx context.Context, c store.Credential, keep string, until time.Time) error {
	return s.commit(ctx, func(w *writer) error {
		if err := changeCredential(w, c); err != nil {
			return err
		}
		_, err := endSessions(w, until, deleteSessions, c.UserID, "", keep)
		return err
	})
}

func changeCredential(w *writer, c store.Credential) error {
	n, err := w.exec(updateCredential, c.Data, micros(c.UpdatedAt), c.Method, c.Key, c.UserID, c.Version)
	if err != nil || n == 1 {
		return err
	}
	return w.conflictIf(hasCredential, c.Method, c.Key)
}
