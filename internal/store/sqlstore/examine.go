package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/countersign-auth/countersign/internal/store"
)

var _ store.Examiner = (*Store)(nil)

// mostDamage bounds what is told of a damaged database.
const mostDamage = 20

// Examine implements [store.Examiner]: it reads all of the file. Whoever writes meanwhile does not wait.
func (s *Store) Examine(ctx context.Context) (damage []string, err error) {
	return examine(ctx, s.read.db)
}

func examine(ctx context.Context, db *sql.DB) (damage []string, err error) {
	rows, err := db.QueryContext(ctx, fmt.Sprintf("PRAGMA integrity_check(%d)", mostDamage))
	if err != nil {
		return nil, fmt.Errorf("integrity check: %w", translate(err))
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return nil, err
		}
		if line != "ok" {
			damage = append(damage, strings.ReplaceAll(line, "\n", " "))
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("integrity check: %w", translate(err))
	}
	orphans, err := examineReferences(ctx, db)
	return append(damage, orphans...), err
}

// examineReferences finds what belongs to a user that is not there.
func examineReferences(ctx context.Context, db *sql.DB) (orphans []string, err error) {
	rows, err := db.QueryContext(ctx, `SELECT "table", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2`)
	if err != nil {
		return nil, fmt.Errorf("foreign keys: %w", translate(err))
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var table, parent string
		var n int
		if err := rows.Scan(&table, &parent, &n); err != nil {
			return nil, err
		}
		orphans = append(orphans, fmt.Sprintf("%d rows of %s belong to nothing in %s", n, table, parent))
	}
	return orphans, translate(rows.Err())
}
