package js_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/internal/testkit/snippet"
)

// The quick start runs as it stands in the README, with the package as its installation there leaves it.
func TestQuickStart(t *testing.T) {
	t.Parallel()
	build(t)
	g := openGate(t)
	dir := t.TempDir()
	program := strings.ReplaceAll(snippet.Text(t, "../clients/js/README.md", "quickstart.mjs"), "https://auth.example.com", g.URL)
	if err := os.WriteFile(filepath.Join(dir, "quickstart.mjs"), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(in, name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir = in
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	run(".", "npm", "pack", "--ignore-scripts", "--pack-destination", dir)
	run(dir, "npm", "install", "--offline", "--no-audit", "--no-fund", "./countersign-client-0.1.0.tgz")
	for range 2 { // the second time the address is taken
		const want = "signed-in\nThis is mike@example.com.\n200\nsigned-out\n"
		if got := run(dir, "node", "quickstart.mjs"); got != want {
			t.Errorf("the quick start says %q, want %q", got, want)
		}
	}

	const typed = `import { createClient, CountersignError, type SessionEvent, type User } from '@countersign/client';
const auth = createClient({ baseURL: 'https://auth.example.com', origins: ['https://api.example.com'] });
auth.onChange((event: SessionEvent) => { if (event.type === 'signed-out') console.log(event.reason); });
export const user: User = await auth.profile();
// @ts-expect-error: there is no such mode
createClient({ baseURL: 'https://auth.example.com', session: 'header' });
export const code = (error: unknown): string | undefined => (error instanceof CountersignError ? error.code : undefined);
`
	if err := os.WriteFile(filepath.Join(dir, "typed.mts"), []byte(typed), 0o600); err != nil {
		t.Fatal(err)
	}
	tsc, err := filepath.Abs("node_modules/typescript/bin/tsc")
	if err != nil {
		t.Fatal(err)
	}
	run(dir, "node", tsc, "--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--types", "", "typed.mts")
}
