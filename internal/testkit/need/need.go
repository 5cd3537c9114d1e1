// Package need finds what some tests use beyond Go: Node with its packages, Chromium.
//
// A test whose tool is missing is skipped by name, with the command that would bring it. With CI=true in the
// environment a missing tool is a failure, so that CI cannot be green by skipping.
package need

import (
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

func missing(t testing.TB, what string) {
	t.Helper()
	const how = "%s is missing: run `scripts/test-deps.sh` (as root on Debian it installs what is absent)"
	if os.Getenv("CI") == "true" {
		t.Fatalf(how, what)
	}
	t.Skipf("SKIPPED: "+how, what)
}
