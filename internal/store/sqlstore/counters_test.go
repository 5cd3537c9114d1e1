package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign-auth/countersign/internal/store"
)

func openHere(t testing.TB) *Store {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "c.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// run runs a script on the connection that writes.
func run(t *testing.T, s *Store, script string) {
	t.Helper()
	err := s.group.commit(t.Context(), durable, true, func(w *writer) error {
		_, err := w.conn.ExecContext(context.Background(), script)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// watch makes the database write down under which synchronous each insert into a table runs, and returns what reads it.
func watch(t *testing.T, s *Store, tables ...string) (levels func(table string) []int) {
	t.Helper()
	script := "CREATE TABLE seen (at TEXT, level INT);"
	for _, table := range tables {
		script += "CREATE TRIGGER see_" + table + " AFTER INSERT ON " + table +
			" BEGIN INSERT INTO seen SELECT '" + table + "', synchronous FROM pragma_synchronous; END;"
	}
	run(t, s, script)
	return func(table string) (all []int) {
		rows, err := s.read.db.QueryContext(t.Context(), "SELECT DISTINCT level FROM seen WHERE at = $1", table)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var level int
			if err := rows.Scan(&level); err != nil {
				t.Fatal(err)
			}
			all = append(all, level)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return all
	}
}

const (
	normal = 1
	full   = 2
)

// writeDurably does what must wait for the disk.
func writeDurably(t *testing.T, s *Store, n int) {
	t.Helper()
	id := fmt.Sprint(n)
	if err := s.CreateUser(t.Context(), store.User{ID: id, EmailKey: id}, store.Credential{Method: "m", Key: id, Data: []byte{}}); err != nil {
		t.Fatal(err)
	}
	if err := s.AppendEvents(t.Context(), store.Event{ID: id}); err != nil {
		t.Fatal(err)
	}
	if err := createSession(t.Context(), s, store.Session{ID: id, UserID: id}, store.Proof{}, 0, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.EndSessions(t.Context(), id, store.Which{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := s.AddKey(t.Context(), store.SigningKey{ID: id, Private: []byte{}}, newestKey(t, s)); err != nil && !errors.Is(err, store.ErrConflict) {
		t.Fatal(err)
	}
	if _, err := s.FirstSecret(t.Context(), id, []byte(id)); err != nil {
		t.Fatal(err)
	}
}

func newestKey(t *testing.T, s *Store) string {
	t.Helper()
	keys, err := s.SigningKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) == 0 {
		return ""
	}
	return keys[0].ID
}

// createSession creates a session.
func createSession(ctx context.Context, s *Store, x store.Session, p store.Proof, limit int, until time.Time) error {
	_, err := s.CreateSession(ctx, store.Opening{Session: x, Proof: p, Limit: limit, Until: until})
	return err
}

var durably = []string{"users", "credentials", "events", "secrets", "sessions", "revocations", "signing_keys"}

func checkLevels(t *testing.T, levels func(string) []int) {
	t.Helper()
	for _, table := range durably {
		if diff := cmp.Diff([]int{full}, levels(table)); diff != "" {
			t.Errorf("%s is written under another synchronous than FULL (-want +got):\n%s", table, diff)
		}
	}
	if diff := cmp.Diff([]int{normal}, levels("counters")); diff != "" {
		t.Errorf("counters are written under another synchronous than NORMAL (-want +got):\n%s", diff)
	}
}

func TestOnlyCountersDoNotWaitForTheDisk(t *testing.T) {
	t.Parallel()
	s, now := openHere(t), time.Now()
	levels := watch(t, s, append(durably, "counters")...)
	c := store.Counter{Key: "c", ExpiresAt: now.Add(time.Hour)}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for i, swap := range []func() error{
		func() error { _, err := s.SwapCounters(t.Context(), now, c); return err },
		func() error { _, err := s.SwapCounters(t.Context(), now, c); return err }, // a conflict
		func() error { _, err := s.SwapCounters(ended, now, c); return err },
		func() error { _, err := s.DeleteExpired(t.Context(), now, 1); return err },
		func() error { _, err := s.DeleteExpired(ended, now, 1); return err },
		func() error { // a fault of the database
			run(t, s, "ALTER TABLE counters RENAME TO away")
			_, err := s.SwapCounters(t.Context(), now, store.Counter{Key: "d"})
			return err
		},
	} {
		err := swap()
		t.Logf("%d: %v", i, err)
		writeDurably(t, s, i)
		if i == 5 && err == nil {
			t.Error("no error without the table")
		}
	}
	run(t, s, "ALTER TABLE away RENAME TO counters")
	if _, err := s.SwapCounters(t.Context(), now, store.Counter{Key: "e", ExpiresAt: now}); err != nil {
		t.Fatal(err)
	}
	checkLevels(t, levels)
}

// TestCancelledSwapsLeaveTheConnectionAsItWas ends contexts at any moment of a swap, while others write.
func TestCancelledSwapsLeaveTheConnectionAsItWas(t *testing.T) {
	t.Parallel()
	s, now := openHere(t), time.Now()
	levels := watch(t, s, append(durably, "counters")...)
	var wg sync.WaitGroup
	var done, ended int
	for worker := range 2 {
		wg.Go(func() {
			for i := range 300 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*3*time.Microsecond)
				_, err := s.SwapCounters(ctx, now, store.Counter{Key: fmt.Sprint(worker, i), ExpiresAt: now.Add(time.Hour)})
				cancel()
				if worker == 0 && err == nil {
					done++
				} else if worker == 0 {
					ended++
				}
				if i%10 == 0 {
					writeDurably(t, s, 1000*(worker+1)+i)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("of one worker's swaps %d were done, %d ended", done, ended)
	if _, err := s.SwapCounters(t.Context(), now, store.Counter{Key: "last", ExpiresAt: now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	checkLevels(t, levels)
}

// BenchmarkCommit compares a commit that waits for the disk with one that does not.
func BenchmarkCommit(b *testing.B) {
	now := time.Now()
	b.Run("event, FULL", func(b *testing.B) {
		s := openHere(b)
		for i := 0; b.Loop(); i++ {
			if err := s.AppendEvents(b.Context(), store.Event{ID: fmt.Sprintf("%012d", i)}); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, keys := range []int{1, 3} {
		b.Run(fmt.Sprintf("%d counters, NORMAL", keys), func(b *testing.B) {
			s, all := openHere(b), make([]store.Counter, keys)
			for i := 0; b.Loop(); i++ {
				for k := range all {
					all[k] = store.Counter{Key: fmt.Sprint(k), Count: int64(i), ExpiresAt: now.Add(time.Hour + time.Duration(i)*time.Second), Version: int64(i)}
				}
				if _, err := s.SwapCounters(b.Context(), now, all...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("read 3 counters", func(b *testing.B) {
		s := openHere(b)
		for b.Loop() {
			if _, err := s.Counters(b.Context(), now, "a", "b", "c"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
