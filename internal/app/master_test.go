package app_test

import (
	"bytes"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/internal/app"
	"github.com/countersign-auth/countersign/internal/config"
	"github.com/countersign-auth/countersign/internal/seal"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/store/sqlstore"
	"github.com/countersign-auth/countersign/internal/token"
	"github.com/countersign-auth/countersign/jwt"
)

// openApp opens the services over the database in dir, as a process does.
func openApp(t testing.TB, dir string, settings ...string) (*app.App, error) {
	t.Helper()
	environ := []string{"COUNTERSIGN_DATA=" + dir}
	for _, s := range settings {
		environ = append(environ, "COUNTERSIGN_"+s)
	}
	cfg, _, err := config.Load(config.Sources{Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	return app.Open(t.Context(), cfg, cfg.Listen, slog.New(slog.DiscardHandler), nil)
}

// mint opens the services and returns a token of theirs.
func mintIn(t testing.TB, dir string, settings ...string) string {
	t.Helper()
	a, err := openApp(t, dir, settings...)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	access, err := a.Tokens.Mint(token.Grant{User: store.User{ID: "u", Email: "e"}, Session: "s"})
	if err != nil {
		t.Fatal(err)
	}
	return access.Token
}

func verifyIn(t testing.TB, dir, text string, settings ...string) {
	t.Helper()
	a, err := openApp(t, dir, settings...)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := a.Tokens.Verify(t.Context(), text); err != nil {
		t.Errorf("a token of before is refused: %v", err)
	}
}

// refusedIn opens the services and expects to be refused in those words, with nothing changed.
func refusedIn(t testing.TB, dir string, want []string, settings ...string) {
	t.Helper()
	before := secretsOf(t, dir)
	a, err := openApp(t, dir, settings...)
	if err == nil {
		_ = a.Close()
		t.Fatal("it starts")
	}
	for _, word := range want {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("no %q in: %v", word, err)
		}
	}
	if after := secretsOf(t, dir); !bytes.Equal(before, after) {
		t.Error("the refusal has changed the secrets")
	}
}

func openDB(t testing.TB, dir string) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), filepath.Join(dir, "countersign.db"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// secretsOf returns all that is sealed in the database, or should be.
func secretsOf(t testing.TB, dir string) (all []byte) {
	t.Helper()
	s := openDB(t, dir)
	defer s.Close()
	for _, name := range []string{"root", "master"} {
		value, err := s.Secret(t.Context(), name)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		all = append(all, value...)
	}
	keys, err := s.SigningKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		all = append(append(all, k.ID...), k.Private...)
	}
	return all
}

