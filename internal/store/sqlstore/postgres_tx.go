package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/countersign-auth/countersign/internal/store"
)

// postgresTx is a transaction, or a connection for what is one by itself.
//
// Transactions read what is committed, statement by statement, and lock what others must not write meanwhile, always in this
// order: the user, credentials, sessions, counters in the order of their keys, the head of the revocations.
type postgresTx struct {
	ctx  context.Context
	conn interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
		QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	}
}

func (w *postgresTx) exec(query string, args ...any) (int64, error) {
	result, err := w.conn.ExecContext(w.ctx, query, keepable(args)...)
	if err != nil {
		return 0, translatePostgres(err)
	}
	return result.RowsAffected()
}

func (w *postgresTx) one(query string, args []any, into ...any) error {
	return translatePostgres(w.conn.QueryRowContext(w.ctx, query, keepable(args)...).Scan(into...))
}

func (w *postgresTx) texts(query string, args ...any) (all []string, err error) {
	rows, err := w.conn.QueryContext(w.ctx, query, keepable(args)...)
	if err != nil {
		return nil, translatePostgres(err)
	}
	all, err = scanTexts(rows)
	return all, translatePostgres(err)
}

func (w *postgresTx) within(name string, do func() error) error {
	if _, err := w.exec("SAVEPOINT " + name); err != nil {
		return err
	}
	err := do()
	if err != nil {
		if _, fault := w.exec("ROLLBACK TO " + name); fault != nil {
			return fault
		}
	}
	if _, fault := w.exec("RELEASE " + name); fault != nil {
		return fault
	}
	return err
}

const lockUser = "SELECT 1 FROM users WHERE id = $1 FOR NO KEY UPDATE"

func (w *postgresTx) lockUser(id string) error {
	var locked int
	if err := w.one(lockUser, []any{id}, &locked); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil // who is not there needs no lock
}

const insertRevocations = `WITH head AS (UPDATE revocation_head SET position = position + $1 RETURNING position - $1 AS before)
	INSERT INTO revocations (position, key, expires_at)
	SELECT head.before + x.place, x.key, x.expires_at FROM head, unnest($2::text[], $3::bigint[]) WITH ORDINALITY AS x (key, expires_at, place)`

func (w *postgresTx) revoke(revoked []store.Revocation) error {
	if len(revoked) == 0 {
		return nil
	}
	var keys []string
	var expires []int64
	for _, r := range revoked {
		keys, expires = append(keys, r.Key), append(expires, store.Micros(r.ExpiresAt))
	}
	_, err := w.exec(insertRevocations, int64(len(revoked)), keys, expires)
	return err
}

// keepable returns args with NULL for each text that PostgreSQL keeps none of, and so nothing that is there is equal to: it
// has NUL or is not UTF-8.
func keepable(args []any) []any {
	for i, arg := range args {
		if text, ok := arg.(string); ok && !keeps(text) {
			args = slices.Clone(args)
			args[i] = nil
		}
	}
	return args
}

func keeps(text string) bool { return utf8.ValidString(text) && strings.IndexByte(text, 0) < 0 }
