package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

const sessionColumns = `sessions.id, sessions.user_id, sessions.epoch, sessions.generation, sessions.chain, sessions.methods, sessions.brief,
	sessions.device, sessions.client, sessions.auth_at, sessions.created_at, sessions.last_used_at, sessions.expires_at`

// scannedSession is a session as its columns have it.
type scannedSession struct {
	session                      store.Session
	methods                      []byte
	auth, created, used, expires int64
}

// columns returns where the sessionColumns go.
func (s *scannedSession) columns() []any {
	x := &s.session
	return []any{&x.ID, &x.UserID, &x.Epoch, &x.Generation, &x.Chain, &s.methods, &x.Brief, &x.Device, &x.Client,
		&s.auth, &s.created, &s.used, &s.expires}
}

func (s *scannedSession) result() (x store.Session, err error) {
	x = s.session
	x.AuthAt, x.CreatedAt, x.LastUsedAt, x.ExpiresAt = fromMicros(s.auth), fromMicros(s.created), fromMicros(s.used), fromMicros(s.expires)
	x.Methods, err = fromList(s.methods)
	return x, err
}

const (
	// insertSession inserts nothing when the user is not there, or the proof no longer holds.
	insertSession = `INSERT INTO sessions (id, user_id, epoch, generation, chain, methods, brief, device, client, auth_at, created_at,
			last_used_at, expires_at)
		SELECT $1, users.id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13 FROM users WHERE users.id = $2 AND ($14 = '' OR
			EXISTS (SELECT 1 FROM credentials WHERE method = $14 AND key = $15 AND version = $16 AND user_id = $2))`
	// deleteSurplus deletes of a user's sessions but one those used the longest ago, all but $3 of them.
	deleteSurplus = `DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE user_id = $1 AND id <> $2
		ORDER BY last_used_at DESC, id DESC LIMIT 9223372036854775807 OFFSET $3) RETURNING id`
)

// CreateSession implements [store.Sessions].
func (s *Store) CreateSession(ctx context.Context, x store.Session, proof store.Proof, limit int, until time.Time) error {
	methods, err := list(x.Methods)
	if err != nil {
		return err
	}
	return transact(ctx, s.write, func(tx *sql.Tx) error {
		n, err := affected(tx.ExecContext(ctx, insertSession, x.ID, x.UserID, x.Epoch, x.Generation, x.Chain, methods, x.Brief, x.Device,
			x.Client, micros(x.AuthAt), micros(x.CreatedAt), micros(x.LastUsedAt), micros(x.ExpiresAt), proof.Method, proof.Key, proof.Version))
		if err != nil {
			return err
		}
		if n == 0 {
			_, err := scanUser(tx.QueryRowContext(ctx, selectUser, x.UserID))
			return conflictOr(err)
		}
		if limit > 0 {
			_, err = endSessions(ctx, tx, until, deleteSurplus, x.UserID, x.ID, limit-1)
		}
		return err
	})
}

const selectSession = "SELECT " + sessionColumns + ", users.id, users.email, users.email_key, users.roles, users.data, users.admin_data, " +
	`users.epoch, users.disabled_at, users.created_at, users.updated_at, users.version
	FROM sessions JOIN users ON users.id = sessions.user_id WHERE sessions.id = $1`

// Session implements [store.Sessions].
func (s *Store) Session(ctx context.Context, id string) (store.Session, store.User, error) {
	var session scannedSession
	var user scanned
	if err := s.read.QueryRowContext(ctx, selectSession, id).Scan(append(session.columns(), user.columns()...)...); err != nil {
		return store.Session{}, store.User{}, translate(err)
	}
	x, err := session.result()
	if err != nil {
		return store.Session{}, store.User{}, err
	}
	u, err := user.result()
	return x, u, err
}

const listSessions = "SELECT " + sessionColumns + " FROM sessions WHERE user_id = $1 ORDER BY last_used_at DESC, id DESC"

// ListSessions implements [store.Sessions].
func (s *Store) ListSessions(ctx context.Context, userID string) (sessions []store.Session, err error) {
	rows, err := s.read.QueryContext(ctx, listSessions, userID)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var session scannedSession
		if err := rows.Scan(session.columns()...); err != nil {
			return nil, fmt.Errorf("list sessions: %w", err)
		}
		x, err := session.result()
		if err != nil {
			return nil, err
		}
		sessions = append(sessions, x)
	}
	return sessions, rows.Err()
}

const (
	rotateSession = `UPDATE sessions SET generation = $2, chain = $3, device = $4, client = $5, last_used_at = $6, expires_at = $7
		WHERE id = $1 AND generation = $2 - 1`
	hasSession = "SELECT 1 FROM sessions WHERE id = $1"
)

// RotateSession implements [store.Sessions].
func (s *Store) RotateSession(ctx context.Context, x store.Session) error {
	return transact(ctx, s.write, func(tx *sql.Tx) error {
		n, err := affected(tx.ExecContext(ctx, rotateSession, x.ID, x.Generation, x.Chain, x.Device, x.Client, micros(x.LastUsedAt), micros(x.ExpiresAt)))
		if err != nil || n == 1 {
			return err
		}
		var one int
		return conflictOr(translate(tx.QueryRowContext(ctx, hasSession, x.ID).Scan(&one)))
	})
}

// deleteSessions deletes the sessions of a user, $2 alone unless that is empty, and not $3.
const deleteSessions = "DELETE FROM sessions WHERE user_id = $1 AND ($2 = '' OR id = $2) AND id <> $3 RETURNING id"

// EndSessions implements [store.Sessions].
func (s *Store) EndSessions(ctx context.Context, userID string, which store.Which, until time.Time) (n int, err error) {
	err = transact(ctx, s.write, func(tx *sql.Tx) error {
		n, err = endSessions(ctx, tx, until, deleteSessions, userID, which.Only, which.Except)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// endSessions runs a query that deletes sessions and returns their ids, and writes a revocation of each.
func endSessions(ctx context.Context, tx *sql.Tx, until time.Time, query string, args ...any) (n int, err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return 0, translate(err)
	}
	var revoked []store.Revocation
	for rows.Next() {
		r := store.Revocation{ExpiresAt: until}
		if err := rows.Scan(&r.Key); err != nil {
			return 0, errors.Join(err, rows.Close())
		}
		revoked = append(revoked, r)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return 0, translate(err)
	}
	return len(revoked), revoke(ctx, tx, revoked...)
}
