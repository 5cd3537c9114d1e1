package sqlstore

import (
	"context"
	"fmt"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

const (
	sessionColumns = `sessions.id, sessions.user_id, sessions.epoch, sessions.generation, sessions.chain, sessions.methods, sessions.brief,
		sessions.device, sessions.client, sessions.auth_at, sessions.created_at, sessions.last_used_at, sessions.expires_at`
	selectSession = "SELECT " + sessionColumns + ", " + userColumns + ` FROM sessions JOIN users ON users.id = sessions.user_id
		WHERE sessions.id = $1`
	listSessions = "SELECT " + sessionColumns + " FROM sessions WHERE user_id = $1 ORDER BY last_used_at DESC, id DESC"
	hasSession   = "SELECT 1 FROM sessions WHERE id = $1"

	// insertSession inserts nothing when the user is not there or not as at the login, or the proof no longer holds.
	insertSession = `INSERT INTO sessions (id, user_id, epoch, generation, chain, methods, brief, device, client, auth_at, created_at,
			last_used_at, expires_at, sweep_at)
		SELECT $1, users.id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13 FROM users
		WHERE users.id = $2 AND users.epoch = $3 AND users.disabled_at = 0 AND ($14 = '' OR
			EXISTS (SELECT 1 FROM credentials WHERE method = $14 AND key = $15 AND version = $16 AND user_id = $2))`
	// rotateSession is for the usual case, in which a session expires no sooner than the sweeper looks at it.
	rotateSession = `UPDATE sessions SET generation = $2, chain = $3, device = $4, client = $5, last_used_at = $6, expires_at = $7
		WHERE id = $1 AND generation = $2 - 1 AND sweep_at <= $7`
	rotateAndSweepSooner = `UPDATE sessions SET generation = $2, chain = $3, device = $4, client = $5, last_used_at = $6, expires_at = $7,
		sweep_at = $7 WHERE id = $1 AND generation = $2 - 1 AND sweep_at > $7`
	// deleteSessions deletes the sessions of a user, $2 alone unless that is empty, and not $3.
	deleteSessions = "DELETE FROM sessions WHERE user_id = $1 AND ($2 = '' OR id = $2) AND id <> $3 RETURNING id"
	// deleteSurplus deletes all sessions of a user but $2 and, of the others, the $3 that were used last.
	deleteSurplus = `DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE user_id = $1 AND id <> $2
		ORDER BY last_used_at DESC, id DESC LIMIT 9223372036854775807 OFFSET $3) RETURNING id`
)

// sessionRow is a session as its columns have it.
type sessionRow struct {
	session                      store.Session
	methods                      []byte
	auth, created, used, expires int64
}

// into returns where the sessionColumns go.
func (r *sessionRow) into() []any {
	x := &r.session
	return []any{
		&x.ID, &x.UserID, &x.Epoch, &x.Generation, &x.Chain, &r.methods, &x.Brief,
		&x.Device, &x.Client, &r.auth, &r.created, &r.used, &r.expires,
	}
}

func (r *sessionRow) result() (x store.Session, err error) {
	x = r.session
	x.AuthAt, x.CreatedAt, x.LastUsedAt, x.ExpiresAt = store.FromMicros(r.auth), store.FromMicros(r.created), store.FromMicros(r.used), store.FromMicros(r.expires)
	x.Methods, err = fromList(r.methods)
	return x, err
}

// CreateSession implements [store.Sessions].
func (s verbs) CreateSession(ctx context.Context, o store.Opening) (done store.Opened, err error) {
	args, err := sessionArgs(o.Session)
	if err != nil {
		return store.Opened{}, err
	}
	args = append(args, o.Proof.Method, o.Proof.Key, o.Proof.Version)
	err = s.commit(ctx, change{do: func(w tx) error {
		n, err := w.exec(insertSession, args...)
		if err != nil {
			return err
		}
		if n == 0 {
			return conflictIf(w, hasUser, o.Session.UserID)
		}
		if o.Limit > 0 {
			ended, err := endSessions(w, o.Until, deleteSurplus, o.Session.UserID, o.Session.ID, o.Limit-1)
			if err != nil {
				return err
			}
			done.Ended = len(ended)
		}
		if done.Swapped, err = swapCounters(w, o.Now, o.Counters); err != nil {
			return err
		}
		return appendEvents(w, o.Events)
	}})
	if err != nil {
		return store.Opened{}, err
	}
	return done, nil
}

// sessionArgs returns the values of the columns of a session.
func sessionArgs(x store.Session) ([]any, error) {
	methods, err := list(x.Methods)
	return []any{
		x.ID, x.UserID, x.Epoch, x.Generation, x.Chain, methods, x.Brief, x.Device, x.Client, store.Micros(x.AuthAt),
		store.Micros(x.CreatedAt), store.Micros(x.LastUsedAt), store.Micros(x.ExpiresAt),
	}, err
}

// Session implements [store.Sessions].
func (s verbs) Session(ctx context.Context, id string) (store.Session, store.User, error) {
	var session sessionRow
	var user userRow
	if err := s.one(ctx, selectSession, []any{id}, append(session.into(), user.into()...)...); err != nil {
		return store.Session{}, store.User{}, err
	}
	x, err := session.result()
	if err != nil {
		return store.Session{}, store.User{}, err
	}
	u, err := user.result()
	return x, u, err
}

// ListSessions implements [store.Sessions].
func (s verbs) ListSessions(ctx context.Context, userID string) (sessions []store.Session, err error) {
	err = s.each(ctx, listSessions, []any{userID}, func(r row) error {
		var session sessionRow
		if err := r.Scan(session.into()...); err != nil {
			return err
		}
		x, err := session.result()
		sessions = append(sessions, x)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return sessions, nil
}

// RotateSession implements [store.Sessions].
func (s verbs) RotateSession(ctx context.Context, x store.Session) error {
	args := rotationArgs(x)
	rotate := func(w tx) error {
		for _, query := range []string{rotateSession, rotateAndSweepSooner} { // of which at most one writes
			if n, err := w.exec(query, args...); err != nil || n == 1 {
				return err
			}
		}
		return conflictIf(w, hasSession, x.ID)
	}
	return s.commit(ctx, change{single: true, do: rotate, verdict: s.rotationWritten(x)})
}

// rotationArgs returns the values of rotateSession.
func rotationArgs(x store.Session) []any {
	return []any{x.ID, x.Generation, x.Chain, x.Device, x.Client, store.Micros(x.LastUsedAt), store.Micros(x.ExpiresAt)}
}

// EndSessions implements [store.Sessions].
func (s verbs) EndSessions(ctx context.Context, userID string, which store.Which, until time.Time) (n int, err error) {
	ended := make(map[string]bool) // by any attempt: one of which nobody knows whether it was written has left the others less
	err = s.commit(ctx, change{do: func(w tx) error {
		if err := w.lockUser(userID); err != nil {
			return err
		}
		ids, err := endSessions(w, until, deleteSessions, userID, which.Only, which.Except)
		for _, id := range ids {
			ended[id] = true
		}
		return err
	}})
	if err != nil {
		return 0, err
	}
	return len(ended), nil
}

// endSessions runs a query that deletes sessions and returns their ids, and writes a revocation of each.
func endSessions(w tx, until time.Time, query string, args ...any) (ids []string, err error) {
	ids, err = w.texts(query, args...)
	if err != nil {
		return nil, err
	}
	revoked := make([]store.Revocation, len(ids))
	for i, id := range ids {
		revoked[i] = store.Revocation{Key: id, ExpiresAt: until}
	}
	return ids, w.revoke(revoked)
}
