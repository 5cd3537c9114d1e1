package sqlstore

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

// holds says how often the files of a database hold a text.
func holds(t *testing.T, path, text string) (n int) {
	t.Helper()
	for _, name := range []string{path, path + "-wal"} {
		data, err := os.ReadFile(name)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		n += bytes.Count(data, []byte(text))
	}
	return n
}

func TestKeyThatIsGoneIsGoneFromTheFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	gone := func(step, secret string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		if n := holds(t, path, secret); n != 0 {
			t.Errorf("%s: what was there before is still there, %d times", step, n)
		}
	}
	key := store.SigningKey{ID: "k", Private: bytes.Repeat([]byte("PRIVATE-"), 200)}
	if err := s.AddKey(t.Context(), key, ""); err != nil {
		t.Fatal(err)
	}
	if holds(t, path, "PRIVATE-") == 0 {
		t.Fatal("the test does not find what is there")
	}
	gone("ReplaceKey", "PRIVATE-", s.ReplaceKey(t.Context(), "k", key.Private, []byte("SEALED")))
	gone("DeleteKey", "SEALED", s.DeleteKey(t.Context(), "k"))
	if _, err := s.FirstSecret(t.Context(), "s", []byte("SECRET")); err != nil {
		t.Fatal(err)
	}
	gone("ReplaceSecret", "SECRET", s.ReplaceSecret(t.Context(), "s", []byte("SECRET"), []byte("new")))
}

func TestSessionThatIsGoneIsGoneFromTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const n = 500
	now := time.Now()
	session := func(i int, chain string) store.Session {
		x := benchSession(i, now)
		x.UserID, x.Chain = "u", append([]byte(chain), make([]byte, rand.IntN(400))...) // of another length each time: cells move and pages split
		return x
	}
	if err := createUser(s, "u")(); err != nil {
		t.Fatal(err)
	}
	each := func(do func(i int) error) {
		var wg sync.WaitGroup
		for worker := range 10 {
			wg.Go(func() {
				for i := worker; i < n; i += 10 {
					if err := do(i); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	}
	each(func(i int) error {
		return createSession(t.Context(), s, session(i, "OLD-CHAIN-"), store.Proof{}, 0, now)
	})
	for generation := range int64(3) {
		each(func(i int) error {
			if i%5 == 0 {
				return nil
			}
			x := session(i, []string{"OLD-CHAIN-", "A-CHAIN-", "B-CHAIN-"}[generation])
			x.Generation = generation + 2
			return s.RotateSession(t.Context(), x)
		})
	}
	each(func(i int) error {
		if i%5 != 0 {
			return nil
		}
		_, err := s.EndSessions(t.Context(), "u", store.Which{Only: session(i, "").ID}, now)
		return err
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// SQLite does not clear what is left between the cells when it makes a page anew, so that a few may be there. Without
	// secure_delete it is hundreds.
	for _, chain := range []string{"OLD-CHAIN-", "A-CHAIN-"} {
		left := holds(t, path, chain)
		t.Logf("%s is still there %d times", chain, left)
		if left > n/50 {
			t.Errorf("%s is still there, %d times", chain, left)
		}
	}
	if got, want := holds(t, path, "B-CHAIN-"), n*4/5; got < want {
		t.Errorf("the test finds %d of %d that are there", got, want)
	}
}

// TestSweepUnderLoad has 100,000 dead rows of each kind swept while others read and write. Under the race detector, where
// SQLite is thirty times slower, they are fewer.
func TestSweepUnderLoad(t *testing.T) {
	t.Parallel()
	s, now := openHere(t), time.Now()
	dead, limit := 100_000, 2_000
	if raceEnabled {
		dead, limit = 2_000, 100
	}
	numbers := fmt.Sprintf("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) ", dead)
	for i := range 10 {
		if err := createUser(s, fmt.Sprintf("user-%d", i))(); err != nil {
			t.Fatal(err)
		}
	}
	if err := createSession(t.Context(), s, store.Session{ID: "live", UserID: "user-0", Epoch: "e", ExpiresAt: now.Add(time.Hour)}, store.Proof{}, 0, now); err != nil {
		t.Fatal(err)
	}
	run(t, s, fmt.Sprintf(`
		INSERT INTO counters (key, count, last_at, known_at, expires_at, version) %[1]s
			SELECT 'dead-' || (i * 7919 %% 100003), 1, 0, 0, %[2]d - i * 31 %% 1009, 1 FROM n;
		INSERT INTO sessions (id, user_id, epoch, generation, chain, methods, brief, device, client, auth_at, created_at, last_used_at, expires_at, sweep_at) %[1]s
			SELECT 'dead-' || (i * 7919 %% 100003), 'user-' || (i %% 10), '', 1, zeroblob(100), '[]', 0, 'device', 'client', 0, 0, i, %[2]d - i * 31 %% 1009, %[2]d - 2000 - i * 31 %% 1009 FROM n;
		INSERT INTO revocations (key, expires_at) %[1]s SELECT 'dead-' || i, %[2]d - i * 31 %% 1009 FROM n`, numbers, store.Micros(now)))

	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var written int
	wg.Go(func() { written = liveOn(ctx, t, s, now) })
	wg.Go(func() {
		for ; ctx.Err() == nil; time.Sleep(time.Millisecond) {
			if all, err := s.Revocations(t.Context(), 0, 10); err != nil {
				t.Errorf("a reader: %v, %v", all, err)
			}
			if _, u, err := s.Session(t.Context(), "live"); err != nil || u.ID != "user-0" {
				t.Errorf("a reader: %v", err)
			}
		}
	})
	kinds := []string{"counters", "sessions", "revocations"}
	before, steps := []int{dead, dead, dead}, 0
	for more := true; more; steps++ {
		var err error
		if more, err = s.DeleteExpired(t.Context(), now, limit); err != nil {
			t.Fatal(err)
		}
		for i, kind := range kinds {
			after := expired(t, s, kind, now)
			if deleted := before[i] - after; deleted < 0 || deleted > limit || deleted == 0 && after > 0 {
				t.Fatalf("step %d: of %d dead %s %d are left, and the limit is %d", steps, before[i], kind, after, limit)
			}
			before[i] = after
		}
	}
	cancel()
	wg.Wait()
	t.Logf("%d steps, and meanwhile %d live rows of each kind", steps, written)
	for i, kind := range kinds {
		var left int
		if err := s.read.db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+kind).Scan(&left); err != nil {
			t.Fatal(err)
		}
		if kind == "sessions" {
			left-- // the reader's
		}
		if before[i] != 0 || left != written {
			t.Errorf("%s: %d dead and %d others are left, want the %d that live", kind, before[i], left, written)
		}
	}
}

func expired(t *testing.T, s *Store, kind string, now time.Time) (n int) {
	t.Helper()
	if err := s.read.db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+kind+" WHERE expires_at <= $1", store.Micros(now)).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// liveOn writes rows that live on, as many of each kind, until ctx ends.
func liveOn(ctx context.Context, t *testing.T, s *Store, now time.Time) (n int) {
	later := now.Add(time.Hour)
	for ; ctx.Err() == nil || n == 0; n++ {
		time.Sleep(time.Millisecond)
		x := benchSession(n, now)
		x.UserID = "user-0"
		if err := createSession(t.Context(), s, x, store.Proof{}, 0, later); err != nil {
			t.Errorf("a writer: %v", err)
		}
		x.Generation, x.ExpiresAt = 2, x.ExpiresAt.Add(time.Hour)
		if err := s.RotateSession(t.Context(), x); err != nil {
			t.Errorf("a writer: %v", err)
		}
		if _, err := s.SwapCounters(t.Context(), now, store.Counter{Key: x.ID, ExpiresAt: later}); err != nil {
			t.Errorf("a writer: %v", err)
		}
		u := store.User{ID: fmt.Sprintf("extra-%d", n), EmailKey: x.ID}
		if err := s.CreateUser(t.Context(), u, store.Credential{Method: "m", Key: u.ID, Data: []byte{}}); err != nil {
			t.Errorf("a writer: %v", err)
		}
		if err := s.DeleteUser(t.Context(), u.ID, later); err != nil {
			t.Errorf("a writer: %v", err)
		}
	}
	return n
}
