package app_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/countersign-auth/countersign"

// layers are the rooms of the server from the outermost to the innermost. A package imports from layers below its own
// only. A package that stands in no room fails the test: give it one here, and in the design.
var layers = [][]string{
	{"cmd/countersign"},
	{"internal/app"},
	{"internal/transfer", "internal/archive", "internal/seed", "internal/admin"},
	{"internal/login/*", "internal/account", "internal/forward", "internal/store/*", "internal/config"},
	{"internal/login", "internal/apikey"},
	{"internal/session"},
	{"internal/token"},
	{"internal/audit", "internal/ratelimit", "internal/revocation"},
	{"internal/api"},
	{"internal/store"},
	{"internal/seal"},
	{"passport/local", "passport/bearer", "passport/basic", "passport/apikey", "passport/mtls", "passport/passporttest"},
	{"passport"},
	{"passport/internal/*", "jwt/jwk", "password"},
	{"jwt"},
	{"problem", "jwt/fetch", "jwt/internal/*", "password/internal/*"},
}

// forTests are the packages that only tests import, or that are tests alone. They may import anything.
var forTests = []string{"clients/js", "internal/testkit", "internal/testkit/*", "internal/store/storetest", "internal/torture"}

func layerOf(name string) int {
	return slices.IndexFunc(layers, func(layer []string) bool { return isOneOf(layer, name) })
}

func isOneOf(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, _ := path.Match(pattern, name)
		return ok
	})
}

func isPublic(name string) bool {
	return !strings.HasPrefix(name, "internal/") && !strings.HasPrefix(name, "cmd/")
}

func TestImportsPointOneWay(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for dec := json.NewDecoder(bytes.NewReader(out)); ; seen++ {
		var pkg struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&pkg); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		checkImports(t, strings.TrimPrefix(pkg.ImportPath, module+"/"), pkg.Imports)
	}
	if seen < 15 {
		t.Errorf("go list found %d packages", seen)
	}
}

func checkImports(t *testing.T, name string, imports []string) {
	t.Helper()
	for _, word := range strings.Split(name, "/") {
		if slices.Contains([]string{"pkg", "util", "utils", "common", "models", "types", "helpers"}, word) {
			t.Errorf("%s: %q says nothing of what is in it", name, word)
		}
	}
	if isOneOf(forTests, name) {
		return
	}
	own := layerOf(name)
	if own < 0 {
		t.Errorf("%s stands in no layer", name)
	}
	for _, imported := range imports {
		other, ok := strings.CutPrefix(imported, module+"/")
		if !ok {
			continue
		}
		switch {
		case isOneOf(forTests, other):
			t.Errorf("%s imports %s, which is for tests", name, other)
		case layerOf(other) <= own:
			t.Errorf("%s imports %s, which is not below it", name, other)
		case isPublic(name) && !isPublic(other):
			t.Errorf("%s is public and imports %s", name, other)
		case strings.HasPrefix(other, "internal/store/") && name != "internal/app":
			t.Errorf("%s imports the store %s; only internal/app may", name, other)
		}
	}
}
