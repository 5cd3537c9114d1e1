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
)

// Restoring says how a backup is put in place.
type Restoring struct {
	// Replace has a database that is there replaced, and kept beside it under another name. Without it, none may be there.
	Replace bool
	// KeepSessions leaves the sessions of the backup as they are.
	KeepSessions bool
	// Now is the clock's time.
	Now time.Time
}

// Restored is what came of it.
type Restored struct {
	Copy
	// Aside is where the database is that was there; empty if there was none.
	Aside string
	// Ended is how many sessions were ended.
	Ended int64
	// Revocations is how many of the database that was there hold on.
	Revocations int
	// Lost says why those of the database that was there do not hold on; nil if they do or there was none.
	Lost error
}

// errThere says that nothing is restored over a database.
func errThere(path string) error { return fmt.Errorf("there is a database at %s", path) }

// Restore puts the backup in file in the place of the database at path, with its schema brought up to date. It is the whole backup
// or nothing, and the file itself stays as it is. The database must not be open anywhere, and a server that starts meanwhile has
// either the restored database or an error, or else Restore has the error.
//
// A session of the backup is one of the past: it may have ended since, or gone on, and then its client has a newer token than the
// backup knows. So all sessions are ended, and every user has a new epoch, unless they are to be kept.
func Restore(ctx context.Context, file, path string, how Restoring) (r Restored, err error) {
	if path, err = followed(path); err != nil {
		return r, err
	}
	there, err := restorable(file, path, how.Replace)
	if err != nil {
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
	if err := syncFile(partial); err != nil {
		return r, err
	}
	if there {
		err = replace(ctx, partial, path, how.Now, &r)
	} else {
		err = place(partial, path)
	}
	if err != nil {
		return r, err
	}
	return r, syncFolder(filepath.Dir(path))
}

// followed returns the file that a link at path leads to: SQLite follows it too, and has its log beside that file.
func followed(path string) (string, error) {
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	return target, err
}

// restorable looks at what is to be read and what is to be written, and reports whether there is a database to be replaced.
func restorable(file, path string, replace bool) (there bool, err error) {
	if _, err := os.Stat(file); err != nil {
		return false, err
	}
	if log := logOf(file); log != "" {
		return false, fmt.Errorf("%s has a %s beside it: it is a database in use, or half of one; restore takes what `countersign backup` has written", file, log)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, fmt.Errorf("data folder: %w", err)
	}
	if err := refuseNetworked(path); err != nil {
		return false, err
	}
	_, err = os.Lstat(path)
	switch {
	case err == nil && !replace:
		return true, errThere(path)
	case errors.Is(err, fs.ErrNotExist):
		return false, noLog(path)
	}
	return true, err
}

// logOf returns the name of what SQLite would take for a part of the database at path and is beside it, if anything is.
func logOf(path string) string {
	for _, suffix := range []string{"-wal", "-journal"} {
		if info, err := os.Stat(path + suffix); err == nil && info.Size() > 0 {
			return path + suffix
		}
	}
	return ""
}

// noLog returns an error if a part of a database is at path without the database.
func noLog(path string) error {
	if log := logOf(path); log != "" {
		return fmt.Errorf("there is %s without its database: move it away, or SQLite takes it for a part of the new one", log)
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
