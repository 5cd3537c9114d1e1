// Package need finds what some tests use beyond Go: Node with its packages, Chromium, a MongoDB server's stand-in.
//
// A test whose tool is missing is skipped by name, with the command that would bring it. With CI=true in the
// environment a missing tool is a failure, so that CI cannot be green by skipping.
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

// Node returns a folder below which scripts can import the npm packages listed in internal/testkit/node/package.json.
func Node(t testing.TB) string {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		missing(t, "node")
	}
	_, here, _, _ := runtime.Caller(0)
	dir := filepath.Join(filepath.Dir(here), "..", "node")
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err != nil {
		missing(t, "the npm packages of internal/testkit/node")
	}
	return dir
}

// Chromium returns the path of a Chromium or Chrome binary.
func Chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing(t, "chromium")
	return ""
}

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

func missing(t testing.TB, what string) {
	t.Helper()
	const how = "%s is missing: run `scripts/test-deps.sh` (as root on Debian it installs what is absent)"
	if os.Getenv("CI") == "true" {
		t.Fatalf(how, what)
	}
	t.Skipf("SKIPPED: "+how, what)
}
