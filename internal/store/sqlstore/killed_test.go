package sqlstore

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// migrating names the variable that has TestMigrationKilled do what is killed.
const migrating = "SQLSTORE_TEST_MIGRATING"

// TestMigrationKilled kills a process at random moments of bringing an old database up to date, and starts again.
func TestMigrationKilled(t *testing.T) {
	t.Parallel()
	if path := os.Getenv(migrating); path != "" {
		s, err := Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return
	}
	const users, times = 10_000, 20
	old := filepath.Join(t.TempDir(), "old.db")
	makeOld(t, old, users)
	begin := time.Now()
	migrateElsewhere(t, copyOf(t, old), 0)
	whole := time.Since(begin)
	cut := 0
	for range times {
		path := copyOf(t, old)
		if migrateElsewhere(t, path, time.Duration(rand.Int64N(int64(whole)))) {
			cut++
		}
		checkMigrated(t, path, users)
	}
	t.Logf("%d of %d were killed before their end, which takes %v", cut, times, whole)
	if cut == 0 {
		t.Error("none was killed")
	}
}

// makeOld makes a database of before there were sessions.
func makeOld(t *testing.T, path string, users int) {
	t.Helper()
	if err := prepareFile(path); err != nil {
		t.Fatal(err)
	}
	db, err := openFile(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	upTo(t, db, 2)
	_, err = db.ExecContext(t.Context(), `
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
		INSERT INTO users (id, email, email_key, created_at, updated_at, version) SELECT 'u' || i, 'U' || i, 'u' || i, 1, 1, 1 FROM n`, users)
	if err == nil {
		_, err = db.ExecContext(t.Context(), `INSERT INTO credentials (method, key, user_id, data, created_at, updated_at, version)
			SELECT 'password', email_key, id, x'64', 1, 1, 1 FROM users`)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func copyOf(t *testing.T, path string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "c.db")
	if err := os.WriteFile(to, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := copyFile(path, to); err != nil {
		t.Fatal(err)
	}
	return to
}

// migrateElsewhere opens a database in a process of its own, and kills that after a while; 0 leaves it alone. It reports whether
// that was before its end.
func migrateElsewhere(t *testing.T, path string, after time.Duration) (killed bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestMigrationKilled$")
	cmd.Env = append(os.Environ(), migrating+"="+path)
	if after == 0 {
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return false
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(after) // the moment is what is tested
	_ = cmd.Process.Kill()
	return cmd.Wait() != nil
}

// checkMigrated opens a database as the next start does, and looks whether all of it is there and up to date.
func checkMigrated(t *testing.T, path string, users int) {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatalf("the next start: %v", err)
	}
	defer s.Close()
	current, newest, err := s.Schema(t.Context())
	if err != nil || current != newest {
		t.Errorf("version %d, want %d (%v)", current, newest, err)
	}
	var people, epochs, credentials int
	err = s.read.one(t.Context(), "SELECT count(*), count(DISTINCT epoch), (SELECT count(*) FROM credentials) FROM users WHERE length(epoch) = 32", nil,
		&people, &epochs, &credentials)
	if err != nil || people != users || epochs != users || credentials != users {
		t.Errorf("%d users, %d epochs, %d credentials, want %d (%v)", people, epochs, credentials, users, err)
	}
	if damage, err := s.Examine(t.Context()); err != nil || len(damage) > 0 {
		t.Errorf("%v (%v)", damage, err)
	}
}
