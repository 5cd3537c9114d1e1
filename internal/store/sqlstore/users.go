package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

const (
	userColumns = `users.id, users.email, users.email_key, users.roles, users.data, users.admin_data, users.epoch, users.disabled_at,
		users.created_at, users.updated_at, users.version`
	selectUser       = "SELECT " + userColumns + " FROM users WHERE id = $1"
	selectUserByMail = "SELECT " + userColumns + " FROM users WHERE email_key = $1"
	listUsers        = "SELECT " + userColumns + " FROM users WHERE id > $1 ORDER BY id LIMIT $2"
	// searchFrom and searchAfter have one lower bound each: of two, SQLite goes to the first that it reads, from which it may be
	// far to the other.
	searchFrom  = "SELECT " + userColumns + " FROM users WHERE email_key >= $1 AND email_key < $2 ORDER BY email_key LIMIT $3"
	searchAfter = "SELECT " + userColumns + " FROM users WHERE email_key > $1 AND email_key < $2 ORDER BY email_key LIMIT $3"
	hasUser     = "SELECT 1 FROM users WHERE id = $1"

	insertUser = `INSERT INTO users (id, email, email_key, roles, data, admin_data, epoch, disabled_at, created_at, updated_at, version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`
	updateUser = `UPDATE users SET email = $1, email_key = $2, roles = $3, data = $4, admin_data = $5, epoch = $6,
		disabled_at = $7, updated_at = $8, version = version + 1 WHERE id = $9 AND version = $10`
	deleteUser = "DELETE FROM users WHERE id = $1 RETURNING epoch"
)

// userRow is a user as its columns have it.
type userRow struct {
	user                       store.User
	roles                      []byte
	disabled, created, updated int64
}

// into returns where the userColumns go.
func (r *userRow) into() []any {
	u := &r.user
	return []any{
		&u.ID, &u.Email, &u.EmailKey, &r.roles, &u.Data, &u.AdminData, &u.Epoch, &r.disabled,
		&r.created, &r.updated, &u.Version,
	}
}

func (r *userRow) result() (u store.User, err error) {
	u = r.user
	u.DisabledAt, u.CreatedAt, u.UpdatedAt = store.FromMicros(r.disabled), store.FromMicros(r.created), store.FromMicros(r.updated)
	u.Roles, err = fromList(r.roles)
	return u, err
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

// CreateUser implements [store.Users].
func (s verbs) CreateUser(ctx context.Context, u store.User, c store.Credential, events ...store.Event) error {
	u.Version, c.Version, c.UserID = 1, 1, u.ID
	args, err := userArgs(u)
	if err != nil {
		return err
	}
	return s.commit(ctx, change{do: func(w tx) error {
		if _, err := w.exec(insertUser, args...); err != nil {
			return err
		}
		if _, err := w.exec(insertCredential, credentialArgs(c)...); err != nil {
			return err
		}
		return appendEvents(w, events)
	}})
}

// userArgs returns the values of insertUser.
func userArgs(u store.User) ([]any, error) {
	roles, err := list(u.Roles)
	return []any{
		u.ID, u.Email, u.EmailKey, roles, u.Data, u.AdminData, u.Epoch, store.Micros(u.DisabledAt),
		store.Micros(u.CreatedAt), store.Micros(u.UpdatedAt), u.Version,
	}, err
}

// User implements [store.Users].
func (s verbs) User(ctx context.Context, id string) (store.User, error) {
	return s.user(ctx, selectUser, id)
}

// UserByEmail implements [store.Users].
func (s verbs) UserByEmail(ctx context.Context, key string) (store.User, error) {
	return s.user(ctx, selectUserByMail, key)
}

func (s verbs) user(ctx context.Context, query, key string) (store.User, error) {
	var r userRow
	if err := s.one(ctx, query, []any{key}, r.into()...); err != nil {
		return store.User{}, err
	}
	return r.result()
}

// UpdateUser implements [store.Users].
func (s verbs) UpdateUser(ctx context.Context, u store.User, revoked ...store.Revocation) error {
	args, err := userUpdate(u)
	if err != nil {
		return err
	}
	update := func(w tx) error {
		n, err := w.exec(updateUser, args...)
		if err != nil {
			return err
		}
		if n == 0 {
			return conflictIf(w, hasUser, u.ID)
		}
		return w.revoke(revoked)
	}
	updated := u
	updated.Version++
	return s.commit(ctx, change{do: update, verdict: s.userUpdated(updated)})
}

// userUpdate returns the values of updateUser.
func userUpdate(u store.User) ([]any, error) {
	roles, err := list(u.Roles)
	return []any{
		u.Email, u.EmailKey, roles, u.Data, u.AdminData, u.Epoch, store.Micros(u.DisabledAt), store.Micros(u.UpdatedAt), u.ID, u.Version,
	}, err
}

// DeleteUser implements [store.Users].
func (s verbs) DeleteUser(ctx context.Context, id string, until time.Time) error {
	remove := func(w tx) error {
		var epoch string
		if err := w.one(deleteUser, []any{id}, &epoch); err != nil {
			return err
		}
		return w.revoke([]store.Revocation{{Key: epoch, ExpiresAt: until}})
	}
	return s.commit(ctx, change{do: remove, verdict: gone})
}

// ListUsers implements [store.Directory].
func (s verbs) ListUsers(ctx context.Context, after string, limit int) ([]store.User, error) {
	return s.users(ctx, listUsers, after, limit)
}

// SearchUsers implements [store.Directory].
func (s verbs) SearchUsers(ctx context.Context, prefix, after string, limit int) ([]store.User, error) {
	if after < prefix {
		return s.users(ctx, searchFrom, prefix, store.Behind(prefix), limit)
	}
	return s.users(ctx, searchAfter, after, store.Behind(prefix), limit)
}

func (s verbs) users(ctx context.Context, query string, args ...any) (users []store.User, err error) {
	err = s.each(ctx, query, args, func(r row) error {
		var u userRow
		if err := r.Scan(u.into()...); err != nil {
			return err
		}
		user, err := u.result()
		users = append(users, user)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return users, nil
}
