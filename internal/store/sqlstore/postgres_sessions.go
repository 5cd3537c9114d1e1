package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/countersign-auth/countersign/internal/store"
)

// openSession opens a session with all that a login leaves behind.
//
// To write the user, a login waits for whoever writes the same user, and sees them as they are then. All else it sees as it
// was when the statement began, but for the credential, which it locks and so sees anew. Session_seq tells whether another
// login of that user has come between. If one has, who has how many sessions is not known: alone is false, nothing more is
// written, and what holds the lock beforehand does it again.
var openSession = `WITH
	owner AS (UPDATE users SET session_seq = session_seq + 1 WHERE id = $2 AND epoch = $3 AND disabled_at = 0
		RETURNING id, $17::bigint = 0 OR session_seq = (SELECT session_seq FROM users WHERE id = $2) + 1 AS alone),
	proof AS (SELECT 1 FROM credentials WHERE method = $14 AND key = $15 AND version = $16 AND user_id = $2
		AND (SELECT alone FROM owner) FOR SHARE),
	opened AS (INSERT INTO sessions (id, user_id, epoch, generation, chain, methods, brief, device, client, auth_at, created_at,
			last_used_at, expires_at, sweep_at)
		SELECT $1, owner.id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13 FROM owner
		WHERE alone AND ($14 = '' OR EXISTS (SELECT FROM proof)) RETURNING id),
	surplus AS (SELECT id FROM sessions WHERE user_id = $2 AND id <> $1 AND $17::bigint > 0 AND EXISTS (SELECT FROM opened)
		ORDER BY last_used_at DESC, id DESC OFFSET greatest($17::bigint - 1, 0)),
	ended AS (DELETE FROM sessions USING surplus WHERE sessions.id = surplus.id RETURNING sessions.id),
	` + swapped(20, "$19", "EXISTS (SELECT FROM opened)") + `,
	logged AS (` + insertEvents(26, "EXISTS (SELECT FROM opened)") + ` RETURNING id),
	head AS (UPDATE revocation_head SET position = position + (SELECT count(*) FROM ended)
		WHERE EXISTS (SELECT FROM ended) AND (SELECT count(*) FROM swapped) + (SELECT count(*) FROM logged) >= 0 RETURNING position),
	revoked AS (INSERT INTO revocations (position, key, expires_at)
		SELECT head.position + 1 - row_number() OVER (), ended.id, $18 FROM ended, head)
	SELECT (SELECT count(*) FROM opened), (SELECT count(*) FROM owner WHERE NOT alone), (SELECT count(*) FROM ended), ` + whichSwapped

// errContended says that another login of the same user has come between.
var errContended = errors.New("sqlstore: another login of the same user")

// CreateSession implements [store.Sessions].
func (p *Postgres) CreateSession(ctx context.Context, o store.Opening) (done store.Opened, err error) {
	args, err := openingArgs(o)
	if err != nil {
		return store.Opened{}, err
	}
	var attempts int
	err = p.try(ctx, p.sessionOpened(o.Session), func(ctx context.Context, conn *sql.Conn) (fate, error) {
		attempts++
		done, err = opened(&postgresTx{ctx, conn}, o, args)
		if !errors.Is(err, errContended) {
			return lost, err
		}
		f, err := p.transaction(ctx, conn, change{do: func(w tx) error {
			if err := w.lockUser(o.Session.UserID); err != nil {
				return err
			}
			done, err = opened(w, o, args)
			return err
		}})
		if errors.Is(err, errContended) { // the user was not there to be locked, and has come since
			err = fmt.Errorf("%w: %w", store.ErrConflict, err)
		}
		return f, err
	})
	if err == nil && attempts > 1 {
		done.Ended = max(done.Ended, 1) // it may have ended some when its answer was lost: who asks what has ended finds out
		done.Swapped, err = p.recognize(ctx, o.Now, o.Counters, done.Swapped)
	}
	if err != nil {
		return store.Opened{}, err
	}
	return done, nil
}

// opened runs openSession.
func opened(w tx, o store.Opening, args []any) (done store.Opened, err error) {
	var n, others int
	var which string
	if err := w.one(openSession, args, &n, &others, &done.Ended, &which); err != nil {
		return store.Opened{}, err
	}
	switch done.Swapped = flags(which); {
	case n > 0:
		return done, nil
	case others > 0:
		return store.Opened{}, errContended
	default:
		return store.Opened{}, conflictIf(w, hasUser, o.Session.UserID)
	}
}

// openingArgs returns the values of openSession.
func openingArgs(o store.Opening) ([]any, error) {
	args, err := sessionArgs(o.Session)
	args = append(args, o.Proof.Method, o.Proof.Key, o.Proof.Version, int64(o.Limit), store.Micros(o.Until), store.Micros(o.Now))
	args = append(args, counterArrays(o.Counters)...)
	return append(args, eventArrays(o.Events)...), err
}
