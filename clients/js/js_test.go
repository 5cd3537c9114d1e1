// Package js_test runs the JavaScript client against a real server: in Node, and in the tabs of a real browser.
package js_test

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/countersign-auth/countersign/internal/testkit/need"
)

// compile makes dist of src, once for all tests. It reads what node is going to read, so that go test knows what its result depends on
// and takes none from its cache that is of something else.
var compile = sync.OnceValues(func() (string, error) {
	for _, pattern := range []string{"*.json", "src/*", "test/*"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		for _, file := range files {
			if _, err := os.ReadFile(file); err != nil {
				return "", err
			}
		}
	}
	out, err := exec.Command("node", "node_modules/typescript/bin/tsc").CombinedOutput()
	return string(out), err
})

// build makes sure that dist is what src says.
func build(t *testing.T) {
	t.Helper()
	need.JSClient(t)
	if out, err := compile(); err != nil {
		t.Fatalf("tsc: %v\n%s", err, out)
	}
}

// runNode runs the tests in a file of test/.
func runNode(t *testing.T, file string, environ ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", "--test", "--test-reporter=tap", "--test-timeout=60000", filepath.Join("test", file))
	cmd.Env = append(os.Environ(), environ...)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "\n# fail 0\n") || strings.Contains(string(out), "\n# tests 0\n") {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestNode(t *testing.T) {
	t.Parallel()
	build(t)
	for file, settings := range map[string][]string{
		"account.test.mjs": nil,
		"fetch.test.mjs":   nil,
		"session.test.mjs": nil,
		"storage.test.mjs": nil,
		"faults.test.mjs":  {"jwt.access_ttl=2s"},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			g, foreign := openGate(t, settings...), openGate(t)
			runNode(t, file, "GATE="+g.URL, "FOREIGN="+foreign.URL)
		})
	}
}

// The server is killed and started again, by the tests themselves.
func TestNodeServerRestarts(t *testing.T) {
	t.Parallel()
	build(t)
	binary := filepath.Join(t.TempDir(), "countersign")
	if out, err := exec.Command("go", "build", "-o", binary, "github.com/countersign-auth/countersign/cmd/countersign").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	runNode(t, "restart.test.mjs", "SERVER="+binary, "GATE=http://"+addr,
		"COUNTERSIGN_LISTEN="+addr, "COUNTERSIGN_DATA="+t.TempDir(), "COUNTERSIGN_PASSWORD_BCRYPT_COST=4", "COUNTERSIGN_JWT_ACCESS_TTL=2s")
}

func TestPackedFiles(t *testing.T) {
	t.Parallel()
	build(t)
	out, err := exec.Command("npm", "pack", "--dry-run", "--json", "--ignore-scripts").Output()
	if err != nil {
		t.Fatal(err)
	}
	var packs []struct{ Files []struct{ Path string } }
	if err := json.Unmarshal(out, &packs); err != nil || len(packs) != 1 {
		t.Fatalf("%v\n%s", err, out)
	}
	var top []string
	for _, f := range packs[0].Files {
		dir, _, in := strings.Cut(f.Path, "/")
		if !in || dir != "dist" || strings.Contains(f.Path, "test") {
			top = append(top, f.Path)
		}
	}
	slices.Sort(top)
	if want := []string{"LICENSE", "README.md", "package.json"}; !slices.Equal(top, want) {
		t.Errorf("beside dist the package has %q, want %q", top, want)
	}
}
