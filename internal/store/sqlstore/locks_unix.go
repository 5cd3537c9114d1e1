//go:build unix

package sqlstore

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// locks are those that SQLite takes on the files of a database, all of them and for this process alone, until they are closed.
type locks []*os.File

// lockAll takes the locks of the database at path without SQLite, which does not open one that is damaged. Who has opened it
// before has locks as ever: on the bytes of the file by which SQLite locks it, and on those of the memory that the processes share.
func lockAll(path string) (taken locks, err error) {
	for _, file := range []struct {
		name       string
		start, len int64
	}{{path, 1 << 30, 512}, {path + "-shm", 120, 9}} {
		f, err := os.OpenFile(file.name, os.O_RDWR, 0)
		if errors.Is(err, fs.ErrNotExist) && file.name != path {
			continue
		}
		if err != nil {
			return nil, errors.Join(err, taken.Close())
		}
		taken = append(taken, f)
		lock := syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart, Start: file.start, Len: file.len}
		err = syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &lock)
		if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) {
			err = errOpen
		}
		if err != nil {
			return nil, errors.Join(err, taken.Close())
		}
	}
	return taken, nil
}

func (l locks) Close() (err error) {
	for _, f := range l {
		if closed := f.Close(); !errors.Is(closed, fs.ErrClosed) {
			err = errors.Join(err, closed)
		}
	}
	return err
}
