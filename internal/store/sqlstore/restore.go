package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/countersign-auth/countersign/internal/store"
)

// Restoring says how a backup is put in place.
type Restoring struct {
	// Aside, if not empty, is where the database goes that is there. Without it, none may be there.
	Aside string
	// KeepSessions leaves the sessions of the backup as they are.
	KeepSessions bool
	// Now is the clock's time.
	Now time.Time
}

// Restored is what came of it.
type Restored struct {
	Copy
	// Ended is how many sessions were ended.
	Ended int64
	// Revocations is how many of the database that was there hold on.
	Revocations int
	// Lost says why those of the database that was there do not hold on; nil if they do or there was none.
	Lost error
}

// errOpen says that a database cannot be replaced.
var errOpen = errors.New("a server or another command has the database open: stop it first")

// Restore puts the backup in file in the place of the database at path, with its schema brought up to date. It is the whole backup
// or nothing, and the file itself stays as it is. The database must not be open anywhere.
//
// A session of the backup is one of the past: it may have ended since, or gone on, and then its client has a newer token than the
// backup knows. So all sessions are ended, and every user has a new epoch, unless they are to be kept.
func Restore(ctx context.Context, file, path string, how Restoring) (r Restored, err error) {
	if err := restorable(file, path, how.Aside); err != nil {
		return r, err
	}
	partial, err := newBeside(path)
	if err != nil {
		return r, err
	}
	defer os.Remove(partial)
	if err := copyFile(file, partial); err != nil {
		return r, err
	}
	if r, err = prepare(ctx, partial, how); err != nil {
		return r, fmt.Errorf("%s: %w", file, err)
	}
	if how.Aside != "" {
		if err := alone(ctx, path); err != nil {
			return r, err
		}
		r.Revocations, r.Lost = inherit(ctx, path, partial, how.Now)
		if err := putAside(path, how.Aside); err != nil {
			return r, err
		}
	}
	if err := syncFile(partial); err != nil {
		return r, err
	}
	if err := os.Rename(partial, path); err != nil {
		return r, err
	}
	return r, syncFolder(filepath.Dir(path))
}

// restorable looks at what is to be read and what is to be written.
func restorable(file, path, aside string) error {
	if _, err := os.Stat(file); err != nil {
		return err
	}
	for _, suffix := range []string{"-wal", "-journal"} {
		if info, err := os.Stat(file + suffix); err == nil && info.Size() > 0 {
			return fmt.Errorf("%s has a %s beside it: it is a database in use, or half of one; restore takes what `countersign backup` has written", file, file+suffix)
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if err := refuseNetworked(path); err != nil {
		return err
	}
	_, err := os.Lstat(path)
	switch {
	case err == nil && aside == "":
		return fmt.Errorf("there is a database at %s", path)
	case errors.Is(err, fs.ErrNotExist) && aside != "":
		return fmt.Errorf("there is no database at %s to be kept aside", path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if info, err := os.Stat(path + "-wal"); aside == "" && err == nil && info.Size() > 0 {
		return fmt.Errorf("there is %s-wal without its database: move it away, or SQLite takes it for a part of the new one", path)
	}
	return nil
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// prepare checks a copy of a backup and makes it what is to be put in place.
func prepare(ctx context.Context, path string, how Restoring) (r Restored, err error) {
	db, err := openFile(path, 0)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if r.Copy, err = checkCopy(ctx, db, path); err != nil {
		return r, err
	}
	if err := migrate(ctx, db); err != nil {
		return r, err
	}
	if !how.KeepSessions {
		if r.Ended, err = endAll(ctx, db); err != nil {
			return r, err
		}
	}
	return r, inOneFile(ctx, db)
}

// endAll ends the sessions and tokens of everybody.
func endAll(ctx context.Context, db *sql.DB) (sessions int64, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }() // after the commit it does nothing
	ended, err := tx.ExecContext(ctx, "DELETE FROM sessions")
	if err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE users SET epoch = lower(hex(randomblob(16))), version = version + 1"); err != nil {
		return 0, err
	}
	if sessions, err = ended.RowsAffected(); err != nil {
		return 0, err
	}
	return sessions, tx.Commit()
}

// inOneFile has all of a database in its file, with no log beside it. It fails as busy when another process has it open.
func inOneFile(ctx context.Context, db *sql.DB) error {
	var mode string
	return translate(db.QueryRowContext(ctx, "PRAGMA journal_mode = DELETE").Scan(&mode))
}

// alone returns an error if another process has the database open. One that is damaged so that SQLite takes it for none can be
// open nowhere.
func alone(ctx context.Context, path string) error {
	db, err := openFile(path, 0)
	if err != nil {
		return err
	}
	err = inOneFile(ctx, db)
	var e *sqlite.Error
	switch {
	case errors.Is(err, store.ErrBusy):
		err = errOpen
	case errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_CORRUPT || e.Code()&0xff == sqlite3.SQLITE_NOTADB):
		err = nil
	}
	return errors.Join(err, db.Close())
}

// inherit has the revocations hold on that the database at path has and the backup has not: what they end was ended since.
func inherit(ctx context.Context, path, backup string, now time.Time) (n int, err error) {
	db, err := openFile(path, 0)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, "ATTACH $1 AS backup", backup); err != nil {
		return 0, err
	}
	result, err := db.ExecContext(ctx, `INSERT INTO backup.revocations (key, expires_at) SELECT key, expires_at FROM main.revocations AS r
		WHERE expires_at > $1 AND NOT EXISTS (SELECT 1 FROM backup.revocations AS b WHERE b.key = r.key AND b.expires_at >= r.expires_at)
		ORDER BY position`, micros(now))
	if err != nil {
		return 0, err
	}
	inherited, err := result.RowsAffected()
	return int(inherited), err
}

// putAside gives the database at path the further name aside, with what may be left beside it. It is missing from path at no
// moment, for a server that started then would make a new one.
func putAside(path, aside string) error {
	if err := os.Link(path, aside); err != nil {
		return fmt.Errorf("the database that is there: %w", err)
	}
	for _, suffix := range []string{"-wal", "-shm"} { // of one that is damaged
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("the database that is there: %w", err)
		}
	}
	return nil
}
