package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
)

// Schema returns the version of the database's schema, and the newest that this binary knows. It changes nothing.
func (s *Store) Schema(ctx context.Context) (current, newest int64, err error) {
	return schema(ctx, s.read.db)
}

func schema(ctx context.Context, db *sql.DB) (current, newest int64, err error) {
	row := db.QueryRowContext(ctx, "SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied")
	if err := row.Scan(&current); err != nil {
		return 0, 0, fmt.Errorf("schema version: %w", translate(err))
	}
	provider, err := sqliteMigrator(db)
	if err != nil {
		return 0, 0, err
	}
	sources := provider.ListSources() // in the order of their versions
	return current, sources[len(sources)-1].Version, nil
}
