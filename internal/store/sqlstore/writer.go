package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/countersign-auth/countersign/internal/store"
)

// busyPause is how long a writer waits before it tries again to begin a transaction while another process writes.
// SQLite's own waits grow to 100 ms; with them, of two busy processes one has most of the turns.
const busyPause = time.Millisecond

// writer is the one connection that writes, and its statements, which are prepared once. It belongs to whoever runs it.
//
// It watches no context: an interrupt would roll back what others have in the same transaction. Its statements are short.
type writer struct {
	db         *sql.DB
	patience   time.Duration // how long it tries to begin a transaction
	busySince  time.Time     // when it was first refused by those for whom it has patience; zero when it was not
	conn       *sql.Conn     // nil until it is needed
	statements map[string]*sql.Stmt
	durability durability // of the connection now
}

// commit writes a batch in one transaction, and tells each of its callers what has come of it.
func (w *writer) commit(d durability, batch []*write) {
	err := w.begin(d)
	if err == nil {
		if !w.apply(batch) {
			w.rollback()
			if len(batch) > 1 { // one has met a fault, and the others are to hear no more of it than that they take longer
				for i := range batch {
					batch[i].err = nil
					w.commit(d, batch[i:i+1])
				}
				return
			}
		} else if _, err = w.exec("COMMIT"); err != nil {
			w.rollback()
		}
	}
	for _, write := range batch {
		if err != nil { // even if write has met a conflict: what it met is not written
			write.err = fmt.Errorf("commit: %w", err)
		}
		close(write.done)
	}
}

// apply runs the writes of a batch in a transaction. It reports whether the transaction is as it should be: with all
// of each write or nothing. After a fault it may not be, for SQLite rolls back all of it by itself after some.
func (w *writer) apply(batch []*write) bool {
	for _, write := range batch {
		if !write.begin() {
			continue
		}
		if write.err = w.do(write); write.err != nil && !harmless(write.err) {
			return false
		}
	}
	return true
}

func (w *writer) do(write *write) error {
	if write.single {
		return write.do(w)
	}
	return w.within("one", func() error { return write.do(w) })
}

// within runs a part of a transaction that is whole or, if do returns an error, not at all.
func (w *writer) within(name string, do func() error) error {
	if _, err := w.exec("SAVEPOINT " + name); err != nil {
		return err
	}
	err := do()
	if err != nil {
		if _, fault := w.exec("ROLLBACK TO " + name); fault != nil {
			return errFault{errors.Join(err, fault)}
		}
	}
	if _, fault := w.exec("RELEASE " + name); fault != nil {
		return errFault{errors.Join(err, fault)}
	}
	return err
}

// errFault says that a transaction cannot go on, whatever else it says.
type errFault struct{ error }

func (e errFault) Unwrap() error { return e.error }

// harmless reports whether err leaves the transaction as it was before the statement that met it.
func harmless(err error) bool {
	var fault errFault
	if errors.As(err, &fault) {
		return false
	}
	var e *sqlite.Error
	if errors.As(err, &e) {
		switch e.Code() {
		case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_NOTNULL,
			sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY, sqlite3.SQLITE_CONSTRAINT_CHECK:
			return true
		}
		return false
	}
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrConflict)
}

// begin begins a transaction of that durability, on a new connection when there is none. It returns [store.ErrBusy] when
// other processes have kept w from that for as long as it has patience, with this batch and those before it: a queue of
// many batches is given up as soon as one.
func (w *writer) begin(d durability) error {
	if err := w.connect(d); err != nil {
		w.discard()
		return err
	}
	for {
		_, err := w.exec("BEGIN IMMEDIATE")
		if !errors.Is(err, store.ErrBusy) {
			w.busySince = time.Time{}
			return err
		}
		if w.busySince.IsZero() {
			w.busySince = time.Now()
		}
		if time.Since(w.busySince) >= w.patience {
			return err
		}
		time.Sleep(busyPause)
	}
}

// connect sees to it that there is a connection of that durability. What sets it is not prepared, for it takes effect
// while it is being prepared and not later.
func (w *writer) connect(d durability) error {
	ctx := context.Background()
	if w.conn == nil {
		conn, err := w.db.Conn(ctx)
		if err != nil {
			return err
		}
		w.conn, w.statements, w.durability = conn, make(map[string]*sql.Stmt), durable // as [open] has it
		if _, err := conn.ExecContext(ctx, "PRAGMA busy_timeout=0"); err != nil {      // begin waits by itself
			return err
		}
	}
	if w.durability == d {
		return nil
	}
	level := "PRAGMA synchronous=FULL"
	if d == relaxed {
		level = "PRAGMA synchronous=NORMAL"
	}
	_, err := w.conn.ExecContext(ctx, level)
	w.durability = d
	return err
}

// rollback ends a transaction, or the connection if it refuses that.
func (w *writer) rollback() {
	if _, err := w.exec("ROLLBACK"); err != nil {
		w.discard()
	}
}

// discard closes the connection, with all it may have left open, so that the next transaction begins on a new one.
func (w *writer) discard() {
	_ = w.end(func(conn *sql.Conn) error {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // which closes it, and not only gives it back
		return nil
	})
}

func (w *writer) close() error { return w.end((*sql.Conn).Close) }

// end closes the statements and then, as it must be in this order, the connection.
func (w *writer) end(leave func(*sql.Conn) error) (err error) {
	for _, statement := range w.statements {
		err = errors.Join(err, statement.Close())
	}
	if w.conn != nil {
		err = errors.Join(err, leave(w.conn))
	}
	w.conn, w.statements = nil, nil
	return err
}

func (w *writer) prepared(query string) (*sql.Stmt, error) {
	if statement, ok := w.statements[query]; ok {
		return statement, nil
	}
	if w.conn == nil {
		return nil, errors.New("no connection")
	}
	statement, err := w.conn.PrepareContext(context.Background(), query)
	if err == nil {
		w.statements[query] = statement
	}
	return statement, err
}

// exec runs a statement and says how many rows it has written.
func (w *writer) exec(query string, args ...any) (int64, error) {
	statement, err := w.prepared(query)
	if err != nil {
		return 0, translate(err)
	}
	result, err := statement.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, translate(err)
	}
	return result.RowsAffected()
}

// one scans the one row of a query.
func (w *writer) one(query string, args []any, into ...any) error {
	statement, err := w.prepared(query)
	if err != nil {
		return translate(err)
	}
	return translate(statement.QueryRowContext(context.Background(), args...).Scan(into...))
}

// texts returns the one column of a query.
func (w *writer) texts(query string, args ...any) (all []string, err error) {
	statement, err := w.prepared(query)
	if err != nil {
		return nil, translate(err)
	}
	rows, err := statement.QueryContext(context.Background(), args...)
	if err != nil {
		return nil, translate(err)
	}
	all, err = scanTexts(rows)
	return all, translate(err)
}

// scanTexts returns the one column of rows, and closes them.
func scanTexts(rows *sql.Rows) (all []string, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return all, rows.Err()
}

// lockUser has nothing to do: there is one writer at a time.
func (w *writer) lockUser(string) error { return nil }

const insertRevocation = "INSERT INTO revocations (key, expires_at) VALUES ($1, $2)"

// revoke writes revocations. There is one writer at a time, so that positions grow in the order of commits.
func (w *writer) revoke(revoked []store.Revocation) error {
	for _, r := range revoked {
		if _, err := w.exec(insertRevocation, r.Key, store.Micros(r.ExpiresAt)); err != nil {
			return err
		}
	}
	return nil
}
