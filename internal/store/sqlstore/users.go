package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/countersign-auth/countersign/internal/store"
)

const userColumns = "id, email, email_key, disabled_at, created_at, updated_at, version"

type row interface{ Scan(...any) error }

func scanUser(r row) (u store.User, err error) {
	var disabled, created, updated int64
	err = r.Scan(&u.ID, &u.Email, &u.EmailKey, &disabled, &created, &updated, &u.Version)
	u.DisabledAt, u.CreatedAt, u.UpdatedAt = fromMicros(disabled), fromMicros(created), fromMicros(updated)
	return u, translate(err)
}

// CreateUser implements [store.Users].
func (s *Store) CreateUser(ctx context.Context, u store.User, c store.Credential) error {
	return transact(ctx, s.write, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO users ("+userColumns+") VALUES ($1, $2, $3, $4, $5, $6, 1)",
			u.ID, u.Email, u.EmailKey, micros(u.DisabledAt), micros(u.CreatedAt), micros(u.UpdatedAt))
		if err != nil {
			return translate(err)
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO credentials ("+credentialColumns+") VALUES ($1, $2, $3, $4, $5, $6, 1)",
			c.Method, c.Key, u.ID, c.Data, micros(c.CreatedAt), micros(c.UpdatedAt))
		return translate(err)
	})
}

// User implements [store.Users].
func (s *Store) User(ctx context.Context, id string) (store.User, error) {
	return scanUser(s.read.QueryRowContext(ctx, "SELECT "+userColumns+" FROM users WHERE id = $1", id))
}

// UserByEmail implements [store.Users].
func (s *Store) UserByEmail(ctx context.Context, key string) (store.User, error) {
	return scanUser(s.read.QueryRowContext(ctx, "SELECT "+userColumns+" FROM users WHERE email_key = $1", key))
}

// UpdateUser implements [store.Users].
func (s *Store) UpdateUser(ctx context.Context, u store.User) error {
	res, err := s.write.ExecContext(ctx, `UPDATE users SET email = $1, email_key = $2, disabled_at = $3, updated_at = $4, version = version + 1
		WHERE id = $5 AND version = $6`, u.Email, u.EmailKey, micros(u.DisabledAt), micros(u.UpdatedAt), u.ID, u.Version)
	if err != nil {
		return translate(err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 1 {
		return err
	}
	_, err = scanUser(s.write.QueryRowContext(ctx, "SELECT "+userColumns+" FROM users WHERE id = $1", u.ID))
	return conflictOr(err)
}

// conflictOr says why a versioned update met no row, given what a read of that row returned.
func conflictOr(err error) error {
	if err == nil {
		return store.ErrConflict
	}
	return err
}

// DeleteUser implements [store.Users].
func (s *Store) DeleteUser(ctx context.Context, id string) error {
	res, err := s.write.ExecContext(ctx, "DELETE FROM users WHERE id = $1", id)
	if err != nil {
		return translate(err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return store.ErrNotFound
}

// ListUsers implements [store.Directory].
func (s *Store) ListUsers(ctx context.Context, after string, limit int) (users []store.User, err error) {
	rows, err := s.read.QueryContext(ctx, "SELECT "+userColumns+" FROM users WHERE id > $1 ORDER BY id LIMIT $2", after, limit)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		u, err := scanUser(rows)
		if err != nil {
			return nil, err
		}
		users = append(users, u)
	}
	return users, rows.Err()
}

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
	res, err := s.write.ExecContext(ctx, `UPDATE credentials SET data = $1, updated_at = $2, version = version + 1
		WHERE method = $3 AND key = $4 AND user_id = $5 AND version = $6`,
		c.Data, micros(c.UpdatedAt), c.Method, c.Key, c.UserID, c.Version)
	if err != nil {
		return translate(err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 1 {
		return err
	}
	_, err = scanCredential(s.write.QueryRowContext(ctx, selectCredential, c.Method, c.Key))
	return conflictOr(err)
}
