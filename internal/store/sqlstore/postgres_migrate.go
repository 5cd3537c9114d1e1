package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"
)

// migrationLock is the number of the advisory lock that whoever migrates holds: the first bytes of "countersign".
const migrationLock = 0x636f756e74657273

// migrate brings the schema up to date. Of many nodes that start at once one does, and the others wait for it. The lock
// belongs to a transaction, which ends with the process, and which a pooler leaves on one connection.
func (p *Postgres) migrate(ctx context.Context) error {
	holder, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = holder.Rollback() }()
	if _, err := holder.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
		return fmt.Errorf("wait for others who migrate: %w", err)
	}
	if err := p.makeSchema(ctx); err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	provider, err := p.migrator()
	if err != nil {
		return err
	}
	return bringUp(ctx, provider)
}

// postgresVersions is the table of the migrations that are done.
const postgresVersions = "countersign_migrations"

func (p *Postgres) migrator() (*goose.Provider, error) {
	return migrator(p.db, goose.DialectPostgres, "migrations/postgres", goose.WithTableName(postgresVersions))
}

// makeSchema makes the schema that search_path names first, when it names one that is absent.
func (p *Postgres) makeSchema(ctx context.Context) error {
	first, _, _ := strings.Cut(p.config.RuntimeParams["search_path"], ",")
	name := strings.Trim(strings.TrimSpace(first), `"`)
	if name == "" || name == "$user" {
		return nil
	}
	var found int
	err := p.db.QueryRowContext(ctx, "SELECT 1 FROM pg_namespace WHERE nspname = $1", name).Scan(&found)
	if err == sql.ErrNoRows {
		_, err = p.db.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+pgx.Identifier{name}.Sanitize())
	}
	return err
}
