package sqlstore

import (
	"context"
	"fmt"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

const (
	credentialColumns = `credentials.method, credentials.key, credentials.user_id, credentials.data, credentials.created_at,
		credentials.updated_at, credentials.version`
	selectCredential = "SELECT " + credentialColumns + " FROM credentials WHERE method = $1 AND key = $2"
	hasCredential    = "SELECT 1 FROM credentials WHERE method = $1 AND key = $2"
	insertCredential = `INSERT INTO credentials (method, key, user_id, data, created_at, updated_at, version)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`
	addCredential = `INSERT INTO credentials (method, key, user_id, data, created_at, updated_at, version)
		SELECT $1, $2, id, $4, $5, $6, $7 FROM users WHERE id = $3`
	// Without the ||, SQLite would go by the primary key through all credentials of the method, to save itself a sort of a few.
	listCredentials = "SELECT " + credentialColumns + " FROM credentials WHERE user_id = $1 AND method || '' = $2 ORDER BY key"

	deleteCredential = "DELETE FROM credentials WHERE method = $1 AND key = $2 AND user_id = $3"
	updateCredential = `UPDATE credentials SET data = $1, updated_at = $2, version = version + 1
		WHERE method = $3 AND key = $4 AND user_id = $5 AND version = $6`
)

// credentialRow is a credential as its columns have it.
type credentialRow struct {
	credential       store.Credential
	created, updated int64
}

// into returns where the credentialColumns go.
func (r *credentialRow) into() []any {
	c := &r.credential
	return []any{&c.Method, &c.Key, &c.UserID, &c.Data, &r.created, &r.updated, &c.Version}
}

func (r *credentialRow) result() store.Credential {
	c := r.credential
	c.CreatedAt, c.UpdatedAt = store.FromMicros(r.created), store.FromMicros(r.updated)
	return c
}

// Credential implements [store.Credentials].
func (s verbs) Credential(ctx context.Context, method, key string) (store.Credential, error) {
	var r credentialRow
	if err := s.one(ctx, selectCredential, []any{method, key}, r.into()...); err != nil {
		return store.Credential{}, err
	}
	return r.result(), nil
}

// AddCredential implements [store.Credentials].
func (s verbs) AddCredential(ctx context.Context, c store.Credential) error {
	c.Version = 1
	add := func(w tx) error {
		n, err := w.exec(addCredential, credentialArgs(c)...)
		if err == nil && n == 0 {
			return store.ErrNotFound
		}
		return err
	}
	return s.commit(ctx, change{single: true, do: add, verdict: s.credentialWritten(c, credentialArgs)})
}

// ListCredentials implements [store.Credentials].
func (s verbs) ListCredentials(ctx context.Context, userID, method string) (credentials []store.Credential, err error) {
	err = s.each(ctx, listCredentials, []any{userID, method}, func(r row) error {
		var c credentialRow
		err := r.Scan(c.into()...)
		credentials = append(credentials, c.result())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list credentials: %w", err)
	}
	return credentials, nil
}

// DeleteCredential implements [store.Credentials].
func (s verbs) DeleteCredential(ctx context.Context, c store.Credential) error {
	remove := func(w tx) error {
		n, err := w.exec(deleteCredential, c.Method, c.Key, c.UserID)
		if err == nil && n == 0 {
			return store.ErrNotFound
		}
		return err
	}
	return s.commit(ctx, change{single: true, do: remove, verdict: gone})
}

// credentialArgs returns the values of insertCredential.
func credentialArgs(c store.Credential) []any {
	return []any{c.Method, c.Key, c.UserID, c.Data, store.Micros(c.CreatedAt), store.Micros(c.UpdatedAt), c.Version}
}

// UpdateCredential implements [store.Credentials].
func (s verbs) UpdateCredential(ctx context.Context, c store.Credential) error {
	update := func(w tx) error { return changeCredential(w, c) }
	return s.commit(ctx, change{single: true, do: update, verdict: s.credentialUpdated(c)})
}

// ChangeCredential implements [store.Credentials].
func (s verbs) ChangeCredential(ctx context.Context, c store.Credential, keep string, until time.Time) error {
	do := func(w tx) error {
		if err := w.lockUser(c.UserID); err != nil {
			return err
		}
		if err := changeCredential(w, c); err != nil {
			return err
		}
		_, err := endSessions(w, until, deleteSessions, c.UserID, "", keep)
		return err
	}
	return s.commit(ctx, change{do: do, verdict: s.credentialUpdated(c)})
}

// credentialUpdate returns the values of updateCredential.
func credentialUpdate(c store.Credential) []any {
	return []any{c.Data, store.Micros(c.UpdatedAt), c.Method, c.Key, c.UserID, c.Version}
}

func changeCredential(w tx, c store.Credential) error {
	n, err := w.exec(updateCredential, credentialUpdate(c)...)
	if err != nil || n == 1 {
		return err
	}
	return conflictIf(w, hasCredential, c.Method, c.Key)
}
