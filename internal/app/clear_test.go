package app_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/app"
	"github.com/countersign-auth/countersign/internal/seal"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/internal/token"
	"github.com/countersign-auth/countersign/jwt"
)

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
	root, der := earlierDatabase(t, dir)
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
		root, der := earlierDatabase(t, dir)
		text := mintIn(t, dir)
		// Back to how it was on the way: the marker says that sealing goes on, and some is in the clear.
		box := boxOf(t, dir)
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

// Who can write to the database takes its marker away, so that a secret in the clear looks like one of an earlier version.
func TestWithoutItsMarkerNothingIsTakenInTheClear(t *testing.T) {
	t.Parallel()
	key, err := jwt.GenerateKey(jwt.ES256, jwt.KeyOptions{ID: "slipped-in"})
	if err != nil {
		t.Fatal(err)
	}
	der, err := key.MarshalPKCS8()
	if err != nil {
		t.Fatal(err)
	}
	insert := "INSERT INTO signing_keys (id, algorithm, private, created_at, signs_at, seq) SELECT '" + key.ID() + "', 'ES256', x'" + hex.EncodeToString(der) +
		"', created_at, signs_at, seq + 1 FROM signing_keys"
	const unmark = "DELETE FROM secrets WHERE name = 'master'; "
	for name, c := range map[string]struct{ statements, is string }{
		"another signing key":             {unmark + insert, "signing key ES256 slipped-in is not sealed"},
		"the root":                        {unmark + "UPDATE secrets SET value = randomblob(32) WHERE name = 'root'", "secret root is not sealed"},
		"a signing key, and the root new": {unmark + "DELETE FROM secrets; " + insert, "signing key ES256 slipped-in is not sealed"},
	} {
		dir := t.TempDir()
		text := mintIn(t, dir)
		damage(t, dir, unmark)
		refusedIn(t, dir, []string{"sealed under", "the key given is"}, "MASTER_KEY="+seal.Generate())
		verifyIn(t, dir, text) // for all that is there is sealed
		if got := markOf(t, dir); got != "countersign: sealed" {
			t.Errorf("%s: the new marker says %q", name, got)
		}
		damage(t, dir, c.statements)
		for range 2 { // nor does the second start
			refusedIn(t, dir, []string{c.is, "what marks it as sealed is missing", "docs/keys.md"})
		}
	}
}

// markOf returns what the marker says.
func markOf(t testing.TB, dir string) string {
	t.Helper()
	s := openDB(t, dir)
	defer s.Close()
	marker, err := s.Secret(t.Context(), "master")
	if err != nil {
		t.Fatal(err)
	}
	text, err := boxOf(t, dir).Open("secret", "master", marker)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// boxOf returns what opens the secrets of a database that has its master key beside it.
func boxOf(t testing.TB, dir string) *seal.Box {
	t.Helper()
	key, err := seal.ReadFile(filepath.Join(dir, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	box, err := seal.Parse(key)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

// Somebody reads the database while it is sealed, such as a backup. The server starts all the same, keeps nobody waiting
// for it, and what it has sealed counts as sealed only when it is in no file any more.
func TestSealingBesideAReader(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root, _ := earlierDatabase(t, dir)
	end := reading(t, dir)
	text := mintIn(t, dir)
	if got := markOf(t, dir); got != "countersign: sealing" || found(t, dir, root) == "" {
		t.Errorf("beside a reader the marker says %q, and the root stands in %q", got, found(t, dir, root))
	}
	end()
	verifyIn(t, dir, text)
	if got := markOf(t, dir); got != "countersign: sealed" || found(t, dir, root) != "" {
		t.Errorf("afterwards the marker says %q, and the root stands in %q", got, found(t, dir, root))
	}
}

// reading reads the database until the end that it returns is called.
func reading(t testing.TB, dir string) (end func()) {
	t.Helper()
	return beside(t, dir, "BEGIN", "SELECT count(*) FROM secrets")
}

// beside does what another process may do with the database, until the end that it returns is called.
func beside(t testing.TB, dir string, statements ...string) (end func()) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "countersign.db"))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return func() { _ = db.Close() }
}

// A key that was deleted while somebody read the database, by whatever process, is forgotten when the reader has gone.
func TestDeletedSecretsAreForgottenLater(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openDB(t, dir)
	defer s.Close()
	secret := []byte("0123456789abcdefPRIVATE")
	if err := s.AddKey(t.Context(), store.SigningKey{ID: "k", Algorithm: "ES256", Private: secret}, ""); err != nil {
		t.Fatal(err)
	}
	end := reading(t, dir)
	if err := s.DeleteKey(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	testkit.Start(t, "data="+dir)
	time.Sleep(1500 * time.Millisecond) // in which the server tries in vain
	if found(t, dir, secret) == "" {
		t.Fatal("the reader has not kept the key in the WAL: this test shows nothing")
	}
	end()
	for deadline := time.Now().Add(20 * time.Second); found(t, dir, secret) != ""; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it still stands in %s", found(t, dir, secret))
		}
	}
}

// Many processes that start at once on one database, empty or of an earlier version, end with the same keys.
func TestManyFirstStarts(t *testing.T) {
	t.Parallel()
	for _, old := range []bool{false, true} {
		dir := t.TempDir()
		if old {
			earlierDatabase(t, dir)
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
