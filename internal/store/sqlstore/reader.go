package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// reader is the connections that read, and the statements that are prepared on them: each once, for they are few.
type reader struct {
	db *sql.DB

	mu         sync.RWMutex
	statements map[string]*sql.Stmt
}

func (r *reader) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	r.mu.RLock()
	statement, ok := r.statements[query]
	r.mu.RUnlock()
	if ok {
		return statement, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if statement, ok := r.statements[query]; ok {
		return statement, nil
	}
	statement, err := r.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, translate(err)
	}
	if r.statements == nil {
		r.statements = make(map[string]*sql.Stmt)
	}
	r.statements[query] = statement
	return statement, nil
}

// one scans the one row of a query.
func (r *reader) one(ctx context.Context, query string, args []any, into ...any) error {
	statement, err := r.prepared(ctx, query)
	if err != nil {
		return err
	}
	return translate(statement.QueryRowContext(ctx, args...).Scan(into...))
}

// each calls scan for each row of a query.
func (r *reader) each(ctx context.Context, query string, args []any, scan func(row) error) (err error) {
	statement, err := r.prepared(ctx, query)
	if err != nil {
		return err
	}
	rows, err := statement.QueryContext(ctx, args...)
	if err != nil {
		return translate(err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return translate(rows.Err())
}

func (r *reader) close() (err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, statement := range r.statements {
		err = errors.Join(err, statement.Close())
	}
	r.statements = nil
	return errors.Join(err, r.db.Close())
}
