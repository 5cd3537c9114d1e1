// Package sqlstore keeps the server's records in an SQLite file or in PostgreSQL, by one text of SQL.
package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/countersign-auth/countersign/internal/store"
)

//go:embed migrations
var migrations embed.FS

// Store is a [store.Store] in one SQLite file. Several processes on one host may open the same file.
// It is safe for concurrent use.
type Store struct {
	verbs
	path     string
	write    *sql.DB // one connection: SQLite has one writer, and waiting for it here beats being refused as busy
	group    group   // has that connection
	read     reader
	lookups  reader  // has the file mapped
	scrubber *sql.DB // one connection, which waits for nobody
}

var _ store.Store = (*Store)(nil)

// Open opens the SQLite file at path, makes it and its folder when absent, readable by this user alone, and brings
// its schema up to date. A file with a schema that is newer than this binary is refused.
func Open(ctx context.Context, path string) (*Store, error) {
	if err := prepareFile(path); err != nil {
		return nil, err
	}
	s, err := connect(path)
	if err != nil {
		return nil, err
	}
	if err = writable(ctx, s.write); err == nil {
		err = migrateTogether(ctx, s.write)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("database %s: %w", path, translate(err)), s.Close())
	}
	return s, nil
}

// OpenAsIs opens the SQLite file at path as it is, whatever schema it has: not every verb will work.
func OpenAsIs(path string) (*Store, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	if err := prepareFile(path); err != nil {
		return nil, err
	}
	return connect(path)
}

// connect returns a Store over a file that is there.
func connect(path string) (*Store, error) {
	write, writeErr := open(path, 1, busyTimeout)
	read, readErr := open(path, max(2, runtime.GOMAXPROCS(0)), busyTimeout)
	lookups, lookupErr := open(path, lookupsAtOnce, busyTimeout, fmt.Sprintf("mmap_size(%d)", int64(mapped)))
	scrubber, scrubErr := open(path, 1, 0)
	if err := errors.Join(writeErr, readErr, lookupErr, scrubErr); err != nil { // of the path, and so of all four
		return nil, err
	}
	s := &Store{path: path, write: write, read: reader{db: read}, lookups: reader{db: lookups}, scrubber: scrubber}
	s.verbs = verbs{s}
	s.group.writer.db, s.group.writer.patience = s.write, busyTimeout
	return s, nil
}

// prepareFile makes the file and its folder when absent. SQLite would make it with the umask's rights; it gives its WAL
// the rights of the file. A file that is there is not even opened: to close it again would release the locks that
// this process may hold on it through SQLite (fcntl(2)).
func prepareFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if err := refuseNetworked(path); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		return f.Close()
	}
	if !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("database: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		return fmt.Errorf("database: %s holds private keys and others may open it (mode %o): run chmod 600 on it", path, info.Mode().Perm())
	}
	return nil
}

// busyTimeout is how long other processes may keep anybody from writing before that is an error.
const busyTimeout = 5 * time.Second

// open returns a pool whose connections all carry the pragmas, and some more: given in the DSN, they reach each one. They are
// opened when they are needed, and wait that long for others.
func open(path string, connections int, timeout time.Duration, more ...string) (*sql.DB, error) {
	q := url.Values{
		"_pragma": append([]string{
			fmt.Sprintf("busy_timeout(%d)", timeout.Milliseconds()), "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)",
			"secure_delete(ON)", // writes zeros over what is deleted: no key and no session stays in the file when it is gone
		}, more...),
		"_txlock": {"immediate"},
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// migrationPatience is how long other processes may keep the schema from being brought up to date. One attempt may wait for
// busyTimeout.
const migrationPatience = 2 * busyTimeout

// migrateTogether migrates, even if other processes do so at the same time: each step is whole or not at all, and whoever
// comes second with one looks again how far the schema is.
func migrateTogether(ctx context.Context, db *sql.DB) (err error) {
	const pause = 50 * time.Millisecond
	for deadline := time.Now().Add(migrationPatience); ; {
		if err = migrate(ctx, db); err == nil || !fromOthers(err) || !time.Now().Before(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// fromOthers reports whether an error of a migration may come from another process that migrates: it writes, or what was to
// be made is there. goose does not say which.
func fromOthers(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff { // without what extends it
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT:
		return true
	}
	return false
}

// migrator returns what brings the schema of db up to date by the files of a folder.
func migrator(db *sql.DB, dialect goose.Dialect, folder string, options ...goose.ProviderOption) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, folder)
	if err != nil {
		return nil, err
	}
	provider, err := goose.NewProvider(dialect, db, files, options...)
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	return provider, nil
}

// sqliteMigrator returns what brings the schema of an SQLite file up to date.
func sqliteMigrator(db *sql.DB) (*goose.Provider, error) {
	return migrator(db, goose.DialectSQLite3, "migrations/sqlite")
}

func migrate(ctx context.Context, db *sql.DB) error {
	provider, err := sqliteMigrator(db)
	if err != nil {
		return err
	}
	return bringUp(ctx, provider)
}

// bringUp brings a schema up to date, unless it is newer than this binary.
func bringUp(ctx context.Context, provider *goose.Provider) error {
	current, newest, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("schema version: %w", err)
	}
	if current > newest {
		return errNewer(current, newest)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	return nil
}

// writable returns an error if the database can only be read: it opens all the same. What others write meanwhile is none.
func writable(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err == nil {
		_, err = tx.ExecContext(ctx, "PRAGMA user_version = 0") // as it is: to begin alone does not show it
		err = errors.Join(err, tx.Rollback())
	}
	switch err = translate(err); {
	case errors.Is(err, store.ErrBusy):
		return nil
	case errors.Is(err, store.ErrUnavailable):
		return fmt.Errorf("it cannot be written, or no file beside it: %w", err)
	}
	return err
}

func errNewer(current, newest int64) error {
	return fmt.Errorf("its schema has version %d, and this binary knows up to %d: run a newer countersign", current, newest)
}

// Ping implements [store.Store].
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.read.db.QueryRowContext(ctx, "SELECT 1 FROM (SELECT count(*) FROM signing_keys)").Scan(&one)
}

// Close implements [store.Store]. It waits for the writes that are under way.
func (s *Store) Close() error {
	return errors.Join(s.group.close(), s.scrubber.Close(), s.read.close(), s.lookups.close(), s.write.Close())
}

func (s *Store) commit(ctx context.Context, c change) error {
	return s.group.commit(ctx, c.durability, c.single, func(w *writer) error { return c.do(w) })
}

func (s *Store) one(ctx context.Context, query string, args []any, into ...any) error {
	return s.readerOf(query).one(ctx, query, args, into...)
}

func (s *Store) each(ctx context.Context, query string, args []any, scan func(row) error) error {
	return s.readerOf(query).each(ctx, query, args, scan)
}

func (s *Store) pick() string { return "" } // there is one writer

// translate turns the driver's errors into the sentinels of the contract.
func translate(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, sql.ErrNoRows) {
		return store.ErrNotFound
	}
	var e *sqlite.Error
	if errors.As(err, &e) {
		switch e.Code() {
		case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
			return fmt.Errorf("%w: %w", store.ErrExists, err)
		}
		switch e.Code() & 0xff { // without what extends it
		case sqlite3.SQLITE_BUSY:
			return fmt.Errorf("%w: %w", store.ErrBusy, err)
		case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN:
			return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
		}
	}
	return err
}
