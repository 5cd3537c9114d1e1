package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Copy is what a copy of a database has.
type Copy struct {
	Users int64
	// Schema is the version of its schema.
	Schema int64
	// Bytes is the length of its file.
	Bytes int64
}

// Backup writes a copy of the database at path to file, which must not exist: all of it as it is at one moment, checked, on the
// disk when Backup returns, and readable by this user alone. Whoever reads or writes meanwhile does not wait; what is written
// meanwhile stays in the write-ahead log, which grows by it.
//
// It is a VACUUM INTO. SQLite's backup API would begin anew whenever another process commits, or else copy all in one step that
// nothing interrupts; and it copies pages, with what was deleted from them and what is damaged in them.
func Backup(ctx context.Context, path, file string) (c Copy, err error) {
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return c, errTaken(file)
	}
	if path, err = followed(path); err != nil {
		return c, err
	}
	db, err := openFile(path, busyTimeout)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, _, err := schema(ctx, db); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	partial, err := newBeside(file)
	if err != nil {
		return c, err
	}
	defer os.Remove(partial)
	if _, err := db.ExecContext(ctx, "VACUUM INTO $1", partial); err != nil {
		return c, fmt.Errorf("backup: %w", translate(err))
	}
	if c, err = checkFile(ctx, partial); err != nil {
		return c, fmt.Errorf("backup: the copy: %w", err)
	}
	return c, publish(partial, file)
}

// openFile opens a database that is there, for one who has it alone or only reads: on one connection, in the journal mode that
// it has.
func openFile(path string, timeout time.Duration) (*sql.DB, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	q := url.Values{
		"_pragma": {fmt.Sprintf("busy_timeout(%d)", timeout.Milliseconds()), "foreign_keys(ON)", "secure_delete(ON)"},
		"_txlock": {"immediate"},
		"mode":    {"rw"},
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// checkFile checks a database that nobody else has open.
func checkFile(ctx context.Context, path string) (c Copy, err error) {
	db, err := openFile(path, 0)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return checkCopy(ctx, db, path)
}

// checkCopy returns what a database has, or an error if it is damaged or none of ours.
func checkCopy(ctx context.Context, db *sql.DB, path string) (c Copy, err error) {
	var newest int64
	if c.Schema, newest, err = schema(ctx, db); err != nil {
		return c, fmt.Errorf("it is no database of Countersign: %w", err)
	}
	if c.Schema > newest {
		return c, errNewer(c.Schema, newest)
	}
	damage, err := examine(ctx, db)
	if err == nil && len(damage) > 0 {
		err = fmt.Errorf("it is damaged: %s", strings.Join(damage, "; "))
	}
	if err != nil {
		return c, err
	}
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM users").Scan(&c.Users); err != nil {
		return c, translate(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return c, err
	}
	c.Bytes = info.Size()
	return c, nil
}

func errTaken(file string) error {
	return fmt.Errorf("%s is there already: a backup never overwrites", file)
}

// newBeside makes an empty file beside file, with an absolute name, that this user alone can read.
func newBeside(file string) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*.partial")
	if err != nil {
		return "", err
	}
	if err := f.Close(); err != nil {
		return "", err
	}
	return filepath.Abs(f.Name())
}

// publish gives a file that is whole its name, if that is not taken, with all of it on the disk.
func publish(partial, file string) error {
	if err := syncFile(partial); err != nil {
		return err
	}
	if err := os.Link(partial, file); errors.Is(err, fs.ErrExist) {
		return errTaken(file)
	} else if err != nil { // not every file system has links
		if err := os.Rename(partial, file); err != nil {
			return err
		}
	}
	return syncFolder(filepath.Dir(file))
}

// syncFolder has the names in a folder written to the disk. On Windows it cannot be asked for, and need not be.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	return syncOpen(os.Open(path))
}

// syncFile has a file written to the disk.
func syncFile(path string) error { return syncOpen(os.OpenFile(path, os.O_RDWR, 0)) }

func syncOpen(f *os.File, err error) error {
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
