package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/countersign-auth/countersign/internal/store"
)

const (
	// patience bounds every verb, the wait for a connection and all attempts included.
	patience = 5 * time.Second
	// maxAttempts bounds how often a verb is tried, and attemptPause how long it waits before the second time; before the third
	// twice that, and so on.
	maxAttempts  = 4
	attemptPause = 25 * time.Millisecond
)

// fate is what has become of an attempt.
type fate int

const (
	// settled: the server has answered, and would answer the same again.
	settled fate = iota
	// undone: nothing was written, and it may be tried again.
	undone
	// lost: nobody knows whether it was written.
	lost
)

// try has attempt do a verb's work on a connection, again when a fault has kept it from that. Attempt returns what has become
// of it if the connection broke under its error.
//
// A ctx that ends keeps an attempt from being begun. One that has begun goes on to its end: to break it off would cost
// the connection, and leave open what was written.
func (p *Postgres) try(ctx context.Context, v verdict, attempt func(context.Context, *sql.Conn) (fate, error)) error {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	deadline, _ := waiting.Deadline()
	running, cancelRunning := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	defer cancelRunning()
	var maybe bool // written
	for n := 1; ; n++ {
		f, err := p.once(waiting, running, attempt)
		if f == settled && maybe && isSentinel(err) && v != nil {
			return v(waiting, err)
		}
		maybe = maybe || f == lost
		if f == settled || n == maxAttempts || !pause(waiting, n) {
			return final(ctx, err, maybe)
		}
	}
}

// final is the error of a verb that is given up or done.
func final(ctx context.Context, err error, maybe bool) error {
	switch {
	case err == nil || isSentinel(err):
		return err
	case maybe:
		return fmt.Errorf("%w: an answer was lost: %w", store.ErrUnavailable, err)
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	default:
		return translatePostgres(err)
	}
}

// pause waits before another attempt, each time longer and never as long as others, and reports whether there is time for it.
func pause(ctx context.Context, n int) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Duration(n)*attemptPause/2 + rand.N(time.Duration(n)*attemptPause)):
		return true
	}
}

// once makes an attempt on a connection of the pool.
func (p *Postgres) once(waiting, running context.Context, attempt func(context.Context, *sql.Conn) (fate, error)) (fate, error) {
	conn, err := p.db.Conn(waiting)
	if err != nil {
		return undone, fmt.Errorf("%w: no connection: %w", store.ErrUnavailable, err)
	}
	defer conn.Close()
	f, err := attempt(running, conn)
	var answer *pgconn.PgError
	switch {
	case err == nil || isSentinel(err):
		return settled, err
	case errors.Is(err, driver.ErrBadConn): // which the driver returns only if it has sent nothing
		return undone, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	case broken(conn):
		return f, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	case errors.As(err, &answer) && (answer.Code == serializationFailure || answer.Code == deadlockDetected):
		return undone, err
	case errors.As(err, &answer) && answer.Code == readOnly:
		discard(conn) // its server has become a standby, and another may be the primary now
	}
	return settled, translatePostgres(err)
}

// broken reports whether a connection is gone, and with it the answer to what was sent last.
func broken(conn *sql.Conn) (yes bool) {
	err := conn.Raw(func(c any) error {
		yes = c.(*stdlib.Conn).Conn().IsClosed()
		return nil
	})
	return yes || err != nil
}

func discard(conn *sql.Conn) { _ = conn.Raw(func(any) error { return driver.ErrBadConn }) }

// What the server says by SQLSTATE.
const (
	uniqueViolation      = "23505"
	foreignKeyViolation  = "23503"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	readOnly             = "25006"
	lockNotAvailable     = "55P03"
	queryCanceled        = "57014" // by a time limit of the server's
)

// unavailable are the classes of what keeps the server from its work, whatever it was asked: broken connections, refused
// ones, missing databases and schemas, exhausted disks, memory and connections, operators, and system errors.
var unavailable = map[string]bool{"08": true, "28": true, "3D": true, "53": true, "57": true, "58": true}

func isSentinel(err error) bool {
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrConflict)
}

// translatePostgres turns the driver's errors into the sentinels of the contract.
func translatePostgres(err error) error {
	var answer *pgconn.PgError
	var connect *pgconn.ConnectError
	switch {
	case err == nil, isSentinel(err), errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrBusy):
		return err
	case errors.Is(err, sql.ErrNoRows):
		return store.ErrNotFound
	case errors.As(err, &connect):
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	case errors.As(err, &answer):
		if sentinel := meaning(answer); sentinel != nil {
			return fmt.Errorf("%w: %w", sentinel, err)
		}
		return err
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, sql.ErrTxDone): // before anything was sent
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	default:
		return err
	}
}

// meaning returns the sentinel that an answer of the server stands for, if any.
func meaning(e *pgconn.PgError) error {
	switch {
	case e.Code == uniqueViolation && e.ConstraintName == "signing_keys_seq": // somebody has written the next key
		return store.ErrConflict
	case e.Code == uniqueViolation:
		return store.ErrExists
	case e.Code == foreignKeyViolation: // of a user who is being deleted
		return store.ErrNotFound
	case e.Code == serializationFailure, e.Code == deadlockDetected:
		return store.ErrBusy
	case unavailable[e.Code[:min(2, len(e.Code))]], e.Code == readOnly, e.Code == lockNotAvailable, e.Code == queryCanceled:
		return store.ErrUnavailable
	default:
		return nil
	}
}
