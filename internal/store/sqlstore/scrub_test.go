package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

// beside opens a database as another process does, on one connection, and begins a transaction there.
func beside(t *testing.T, path, begin string, then ...string) (end func()) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	for _, statement := range append([]string{begin}, then...) {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
	}
}

// soon is how long may be taken by what waits for nobody, on the slowest machine. It is less than busyTimeout.
const soon = 2 * time.Second

// TestReadersKeepNobodyFromWriting has somebody read for long, as a backup does, while secrets are removed. What was removed
// is gone when the reader is.
func TestReadersKeepNobodyFromWriting(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	key := store.SigningKey{ID: "k", Private: bytes.Repeat([]byte("PRIVATE-"), 20)}
	if err := s.AddKey(t.Context(), key, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := s.FirstSecret(t.Context(), "s", []byte("SECRET")); err != nil {
		t.Fatal(err)
	}
	end := beside(t, path, "BEGIN", "SELECT count(*) FROM signing_keys")
	removals := map[string]func() error{
		"ReplaceKey":    func() error { return s.ReplaceKey(t.Context(), "k", key.Private, []byte("SEALED")) },
		"DeleteKey":     func() error { return s.DeleteKey(t.Context(), "k") },
		"ReplaceSecret": func() error { return s.ReplaceSecret(t.Context(), "s", []byte("SECRET"), []byte("new")) },
	}
	for _, name := range []string{"ReplaceKey", "DeleteKey", "ReplaceSecret"} {
		removed := make(chan error, 1)
		start := time.Now()
		go func() { removed <- removals[name]() }()
		for i := 0; time.Since(start) < 100*time.Millisecond; i++ {
			began := time.Now()
			if err := createUser(s, fmt.Sprint(name, i))(); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > soon {
				t.Errorf("beside %s somebody else's write takes %v", name, took)
			}
		}
		if err := <-removed; err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(start); took > soon {
			t.Errorf("%s takes %v", name, took)
		}
	}
	if err := s.Scrub(t.Context()); !errors.Is(err, store.ErrBusy) {
		t.Errorf("Scrub beside a reader: %v", err)
	}
	if holds(t, path, "PRIVATE-")+holds(t, path, "SECRET") == 0 {
		t.Error("the reader has not kept what was removed in the WAL: this test shows nothing")
	}
	end()
	if err := s.Scrub(t.Context()); err != nil {
		t.Errorf("Scrub: %v", err)
	}
	for _, secret := range []string{"PRIVATE-", "SEALED", "SECRET"} {
		if n := holds(t, path, secret); n != 0 {
			t.Errorf("%s is still there, %d times", secret, n)
		}
	}
}

// TestScrubWaitsForNobody has others in the way of the lock that it needs.
func TestScrubWaitsForNobody(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, then := range map[string]string{"BEGIN": "SELECT count(*) FROM users", "BEGIN IMMEDIATE": "DELETE FROM users"} {
		if err := createUser(s, name)(); err != nil {
			t.Fatal(err)
		}
		end := beside(t, path, name, then)
		start := time.Now()
		if err := s.Scrub(t.Context()); !errors.Is(err, store.ErrBusy) {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(start); took > soon {
			t.Errorf("%s: it takes %v", name, took)
		}
		end()
		for range 2 { // the second time there is nothing to do
			if err := s.Scrub(t.Context()); err != nil {
				t.Errorf("%s, afterwards: %v", name, err)
			}
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Scrub(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("after its context: %v", err)
	}
}
