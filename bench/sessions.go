package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	_ "modernc.org/sqlite" // registers the driver
)

// fillSessions adds count copies of a session of that address to the database of a
// server that is down: each with an id of its own, and otherwise as it is, whatever
// columns there are.
func fillSessions(ctx context.Context, file, email string, count int) (err error) {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&mode=rw")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	columns, err := columnsOf(ctx, db, "sessions")
	if err != nil {
		return err
	}
	others := slices.DeleteFunc(columns, func(c string) bool { return c == "id" })
	var template string
	err = db.QueryRowContext(ctx, `SELECT s.id FROM sessions s JOIN users u ON u.id = s.user_id WHERE u.email = $1 LIMIT 1`, email).Scan(&template)
	if err != nil {
		return fmt.Errorf("a session to copy: %w", err)
	}
	// As long as a UUID is, and older than any that the server makes from now on.
	insert := fmt.Sprintf(`INSERT INTO sessions (id, %[1]s)
		WITH RECURSIVE n (i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $2)
		SELECT '01900000-0000-7000-8000-' || printf('%%012x', n.i), %[1]s FROM n, sessions s WHERE s.id = $3`, strings.Join(others, ", "))
	const step = 50_000
	for from := 0; from < count; from += step {
		if _, err := db.ExecContext(ctx, insert, from, min(from+step, count), template); err != nil {
			return err
		}
	}
	_, err = db.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
	return err
}

func columnsOf(ctx context.Context, db *sql.DB, table string) (columns []string, err error) {
	rows, err := db.QueryContext(ctx, `SELECT name FROM pragma_table_info($1)`, table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		columns = append(columns, name)
	}
	if len(columns) == 0 {
		return nil, fmt.Errorf("no table %s", table)
	}
	return columns, rows.Err()
}
