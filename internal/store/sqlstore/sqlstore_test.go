package sqlstore_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/store/sqlstore"
	"github.com/countersign-auth/countersign/internal/store/storetest"
)

func openAt(t *testing.T, path string) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), path)
	return storetest.Opened(t, s, err)
}

func TestContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, place string) store.Store { return openAt(t, filepath.Join(place, "c.db")) })
}

func TestFileIsPrivateAndReopens(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new folder #?%", "c.db")
	first := openAt(t, path)
	key := store.SigningKey{ID: "k", Algorithm: "ES256", Private: []byte("p")}
	if err := first.AddKey(t.Context(), key, ""); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{path: 0o600, path + "-wal": 0o600, filepath.Dir(path): 0o700} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", name, got, want)
		}
	}
	second := openAt(t, path) // a second process, as the CLI beside a server
	if keys, err := second.SigningKeys(t.Context()); err != nil || len(keys) != 1 {
		t.Errorf("keys %v (%v)", keys, err)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	if err := openAt(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)"); err != nil {
		t.Fatal(err)
	}
	_, err = sqlstore.Open(t.Context(), path)
	if err == nil || !strings.Contains(err.Error(), "run a newer countersign") {
		t.Errorf("got %v", err)
	}
}

func TestNotADatabase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlstore.Open(t.Context(), path); err == nil {
		t.Error("no error")
	}
	if data, _ := os.ReadFile(path); !strings.HasPrefix(string(data), "not a database") {
		t.Error("the file was written over")
	}
}

func TestFileThatOthersMayOpenIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	if err := openAt(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlstore.Open(t.Context(), path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("got %v", err)
	}
}
