package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/pressly/goose/v3"

	"github.com/countersign-auth/countersign/internal/store"
)

var (
	_ store.Versioned = (*Store)(nil)
	_ store.Versioned = (*Postgres)(nil)
)

// Schema implements [store.Versioned]. That a file has none is an error: it is another program's.
func (s *Store) Schema(ctx context.Context) (current, newest int64, err error) {
	return schema(ctx, s.read.db)
}

// schema returns the versions of an SQLite file and of this binary.
func schema(ctx context.Context, db *sql.DB) (current, newest int64, err error) {
	provider, err := sqliteMigrator(db)
	if err != nil {
		return 0, 0, err
	}
	return versions(ctx, db, "goose_db_version", provider)
}

// Schema implements [store.Versioned].
func (p *Postgres) Schema(ctx context.Context) (current, newest int64, err error) {
	provider, err := p.migrator()
	if err != nil {
		return 0, 0, err
	}
	var made bool
	if err := p.db.QueryRowContext(ctx, "SELECT to_regclass($1) IS NOT NULL", postgresVersions).Scan(&made); err != nil {
		return 0, 0, fmt.Errorf("schema version: %w", translatePostgres(err))
	}
	if !made {
		return 0, newestOf(provider), nil
	}
	return versions(ctx, p.db, postgresVersions, provider)
}

func versions(ctx context.Context, db *sql.DB, table string, provider *goose.Provider) (current, newest int64, err error) {
	row := db.QueryRowContext(ctx, "SELECT coalesce(max(version_id), 0) FROM "+table+" WHERE is_applied")
	if err := row.Scan(&current); err != nil {
		return 0, 0, fmt.Errorf("schema version: %w", translate(err))
	}
	return current, newestOf(provider), nil
}

func newestOf(provider *goose.Provider) int64 {
	sources := provider.ListSources() // in the order of their versions
	return sources[len(sources)-1].Version
}
