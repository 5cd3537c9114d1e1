package need

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// Mongowire returns the path of the bench's MongoDB server (FerretDB, in a module of its own), and builds it when it has changed
// since the last time. The first time takes some minutes.
func Mongowire(t testing.TB) string {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	dir := filepath.Join(filepath.Dir(here), "..", "..", "..", "bench", "mongowire")
	path, err := build(dir, "go.sum", "main.go")
	if err != nil {
		t.Logf("building %s: %v", dir, err)
		missing(t, "the MongoDB server of bench/mongowire")
	}
	return path
}

// build builds the command in a folder unless it was built from files of these contents before, and returns its path.
func build(dir string, sources ...string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, name := range sources {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return "", err
		}
		sum.Write(content)
	}
	path := filepath.Join(cache, "countersign-tests", fmt.Sprintf("%s-%s-%x", filepath.Base(dir), runtime.Version(), sum.Sum(nil)[:8]))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	part := fmt.Sprintf("%s.%d", path, os.Getpid()) // others may build too: who comes last puts the same in the place
	cmd := exec.Command("go", "build", "-o", part, ".")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, os.Rename(part, path)
}
