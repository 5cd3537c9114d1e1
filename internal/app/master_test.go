package app_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

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

// clearDatabase makes a database as the version before sealing did, and returns its secrets: the root key and the private
// half of the signing key.
func clearDatabase(t testing.TB, dir string) (root, der []byte) {
	t.Helper()
	s := openDB(t, dir)
	defer s.Close()
	key, err := jwt.GenerateKey(jwt.ES256, jwt.KeyOptions{ID: "old"})
	if err != nil {
		t.Fatal(err)
	}
	if der, err = key.MarshalPKCS8(); err != nil {
		t.Fatal(err)
	}
	root = make([]byte, 32)
	_, _ = rand.Read(root)
	_, rootErr := s.FirstSecret(t.Context(), "root", root)
	now := time.Now()
	keyErr := s.AddKey(t.Context(), store.SigningKey{ID: "old", Algorithm: "ES256", Private: der, CreatedAt: now, SignsAt: now}, "")
	if err := errors.Join(rootErr, keyErr); err != nil {
		t.Fatal(err)
	}
	return root, der
}

// found reports whether a file of the database holds part of a secret.
func found(t testing.TB, dir string, secret []byte) (where string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "countersign.db*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, secret[:16]) || bytes.Contains(content, secret[len(secret)-16:]) {
			return file
		}
	}
	return ""
}

// What an earlier version left in the clear is sealed in place, used as before, and found in no file any more.
func TestClearSecretsAreSealed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root, der := clearDatabase(t, dir)
	scalar := der[36:68] // the private number; what follows is public
	if found(t, dir, root) == "" || found(t, dir, scalar) == "" {
		t.Fatal("the test does not find what is there")
	}
	a, err := openApp(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string][]byte{"root": root, "signing key": scalar} {
		if where := found(t, dir, secret); where != "" {
			t.Errorf("the %s stands in %s while the server runs", name, where)
		}
	}
	access, err := a.Tokens.Mint(token.Grant{User: store.User{ID: "u"}, Session: "s"})
	if err != nil {
		t.Fatal(err)
	}
	if keys := a.Tokens.Keys(); len(keys) != 1 || keys[0].ID != "old" {
		t.Errorf("keys %+v", keys)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	verifyIn(t, dir, access.Token)
	for _, secret := range [][]byte{root, scalar} {
		if where := found(t, dir, secret); where != "" {
			t.Errorf("a secret stands in %s", where)
		}
	}
	mintIn(t, dir)
	damage(t, dir, "UPDATE secrets SET value = x'"+strings.Repeat("ab", 32)+"' WHERE name = 'root'")
	refusedIn(t, dir, []string{"root key", "not sealed"}) // in the clear again
}

// Whoever is interrupted on the way goes on from there, and ends with the same keys.
func TestSealingGoesOnAfterAnInterruption(t *testing.T) {
	t.Parallel()
	for name, statement := range map[string]string{
		"after the marker":       "UPDATE secrets SET value = x'%root' WHERE name = 'root'; UPDATE signing_keys SET private = x'%key'",
		"after the signing keys": "UPDATE secrets SET value = x'%root' WHERE name = 'root'",
		"before the last write":  "",
	} {
		dir := t.TempDir()
		root, der := clearDatabase(t, dir)
		text := mintIn(t, dir)
		// Back to how it was on the way: the marker says that sealing goes on, and some is in the clear.
		key, err := seal.ReadFile(filepath.Join(dir, "master.key"))
		if err != nil {
			t.Fatal(err)
		}
		box, err := seal.Parse(key)
		if err != nil {
			t.Fatal(err)
		}
		damage(t, dir, "UPDATE secrets SET value = x'"+hex.EncodeToString(box.Seal("secret", "master", []byte("countersign: sealing")))+"' WHERE name = 'master'")
		if statement != "" {
			damage(t, dir, strings.NewReplacer("%root", hex.EncodeToString(root), "%key", hex.EncodeToString(der)).Replace(statement))
		}
		verifyIn(t, dir, text)
		for _, secret := range [][]byte{root, der[36:68]} {
			if where := found(t, dir, secret); where != "" {
				t.Errorf("%s: a secret stands in %s", name, where)
			}
		}
		if err := os.Remove(filepath.Join(dir, "master.key")); err != nil {
			t.Fatal(err)
		}
		refusedIn(t, dir, []string{"there is none at"})
	}
}

// Many processes that start at once on one database, empty or of an earlier version, end with the same keys.
func TestManyFirstStarts(t *testing.T) {
	t.Parallel()
	for _, old := range []bool{false, true} {
		dir := t.TempDir()
		if old {
			clearDatabase(t, dir)
		} else if err := openDB(t, dir).Close(); err != nil { // so that the migrations are not what is tested
			t.Fatal(err)
		}
		apps := make([]*app.App, 6)
		var wg sync.WaitGroup
		for i := range apps {
			wg.Go(func() {
				var err error
				if apps[i], err = openApp(t, dir); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if t.Failed() {
			return
		}
		for _, a := range apps {
			access, err := a.Tokens.Mint(token.Grant{User: store.User{ID: "u"}, Session: "s"})
			if err != nil {
				t.Fatal(err)
			}
			for _, other := range apps {
				if _, err := other.Tokens.Verify(context.Background(), access.Token); err != nil {
					t.Errorf("old %v: %v", old, err)
				}
			}
			if a.MasterKeyID() != apps[0].MasterKeyID() {
				t.Error("two master keys")
			}
		}
		for _, a := range apps {
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		}
		mintIn(t, dir)
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
