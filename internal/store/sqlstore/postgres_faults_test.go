package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/store/sqlstore"
	"github.com/countersign-auth/countersign/internal/testkit/pgtest"
)

// inTime is how long any verb may take, and some more for a machine that is busy.
const inTime = 8 * time.Second

// verbs returns calls of verbs that read and verbs that write.
func verbs(t *testing.T, s store.Store, n int) (reads, writes map[string]func() error) {
	u, c, x := person(n)
	return map[string]func() error{
			"User":         func() error { _, err := s.User(t.Context(), u.ID); return err },
			"Candidate":    func() error { _, err := s.Candidate(t.Context(), c.Method, c.Key, day, "counter"); return err },
			"SigningKeys":  func() error { _, err := s.SigningKeys(t.Context()); return err },
			"ListSessions": func() error { _, err := s.ListSessions(t.Context(), u.ID); return err },
			"Ping":         func() error { return s.Ping(t.Context()) },
		}, map[string]func() error{
			"CreateUser":    func() error { return s.CreateUser(t.Context(), u, c) },
			"CreateSession": func() error { _, err := s.CreateSession(t.Context(), store.Opening{Session: x}); return err },
			"EndSessions":   func() error { _, err := s.EndSessions(t.Context(), u.ID, store.Which{}, day); return err },
			"Revoke":        func() error { return s.Revoke(t.Context(), store.Revocation{Key: "x", ExpiresAt: day}) },
			"SwapCounters": func() error {
				_, err := s.SwapCounters(t.Context(), day, store.Counter{Key: fmt.Sprint("counter ", n), ExpiresAt: day.Add(time.Hour)})
				return err
			},
			"AppendEvents": func() error { return s.AppendEvents(t.Context(), eventOf(n, "event")) },
		}
}

// allUnavailable demands that each of these says in time that the database is not available.
func allUnavailable(t *testing.T, why string, calls ...map[string]func() error) {
	t.Helper()
	var wg sync.WaitGroup
	for _, some := range calls {
		for name, call := range some {
			wg.Go(func() {
				start := time.Now()
				err := call()
				if !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("%s: %s: %v, want %v", why, name, err, store.ErrUnavailable)
				}
				if took := time.Since(start); took > inTime {
					t.Errorf("%s: %s took %v", why, name, took)
				}
			})
		}
	}
	wg.Wait()
}

func allWork(t *testing.T, why string, s store.Store) {
	t.Helper()
	n := int(number.Add(1))
	there(t, s, n)
	reads, _ := verbs(t, s, n)
	_, writes := verbs(t, s, int(number.Add(1)))
	delete(writes, "CreateSession") // of a user who may not be there yet
	for _, some := range []map[string]func() error{reads, writes} {
		for name, call := range some {
			if err := call(); err != nil {
				t.Errorf("%s: %s: %v", why, name, err)
			}
		}
	}
}

func TestServerThatIsGone(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	database := server.Database(t)
	s := openPostgres(t, database)
	allWork(t, "at first", s)
	for _, mode := range []string{"fast", "immediate"} {
		server.Stop(t, mode)
		reads, writes := verbs(t, s, int(number.Add(1)))
		allUnavailable(t, "stopped: "+mode, reads, writes)
		_, err := sqlstore.OpenPostgres(t.Context(), database, connections)
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("OpenPostgres: %v", err)
		}
		server.Again(t)
		allWork(t, "started again", s)
	}
}

func TestServerThatSaysNothing(t *testing.T) {
	t.Parallel()
	through, proxy := throughProxy(t, pgtest.Database(t))
	s := openPostgres(t, through)
	allWork(t, "at first", s)
	proxy.Drop()
	reads, writes := verbs(t, s, int(number.Add(1)))
	allUnavailable(t, "nothing comes through", reads, writes)
	proxy.Heal()
	allWork(t, "healed", s)
	proxy.Cut()
	allWork(t, "cut", s)
}

func TestDatabaseThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	s := openPostgres(t, database)
	n := int(number.Add(1))
	there(t, s, n)
	admin := connectTo(t, database)
	set := func(value string) {
		t.Helper()
		var name string
		if err := admin.QueryRow(t.Context(), "SELECT current_database()").Scan(&name); err != nil {
			t.Fatal(err)
		}
		for _, statement := range []string{
			"SET default_transaction_read_only = off",
			"ALTER DATABASE " + name + " SET default_transaction_read_only = " + value,
			"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
		} {
			if _, err := admin.Exec(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
	}
	set("on")
	_, writes := verbs(t, s, int(number.Add(1)))
	allUnavailable(t, "read-only", writes)
	reads, _ := verbs(t, s, n)
	for name, call := range reads {
		if err := call(); err != nil {
			t.Errorf("read-only: %s: %v", name, err)
		}
	}
	set("off")
	allWork(t, "writable again", s)
}

// TestPoolIsExhausted has others lock a user so that all connections of a node wait for it.
func TestPoolIsExhausted(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	s := openPostgres(t, database)
	n := int(number.Add(1))
	u, _, x := there(t, s, n)
	other, err := connectTo(t, database).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Exec(t.Context(), "SELECT 1 FROM users WHERE id = $1 FOR UPDATE", u.ID); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range connections {
		wg.Go(func() {
			x := x
			x.ID = fmt.Sprint("another ", i)
			if _, err := s.CreateSession(t.Context(), store.Opening{Session: x}); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("CreateSession: %v", err)
			}
		})
	}
	time.Sleep(200 * time.Millisecond) // until all of them wait
	reads, _ := verbs(t, s, n)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	if _, err := s.User(ctx, u.ID); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who goes away while waiting for a connection: %v", err)
	}
	wg.Wait()
	for name, call := range reads {
		if err := call(); err != nil {
			t.Errorf("afterwards: %s: %v", name, err)
		}
	}
	if err := other.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	allWork(t, "afterwards", s)
	if got, err := s.ListSessions(t.Context(), u.ID); err != nil || len(got) != 1 {
		t.Errorf("%d sessions (%v)", len(got), err)
	}
}

func connectTo(t *testing.T, database string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// TestNoVerbsLockEachOther has two nodes do everything to few records at once. Each outcome is one of the contract's, and the
// server has seen no deadlock.
func TestNoVerbsLockEachOther(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	all := []*sqlstore.Postgres{openPostgres(t, database), openPostgres(t, database)}
	const people, workers, rounds = 3, 12, 60
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			for round := range rounds {
				s := all[rand.IntN(2)]
				u, c, x := person(rand.IntN(people))
				id := fmt.Sprintf("%d-%d", worker, round)
				if err := doAnything(t, s, u, c, x, id); err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrExists) &&
					!errors.Is(err, store.ErrConflict) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	var deadlocks int
	time.Sleep(time.Second) // after which the server has counted
	row := connectTo(t, database).QueryRow(t.Context(), "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
	if err := row.Scan(&deadlocks); err != nil || deadlocks != 0 {
		t.Errorf("%d deadlocks (%v)", deadlocks, err)
	}
}

// doAnything does one thing or another to a person.
func doAnything(t *testing.T, s store.Store, u store.User, c store.Credential, x store.Session, id string) error {
	x.ID = id
	counters := []store.Counter{{Key: "b", ExpiresAt: day.Add(time.Hour)}, {Key: "a", ExpiresAt: day.Add(time.Hour)}, {Key: id, ExpiresAt: day}}
	if now, err := s.Counters(t.Context(), day, "b", "a"); err == nil {
		counters[0].Version, counters[1].Version = now[0].Version, now[1].Version
	}
	rand.Shuffle(len(counters), func(i, j int) { counters[i], counters[j] = counters[j], counters[i] })
	switch rand.IntN(10) {
	case 0:
		return s.CreateUser(t.Context(), u, c, store.Event{ID: id})
	case 1, 2, 3:
		_, err := s.CreateSession(t.Context(), store.Opening{
			Session: x, Proof: store.Proof{Method: c.Method, Key: c.Key, Version: 1}, Limit: 1 + rand.IntN(3), Until: day,
			Counters: counters, Now: day, Events: []store.Event{{ID: id}},
		})
		return err
	case 4:
		_, err := s.SwapCounters(t.Context(), day, counters...)
		return err
	case 5:
		if rand.IntN(4) > 0 {
			return s.AddCredential(t.Context(), store.Credential{UserID: u.ID, Method: "other", Key: u.ID, Data: []byte{}})
		}
		return s.DeleteUser(t.Context(), u.ID, day)
	case 6:
		_, err := s.EndSessions(t.Context(), u.ID, store.Which{}, day)
		return err
	case 7:
		now, err := s.User(t.Context(), u.ID)
		if err != nil {
			return err
		}
		return s.UpdateUser(t.Context(), now, store.Revocation{Key: id, ExpiresAt: day})
	case 8:
		return s.ChangeCredential(t.Context(), c, "", day)
	default:
		_, err := s.DeleteExpired(t.Context(), day.Add(2*time.Hour), 5)
		return err
	}
}
