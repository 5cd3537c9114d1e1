package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/countersign-auth/countersign/internal/store"
)

// errOpen says that a database cannot be replaced.
var errOpen = errors.New("a server or another command has the database open: stop it first")

// place puts a file in a place where no database is. A server that has started meanwhile has made one: a link takes no name that
// is taken.
func place(partial, path string) error {
	if _, err := os.Lstat(path); err == nil { // and the log beside it is its own
		return errThere(path)
	}
	if err := noLog(path); err != nil {
		return err
	}
	err := os.Link(partial, path)
	if errors.Is(err, fs.ErrExist) {
		return errThere(path)
	}
	return err
}

// replace puts a file in the place of the database at path, which nobody else can open meanwhile. Whoever began to wait for it has
// an error from SQLite at their first write, as the file is no longer where they have opened it.
func replace(ctx context.Context, partial, path string, now time.Time, r *Restored) (err error) {
	old, err := alone(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, old.Close()) }()
	r.Revocations, r.Lost = old.bequeath(ctx, partial, now)
	if err := ctx.Err(); err != nil { // it may have cost the connection, and its lock
		return err
	}
	if err := syncFile(partial); err != nil {
		return err
	}
	if r.Aside, err = putAside(path, now); err != nil {
		return err
	}
	if runtime.GOOS == "windows" { // replaces no file that anybody has open: no other's, and not this one
		if err := old.Close(); err != nil {
			return err
		}
	}
	return os.Rename(partial, path)
}

// held is a database that nobody else can open until it is closed.
type held struct {
	db     *sql.DB // nil if it is damaged so that SQLite takes it for none
	damage error
	locks  locks // of one that is damaged
}

// alone takes the database at path for itself, all of it in its file. It fails if another process has it open.
func alone(ctx context.Context, path string) (held, error) {
	before, err := os.Stat(path)
	if err != nil {
		return held{}, fmt.Errorf("database: %w", err)
	}
	var h held
	if h.db, err = openFile(path, 0); err != nil {
		return held{}, err
	}
	if err = inOneFile(ctx, h.db); err == nil {
		// In this mode a lock outlives its transaction. It comes second, for it would leave a journal.
		_, err = h.db.ExecContext(ctx, "PRAGMA main.locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT")
	}
	if isDamage(err) { // says nothing of who had it open before: its locks do
		h = held{damage: errors.Join(err, h.db.Close())}
		h.locks, err = lockAll(path)
	}
	if err == nil {
		err = unmoved(path, before)
	}
	if errors.Is(translate(err), store.ErrBusy) {
		err = errOpen
	}
	if err != nil {
		return held{}, errors.Join(err, h.Close())
	}
	return h, nil
}

func isDamage(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_CORRUPT || e.Code()&0xff == sqlite3.SQLITE_NOTADB)
}

// unmoved returns an error if another file has come in the place of what was at path: by another restore.
func unmoved(path string, before fs.FileInfo) error {
	now, err := os.Stat(path)
	if err == nil && !os.SameFile(before, now) {
		err = errOpen
	}
	return err
}

// Close lets others open it. Further calls do nothing.
func (h held) Close() error {
	if h.db == nil {
		return h.locks.Close()
	}
	return h.db.Close()
}

// bequeath has the revocations hold on that the database has and the backup has not: what they end was ended since.
func (h held) bequeath(ctx context.Context, backup string, now time.Time) (n int, err error) {
	if h.db == nil {
		return 0, h.damage
	}
	if _, err := h.db.ExecContext(ctx, "ATTACH $1 AS backup", backup); err != nil {
		return 0, err
	}
	defer func() {
		_, detached := h.db.ExecContext(ctx, "DETACH backup")
		err = errors.Join(err, detached)
	}()
	result, err := h.db.ExecContext(ctx, `INSERT INTO backup.revocations (key, expires_at) SELECT key, expires_at FROM main.revocations AS r
		WHERE expires_at > $1 AND NOT EXISTS (SELECT 1 FROM backup.revocations AS b WHERE b.key = r.key AND b.expires_at >= r.expires_at)
		ORDER BY position`, store.Micros(now))
	if err != nil {
		return 0, err
	}
	inherited, err := result.RowsAffected()
	return int(inherited), err
}

// putAside gives the database at path a further name, with what may be left beside it, and returns that. It is missing from path
// at no moment, for a server that started then would make a new one.
func putAside(path string, now time.Time) (aside string, err error) {
	aside = path + "." + now.UTC().Format("20060102T150405.000Z")
	if err := os.Link(path, aside); err != nil {
		return "", fmt.Errorf("the database that is there: %w", err)
	}
	for _, suffix := range []string{"-wal", "-journal", "-shm"} { // of one that is damaged
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("the database that is there: %w", err)
		}
	}
	return aside, nil
}
