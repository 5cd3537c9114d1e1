// Package need finds what some tests use beyond Go: Node with its packages, Python with PyJWT, Chromium, PostgreSQL,
// PgBouncer, a MongoDB server, nginx, Caddy.
//
// A test whose tool is missing is skipped by name, with the command that would bring it. With CI=true in the
// environment a missing tool is a failure, so that CI cannot be green by skipping.
package need

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
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

// JSClient makes sure that there is what builds and runs the client in clients/js.
func JSClient(t testing.TB) {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing(t, tool)
		}
	}
	_, here, _, _ := runtime.Caller(0)
	if _, err := os.Stat(filepath.Join(filepath.Dir(here), "..", "..", "..", "clients", "js", "node_modules")); err != nil {
		missing(t, "the npm packages of clients/js")
	}
}

// Python returns the path of a Python that has PyJWT, with the package that it needs for signatures.
func Python(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} { // the one in the path need not be Debian's, which has Debian's packages
		if path, err := exec.LookPath(name); err == nil && exec.Command(path, "-I", "-c", "import jwt, cryptography").Run() == nil {
			return path
		}
	}
	missing(t, "python3 with python3-jwt and python3-cryptography")
	return ""
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

// Postgres returns the folder of PostgreSQL's binaries.
func Postgres(t testing.TB) string {
	t.Helper()
	dir, err := FindPostgres()
	if err != nil {
		missing(t, "postgresql")
	}
	return dir
}

// FindPostgres returns the folder of PostgreSQL's binaries, of the newest version that is installed.
func FindPostgres() (string, error) {
	path, err := exec.LookPath("postgres")
	if err == nil {
		path, err = filepath.EvalSymlinks(path) // its libraries are beside it
		return filepath.Dir(path), err
	}
	paths, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // where Debian has them
	if len(paths) == 0 {
		return "", err
	}
	// A greater number is longer, or as long and behind.
	return filepath.Dir(slices.MaxFunc(paths, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })), nil
}

// PgBouncer returns the path of PgBouncer.
func PgBouncer(t testing.TB) string {
	t.Helper()
	return server(t, "pgbouncer")
}

// Nginx returns the path of nginx.
func Nginx(t testing.TB) string {
	t.Helper()
	return server(t, "nginx")
}

// Caddy returns the path of Caddy.
func Caddy(t testing.TB) string {
	t.Helper()
	return server(t, "caddy")
}

// server returns the path of a program that may be where only root looks.
func server(t testing.TB, name string) string {
	t.Helper()
	path, err := FindServer(name)
	if err != nil {
		missing(t, name)
	}
	return path
}

// FindServer returns the path of a program that may be where only root looks.
func FindServer(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return exec.LookPath("/usr/sbin/" + name)
	}
	return path, nil
}

func missing(t testing.TB, what string) {
	t.Helper()
	const how = "%s is missing: run `scripts/test-deps.sh` (as root on Debian it installs what is absent)"
	if os.Getenv("CI") == "true" {
		t.Fatalf(how, what)
	}
	t.Skipf("SKIPPED: "+how, what)
}
