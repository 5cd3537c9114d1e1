package sqlstore

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
)

// magicFUSE is the number of a file system that is a program.
const magicFUSE = 0x65735546

// statfs tells of the file system that path is on, or will be. A link is followed, as SQLite does.
func statfs(path string) (found syscall.Statfs_t, err error) {
	err = syscall.Statfs(path, &found)
	if errors.Is(err, fs.ErrNotExist) {
		err = syscall.Statfs(filepath.Dir(path), &found)
	}
	if err != nil {
		return found, fmt.Errorf("file system of %s: %w", path, err)
	}
	return found, nil
}

// refuseNetworked returns an error if path is on a network file system.
func refuseNetworked(path string) error {
	found, err := statfs(path)
	if err != nil {
		return err
	}
	if name := networked(uint32(found.Type)); name != "" {
		return errNetworked(path, name)
	}
	return nil
}

// PlaceOf tells of the place of a database.
func PlaceOf(path string) (p Place, err error) {
	if err := refuseNetworked(path); err != nil {
		return p, err
	}
	found, err := statfs(path)
	if err != nil {
		return p, err
	}
	return Place{Known: true, FUSE: uint32(found.Type) == magicFUSE, Free: int64(found.Bavail) * int64(found.Bsize)}, nil
}
