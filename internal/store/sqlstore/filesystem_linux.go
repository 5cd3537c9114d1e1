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

// magicOf returns the number of the file system that path is on, or will be.
func magicOf(path string) (uint32, error) {
	var found syscall.Statfs_t
	err := syscall.Statfs(path, &found)
	if errors.Is(err, fs.ErrNotExist) {
		err = syscall.Statfs(filepath.Dir(path), &found)
	}
	if err != nil {
		return 0, fmt.Errorf("file system of %s: %w", path, err)
	}
	return uint32(found.Type), nil
}

// refuseNetworked returns an error if path is on a network file system. A link is followed, as SQLite does.
func refuseNetworked(path string) error {
	magic, err := magicOf(path)
	if err != nil {
		return err
	}
	if name := networked(magic); name != "" {
		return errNetworked(path, name)
	}
	return nil
}
