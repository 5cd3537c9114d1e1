package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/countersign-auth/countersign/internal/store"
)

const userColumns = "id, email, email_key, roles, data, admin_data, epoch, disabled_at, created_at, updated_at, version"

type row interface{ Scan(...any) error }

// scanned is a user as its columns have it.
type scanned struct {
	user                       store.User
	roles                      []byte
	disabled, created, updated int64
}

// columns returns where the userColumns go.
func (s *scanned) columns() []any {
	u := &s.user
	return []any{&u.ID, &u.Email, &u.EmailKey, &s.roles, &u.Data, &u.AdminData, &u.Epoch, &s.disabled, &s.created, &s.updated, &u.Version}
}

func (s *scanned) result() (u store.User, err error) {
	u = s.user
	u.DisabledAt, u.CreatedAt, u.UpdatedAt = fromMicros(s.disabled), fromMicros(s.created), fromMicros(s.updated)
	u.Roles, err = fromList(s.roles)
	return u, err
}

func scanUser(r row) (store.User, error) {
	var s scanned
	if err := r.Scan(s.columns()...); err != nil {
		return store.User{}, translate(err)
	}
	return s.result()
}

// list returns texts as a JSON array.
func list(texts []string) (string, error) {
	if len(texts) == 0 {
		return "[]", nil
	}
	b, err := json.Marshal(texts)
	return string(b), err
}

// fromList is the inverse of list; an empty one is nil.
func fromList(b []byte) (texts []string, err error) {
	if string(b) == "[]" {
		return nil, nil
	}
	if err := json.Unmarshal(b, &texts); err != nil {
		return nil, fmt.Errorf("a list in the database: %w", err)
	}
	return texts, nil
}

const (
	insertUser       = "INSERT INTO users (" + userColumns + ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1)"
	insertCredential = "INSERT INTO credentials (" + credentialColumns + ") VALUES ($1, $2, $3, $4, $5, $6, 1)"
	selectUser       = "SELECT " + userColumns + " FROM users WHERE id = $1"
	selectUserByKey  = "SELECT " + userColumns + " FROM users WHERE email_key = $1"
)

// CreateUser implements [store.Users].
func (s *Store) CreateUser(ctx context.Context, u store.User, c store.Credential) error {
	roles, err := list(u.Roles)
	if err != nil {
		return err
	}
	return transact(ctx, s.write, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, insertUser, u.ID, u.Email, u.EmailKey, roles, u.Data, u.AdminData, u.Epoch,
			micros(u.DisabledAt), micros(u.CreatedAt), micros(u.UpdatedAt))
		if err != nil {
			return translate(err)
		}
		_, err = tx.ExecContext(ctx, insertCredential, c.Method, c.Key, u.ID, c.Data, micros(c.CreatedAt), micros(c.UpdatedAt))
		return translate(err)
	})
}

// User implements [store.Users].
func (s *Store) User(ctx context.Context, id string) (store.User, error) {
	return scanUser(s.read.QueryRowContext(ctx, selectUser, id))
}

// UserByEmail implements [store.Users].
func (s *Store) UserByEmail(ctx context.Context, key string) (store.User, error) {
	return scanUser(s.read.QueryRowContext(ctx, selectUserByKey, key))
}

const updateUser = `UPDATE users SET email = $1, email_key = $2, roles = $3, data = $4, admin_data = $5, epoch = $6,
	disabled_at = $7, updated_at = $8, version = version + 1 WHERE id = $9 AND version = $10`

// UpdateUser implements [store.Users].
func (s *Store) UpdateUser(ctx context.Context, u store.User, revoked ...store.Revocation) error {
	roles, err := list(u.Roles)
	if err != nil {
		return err
	}
	return transact(ctx, s.write, func(tx *sql.Tx) error {
		n, err := affected(tx.ExecContext(ctx, updateUser, u.Email, u.EmailKey, roles, u.Data, u.AdminData, u.Epoch,
			micros(u.DisabledAt), micros(u.UpdatedAt), u.ID, u.Version))
		if err != nil {
			return err
		}
		if n == 0 {
			_, err := scanUser(tx.QueryRowContext(ctx, selectUser, u.ID))
			return conflictOr(err)
		}
		return revoke(ctx, tx, revoked...)
	})
}

// affected says how many rows a statement has written.
func affected(res sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, translate(err)
	}
	return res.RowsAffected()
}

// conflictOr says why a versioned update met no row, given what a read of that row returned.
func conflictOr(err error) error {
	if err == nil {
		return store.ErrConflict
	}
	return err
}

// DeleteUser implements [store.Users].
func (s *Store) DeleteUser(ctx context.Context, id string, revoked ...store.Revocation) error {
	return transact(ctx, s.write, func(tx *sql.Tx) error {
		n, err := affected(tx.ExecContext(ctx, "DELETE FROM users WHERE id = $1", id))
		if err != nil {
			return err
		}
		if n == 0 {
			return store.ErrNotFound
		}
		return revoke(ctx, tx, revoked...)
	})
}

const listUsers = "SELECT " + userColumns + " FROM users WHERE id > $1 ORDER BY id LIMIT $2"

// ListUsers implements [store.Directory].
func (s *Store) ListUsers(ctx context.Context, after string, limit int) (users []store.User, err error) {
	rows, err := s.read.QueryContext(ctx, listUsers, after, limit)
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
