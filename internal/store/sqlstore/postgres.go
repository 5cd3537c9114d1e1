package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/countersign-auth/countersign/internal/store"
)

// Postgres is a [store.Store] in a PostgreSQL database. Any number of processes may use the same one.
// It is safe for concurrent use.
type Postgres struct {
	verbs
	config *pgx.ConnConfig
	db     *sql.DB
	pooled bool // another program stands between, and gives each transaction another connection
}

var (
	_ store.Store   = (*Postgres)(nil)
	_ store.Watcher = (*Postgres)(nil)
)

const (
	// minConnections are what a migration takes: one holds a lock meanwhile.
	minConnections = 2
	// connectPatience is how long a connection may take to be made.
	connectPatience = 5 * time.Second
	// connectionLife bounds how long a connection is used, so that a change of addresses behind a name is noticed.
	connectionLife = 30 * time.Minute
	connectionRest = 5 * time.Minute
)

// OpenPostgres opens the database that a URL names, as libpq has them, over that many connections at most, and brings its
// schema up to date. A schema that is newer than this binary is refused.
func OpenPostgres(ctx context.Context, location string, connections int) (*Postgres, error) {
	p, err := OpenPostgresAsIs(ctx, location, connections)
	if err != nil {
		return nil, err
	}
	if err := p.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("database: %w", translatePostgres(err)), p.Close())
	}
	return p, nil
}

// OpenPostgresAsIs is OpenPostgres of a database as it is, whatever schema it has: not every verb will work.
func OpenPostgresAsIs(ctx context.Context, location string, connections int) (*Postgres, error) {
	config, err := postgresConfig(location)
	if err != nil {
		return nil, err
	}
	if connections < minConnections {
		return nil, fmt.Errorf("database: %d connections are too few", connections)
	}
	p := &Postgres{config: config}
	if err := p.look(ctx); err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	if p.pooled && !hasParameter(location, "default_query_exec_mode") {
		config.DefaultQueryExecMode = pgx.QueryExecModeExec // prepares nothing that the next connection would not know
	}
	p.db = stdlib.OpenDB(*config)
	p.db.SetMaxOpenConns(connections)
	p.db.SetMaxIdleConns(connections)
	p.db.SetConnMaxLifetime(connectionLife)
	p.db.SetConnMaxIdleTime(connectionRest)
	p.verbs = verbs{p}
	return p, nil
}

// postgresConfig parses a URL. The driver's error about one may repeat what it could not make out, a password not excluded.
func postgresConfig(location string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(location)
	if err != nil {
		return nil, errors.New("database: it is no URL that PostgreSQL takes, such as postgres://USER@HOST/DATABASE?sslmode=verify-full, " +
			"or a file that it names cannot be read; a % or a / in a password is written %25 or %2F")
	}
	config.ConnectTimeout = min(config.ConnectTimeout, connectPatience)
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "countersign"
	}
	return config, nil
}

func hasParameter(location, name string) bool {
	u, err := url.Parse(location)
	return err == nil && u.Query().Has(name)
}

// look finds out over a first connection what the database is like.
func (p *Postgres) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, p.config)
	if err != nil {
		return translatePostgres(err)
	}
	defer conn.Close(ctx)
	var process uint32
	var encoding string
	err = conn.QueryRow(ctx, "SELECT pg_backend_pid(), current_setting('server_encoding')", pgx.QueryExecModeExec).Scan(&process, &encoding)
	if err != nil {
		return translatePostgres(err)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("its encoding is %s: make one with ENCODING 'UTF8'", encoding)
	}
	p.pooled = process != conn.PgConn().PID()
	return nil
}

// Ping implements [store.Store].
func (p *Postgres) Ping(ctx context.Context) error {
	var one int
	return p.one(ctx, "SELECT 1 FROM revocation_head", nil, &one)
}

// Close implements [store.Store].
func (p *Postgres) Close() error { return p.db.Close() }

// forget has nothing to do: what was deleted leaves the database's files with its next VACUUM, which is the server's own affair.
func (p *Postgres) forget(context.Context) {}

// pick leaves out what others are writing: whoever deletes waits for nobody then, and so never in a circle.
func (p *Postgres) pick() string { return " FOR UPDATE SKIP LOCKED" }

func (p *Postgres) one(ctx context.Context, query string, args []any, into ...any) error {
	return p.try(ctx, nil, func(ctx context.Context, conn *sql.Conn) (fate, error) {
		return undone, conn.QueryRowContext(ctx, query, keepable(args)...).Scan(into...)
	})
}

func (p *Postgres) each(ctx context.Context, query string, args []any, scan func(row) error) error {
	return p.try(ctx, nil, func(ctx context.Context, conn *sql.Conn) (_ fate, err error) {
		rows, err := conn.QueryContext(ctx, query, keepable(args)...)
		if err != nil {
			return undone, err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		f := undone
		for rows.Next() {
			f = settled // what was scanned is not to be scanned again
			if err := scan(rows); err != nil {
				return f, err
			}
		}
		return f, rows.Err()
	})
}

func (p *Postgres) commit(ctx context.Context, c change) error {
	return p.try(ctx, c.verdict, func(ctx context.Context, conn *sql.Conn) (fate, error) {
		if c.single && c.durability == durable {
			return lost, c.do(&postgresTx{ctx, conn})
		}
		return p.transaction(ctx, conn, c)
	})
}

// transaction has a change written in a transaction of its own. Until the commit is sent, whatever breaks undoes it.
func (p *Postgres) transaction(ctx context.Context, conn *sql.Conn, c change) (fate, error) {
	begun, err := conn.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return undone, err
	}
	w := &postgresTx{ctx, begun}
	if c.durability == relaxed {
		_, err = w.exec("SET LOCAL synchronous_commit = off")
	}
	if err == nil {
		err = c.do(w)
	}
	if err != nil {
		_ = begun.Rollback() // a connection that cannot roll back is not used again
		return undone, err
	}
	return lost, begun.Commit()
}
