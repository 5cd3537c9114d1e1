package sqlstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

// signUp adds a user with a session.
func signUp(t *testing.T, s *Store, id string) {
	t.Helper()
	err := s.CreateUser(t.Context(), store.User{ID: id, EmailKey: id, Epoch: "e-" + id}, store.Credential{Method: "password", Key: id, Data: []byte("d")})
	if err == nil {
		_, err = s.CreateSession(t.Context(), store.Opening{Session: store.Session{ID: "s-" + id, UserID: id, Epoch: "e-" + id, Generation: 1, ExpiresAt: time.Now().Add(time.Hour)}})
	}
	if err != nil {
		t.Errorf("%s: %v", id, err)
	}
}

// TestBackupUnderWrites takes backups while two processes' worth of writers write: whoever was acknowledged before one began is in
// it, whole, and no writer waits long.
func TestBackupUnderWrites(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "c.db")
	var acked, stop atomic.Int64
	var slowest atomic.Int64
	var writers sync.WaitGroup
	for p := range 2 {
		s := openThere(t, path)
		for w := range 4 {
			writers.Go(func() {
				for n := 0; stop.Load() == 0 && !t.Failed(); n++ {
					begin := time.Now()
					signUp(t, s, fmt.Sprintf("u-%d-%d-%d", p, w, n))
					slowest.Store(max(slowest.Load(), int64(time.Since(begin))))
					acked.Add(1)
				}
			})
		}
	}
	for n := range 5 {
		before := acked.Load()
		file := filepath.Join(dir, fmt.Sprintf("backup-%d", n))
		c, err := Backup(t.Context(), path, file)
		if err != nil {
			t.Fatal(err)
		}
		if c.Users < before {
			t.Errorf("backup %d has %d users, and %d were acknowledged before it", n, c.Users, before)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 || info.Size() != c.Bytes {
			t.Errorf("%v (%v)", info, err)
		}
	}
	stop.Store(1)
	writers.Wait()
	t.Logf("%d users; the slowest took %v", acked.Load(), time.Duration(slowest.Load()))
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if strings.Contains(e.Name(), "partial") || strings.HasPrefix(e.Name(), "backup-") && strings.Contains(e.Name(), "al") {
			t.Errorf("%s is left over (%v)", e.Name(), err)
		}
	}
}

func TestBackupRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, foreign, file := filepath.Join(dir, "c.db"), filepath.Join(dir, "foreign"), filepath.Join(dir, "backup")
	if err := errors.Join(openThere(t, path).Close(), os.WriteFile(foreign, []byte(strings.Repeat("no database ", 500)), 0o600), os.WriteFile(file, []byte("precious"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ path, file, want string }{
		{path, file, "never overwrites"},
		{filepath.Join(dir, "missing"), filepath.Join(dir, "new"), "no such file"},
		{foreign, filepath.Join(dir, "new"), "not a database"},
		{path, filepath.Join(dir, "missing", "new"), "no such file"},
	} {
		if _, err := Backup(t.Context(), tt.path, tt.file); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s to %s: %v, want %q", tt.path, tt.file, err, tt.want)
		}
	}
	if data, err := os.ReadFile(file); string(data) != "precious" {
		t.Errorf("the file has %q (%v)", data, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "new")); !os.IsNotExist(err) {
		t.Errorf("a backup in vain left a file (%v)", err)
	}
}

func TestRestore(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		keep bool
	}{{"ends all sessions", false}, {"keeps sessions", true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path, file := filepath.Join(dir, "c.db"), filepath.Join(dir, "backup")
			s := openThere(t, path)
			signUp(t, s, "before")
			if _, err := Backup(t.Context(), path, file); err != nil {
				t.Fatal(err)
			}
			signUp(t, s, "after")
			now := time.Now()
			if err := s.Revoke(t.Context(), store.Revocation{Key: "alive", ExpiresAt: now.Add(time.Minute)}, store.Revocation{Key: "over", ExpiresAt: now}); err != nil {
				t.Fatal(err)
			}
			how := Restoring{Replace: true, KeepSessions: tt.keep, Now: now}
			if _, err := Restore(t.Context(), file, path, how); !errors.Is(err, errOpen) {
				t.Fatalf("while it is open: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			r, err := Restore(t.Context(), file, path, how)
			if err != nil || r.Users != 1 || r.Revocations != 1 || r.Lost != nil || r.Ended != map[bool]int64{false: 1, true: 0}[tt.keep] {
				t.Fatalf("%+v (%v)", r, err)
			}
			checkRestored(t, openThere(t, path), tt.keep)
			old := openThere(t, r.Aside)
			if _, err := old.User(t.Context(), "after"); err != nil {
				t.Errorf("the database that was there: %v", err)
			}
		})
	}
}

// checkRestored looks at the database of TestRestore as it was at the backup.
func checkRestored(t *testing.T, s *Store, kept bool) {
	t.Helper()
	if _, err := s.User(t.Context(), "after"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a user who came after the backup: %v", err)
	}
	u, err := s.User(t.Context(), "before")
	if err != nil || (u.Epoch == "e-before") != kept || len(u.Epoch) < 8 {
		t.Errorf("epoch %q (%v)", u.Epoch, err)
	}
	if _, _, err := s.Session(t.Context(), "s-before"); errors.Is(err, store.ErrNotFound) == kept {
		t.Errorf("the session: %v", err)
	}
	revoked, err := s.Revocations(t.Context(), 0, 10)
	if err != nil || len(revoked) != 1 || revoked[0].Key != "alive" {
		t.Errorf("revocations %v (%v)", revoked, err)
	}
	if damage, err := s.Examine(t.Context()); err != nil || len(damage) > 0 {
		t.Errorf("%v (%v)", damage, err)
	}
}

func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	s := openThere(t, at("c.db"))
	for i := range 100 {
		signUp(t, s, fmt.Sprint("user-", i))
	}
	if _, err := Backup(t.Context(), at("c.db"), at("backup")); err != nil {
		t.Fatal(err)
	}
	run(t, s, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)")
	if _, err := Backup(t.Context(), at("c.db"), at("newer")); err == nil {
		t.Error("a backup of a newer schema went unchecked")
	}
	whole, err := os.ReadFile(at("backup"))
	if err != nil {
		t.Fatal(err)
	}
	damaged := append([]byte{}, whole...)
	copy(damaged[len(damaged)-3*4096:], make([]byte, 3*4096))
	for name, data := range map[string][]byte{"damaged": damaged, "half": whole[:len(whole)/2], "text": []byte("hello"), "empty": nil, "used": whole, "used-wal": []byte("x"), "lonely-wal": []byte("x"), "begun-journal": []byte("x")} {
		if err := os.WriteFile(at(name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ file, path, want string }{
		{"backup", "c.db", "there is a database"},
		{"missing", "new.db", "no such file"},
		{"damaged", "new.db", "damaged"},
		{"half", "new.db", "malformed"},
		{"text", "new.db", "not a database"},
		{"empty", "new.db", "no database of Countersign"},
		{"used", "new.db", "in use"},
		{"backup", "lonely", "without its database"},
		{"backup", "begun", "without its database"},
	} {
		if _, err := Restore(t.Context(), at(tt.file), at(tt.path), Restoring{}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.file, err, tt.want)
		}
	}
	if _, err := os.Stat(at("new.db")); !os.IsNotExist(err) {
		t.Errorf("a restore in vain left a database (%v)", err)
	}
}
