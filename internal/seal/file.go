package seal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// maxFile bounds a file of master keys.
const maxFile = 64 << 10

// ReadFile returns the text of a file of master keys, for Parse. A file that others may open is refused: who it belongs to
// and their group are what the operator chose.
func ReadFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 && runtime.GOOS != "windows" {
		return "", fmt.Errorf("%s: everybody may open it (mode %o), and it opens all secrets: run chmod 600 on it", path, mode)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s: is too large to be a file of master keys", path)
	}
	return string(text), err
}

// MakeFile makes a file with a new master key, which its owner alone may open. It reports false, and leaves the file as it
// is, if there is one already: of several processes that make it at once, all find the same one. It is durable on return.
func MakeFile(path string) (made bool, err error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".master-key-*") // with mode 0600
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.Remove(tmp.Name())) }()
	_, err = tmp.WriteString(Generate() + "\n")
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return false, err
	}
	// A link, unlike O_EXCL, has the file appear with all that is in it, and unlike a renaming replaces nothing.
	switch err := os.Link(tmp.Name(), path); {
	case errors.Is(err, fs.ErrExist):
		return false, nil
	case err != nil:
		return false, err
	}
	return true, syncFolder(dir)
}

func syncFolder(path string) error {
	if runtime.GOOS == "windows" { // where a folder cannot be synced, and need not be
		return nil
	}
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