func TestFirstStartMakesAMasterKey(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	text := mintIn(t, dir)
	for path, mode := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "master.key"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	verifyIn(t, dir, text)
	given, err := os.ReadFile(filepath.Join(dir, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.Rename(filepath.Join(dir, "master.key"), file); err != nil {
		t.Fatal(err)
	}
	verifyIn(t, dir, text, "MASTER_KEY="+string(given))
	verifyIn(t, dir, text, "MASTER_KEY_FILE="+file)
	if _, err := os.Stat(filepath.Join(dir, "master.key")); err == nil {
		t.Error("a master key was made though one is given")
	}
}

func TestAMissingMasterKeyRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text, file := mintIn(t, dir), filepath.Join(dir, "master.key")
	key, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	for range 2 { // nor does the second start
		refusedIn(t, dir, []string{"there is none at " + file, "sealed under", "backup", "COUNTERSIGN_MASTER_KEY", "docs/keys.md"})
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a new one was made in silence")
	}
	refusedIn(t, dir, []string{"sealed under", "the key given is"}, "MASTER_KEY="+seal.Generate())
	for content, want := range map[string]string{"": "no master key in it", "junk": "line 1 is no master key", seal.Generate(): "the key given is"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		refusedIn(t, dir, []string{want})
	}
	if err := os.WriteFile(file, key, 0o600); err != nil {
		t.Fatal(err)
	}
	refusedIn(t, dir, []string{"the key given is", "It is in " + file}, "MASTER_KEY="+seal.Generate())
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	refusedIn(t, dir, []string{"chmod 600"})
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	verifyIn(t, dir, text)

	// Without its marker the database is not taken for a new one either.
	damage(t, dir, "DELETE FROM secrets WHERE name = 'master'")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	refusedIn(t, dir, []string{"there is none at"})
}

func TestSealedSecretsKeepTheirPlaces(t *testing.T) {
	t.Parallel()
	for name, statement := range map[string]string{
		"the root in the clear":       "UPDATE secrets SET value = randomblob(32) WHERE name = 'root'",
		"the marker for the root":     "UPDATE secrets SET value = (SELECT value FROM secrets WHERE name = 'master') WHERE name = 'root'",
		"the root for the marker":     "UPDATE secrets SET value = (SELECT value FROM secrets WHERE name = 'root') WHERE name = 'master'",
		"the root for a signing key":  "UPDATE signing_keys SET private = (SELECT value FROM secrets WHERE name = 'root')",
		"a marker in the clear":       "UPDATE secrets SET value = 'countersign: sealing' WHERE name = 'master'",
		"a signing key in the clear":  "UPDATE signing_keys SET private = x'30'",
		"a signing key of another id": "UPDATE signing_keys SET id = 'other'",
	} {
		dir := t.TempDir()
		mintIn(t, dir)
		damage(t, dir, statement)
		if a, err := openApp(t, dir); err == nil {
			_ = a.Close()
			t.Errorf("%s: it starts", name)
		}
	}
}

// What docs/keys.md says to do when the master key is lost.
func TestALostMasterKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := mintIn(t, dir)
	if err := os.Remove(filepath.Join(dir, "master.key")); err != nil {
		t.Fatal(err)
	}
	damage(t, dir, "DELETE FROM secrets; DELETE FROM signing_keys;")
	a, err := openApp(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := a.Tokens.Verify(t.Context(), old); !errors.Is(err, jwt.ErrUnknownKey) {
		t.Errorf("got %v", err)
	}
}

// damage does to the database what no store would.
func damage(t testing.TB, dir, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "countersign.db")+"?_pragma=secure_delete(ON)")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), statements); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestReseal(t *testing.T) {
	t.Parallel()
	dir, first, second := t.TempDir(), seal.Generate(), seal.Generate()
	text := mintIn(t, dir, "MASTER_KEY="+first)
	refusedIn(t, dir, []string{"the key given is"}, "MASTER_KEY="+second)
	both := "MASTER_KEY=" + second + "\n" + first
	verifyIn(t, dir, text, both)
	a, err := openApp(t, dir, both)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Tokens.Rotate(t.Context(), true); err != nil { // sealed under the new key already
		t.Fatal(err)
	}
	if n, err := a.Reseal(t.Context()); n != 3 || err != nil { // the first signing key, the root and the marker
		t.Errorf("%d records, %v", n, err)
	}
	if n, err := a.Reseal(t.Context()); n != 0 || err != nil {
		t.Errorf("again: %d records, %v", n, err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	verifyIn(t, dir, text, "MASTER_KEY="+second)
	refusedIn(t, dir, []string{"the key given is"}, "MASTER_KEY="+first)
}

// A database file is searched for every private key that has ever signed.
func TestNoPrivateKeyIsInTheFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, err := openApp(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	var scalars [][]byte
	for range 3 {
		access, err := a.Tokens.Mint(token.Grant{User: store.User{ID: "u"}, Session: "s"})
		if err != nil {
			t.Fatal(err)
		}
		tok, err := a.Tokens.Verify(t.Context(), access.Token)
		if err != nil {
			t.Fatal(err)
		}
		der, err := tok.Key.MarshalPKCS8()
		if err != nil {
			t.Fatal(err)
		}
		scalars = append(scalars, der[36:68])
		if _, err := a.Tokens.Rotate(t.Context(), true); err != nil {
			t.Fatal(err)
		}
	}
	for _, state := range []string{"running", "stopped"} {
		for _, scalar := range scalars {
			if where := found(t, dir, scalar); where != "" {
				t.Errorf("%s: a private key stands in %s", state, where)
			}
		}
		if state == "running" {
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
