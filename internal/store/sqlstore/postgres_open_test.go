package sqlstore_test

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/store/sqlstore"
	"github.com/countersign-auth/countersign/internal/testkit/pgtest"
)

// withParameter returns a URL with one more parameter.
func withParameter(t *testing.T, location, name, value string) string {
	t.Helper()
	u, err := url.Parse(location)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}

func TestManyNodesStartAtOnce(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]string{"direct": pgtest.Database(t), "pooled": pgtest.Pooled(t, pgtest.Database(t))} {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				s, err := sqlstore.OpenPostgres(t.Context(), database, 2)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				if err := errors.Join(s.Ping(t.Context()), s.Close()); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		wg.Wait()
	}
}

func TestPostgresNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	openPostgres(t, database)
	if _, err := connectTo(t, database).Exec(t.Context(), "INSERT INTO countersign_migrations (version_id, is_applied) VALUES (9999, TRUE)"); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlstore.OpenPostgres(t.Context(), database, 2); err == nil || !strings.Contains(err.Error(), "run a newer countersign") {
		t.Errorf("got %v", err)
	}
}

// TestMigrationThatIsKilled ends the connections of a node that migrates, again and again and each time a little later.
func TestMigrationThatIsKilled(t *testing.T) {
	t.Parallel()
	for i := range 12 {
		database := pgtest.Database(t)
		through, proxy := throughProxy(t, database)
		seen := 0
		proxy.Lose(func([]byte) bool { seen++; return seen >= 6*i }) // from then on no answer comes
		if s, err := sqlstore.OpenPostgres(t.Context(), through, 2); err == nil {
			_ = s.Close()
		}
		allWork(t, "migrated after that", openPostgres(t, database))
	}
}

func TestSchemaIsMade(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	for _, path := range []string{"auth", "auth, public", `"Other"`} {
		allWork(t, path, openPostgres(t, withParameter(t, database, "search_path", path)))
	}
	var tables int
	row := connectTo(t, database).QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE tablename = 'users' AND schemaname IN ('auth', 'Other')")
	if err := row.Scan(&tables); err != nil || tables != 2 {
		t.Errorf("%d tables (%v)", tables, err)
	}
}

func TestOtherEncodingIsRefused(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	admin := connectTo(t, database)
	if _, err := admin.Exec(t.Context(), "CREATE DATABASE latin_of"+u.Path[1:]+" TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = admin.Exec(context.Background(), "DROP DATABASE latin_of"+u.Path[1:]) })
	u.Path = "/latin_of" + u.Path[1:]
	if _, err := sqlstore.OpenPostgres(t.Context(), u.String(), 2); err == nil || !strings.Contains(err.Error(), "ENCODING 'UTF8'") {
		t.Errorf("got %v", err)
	}
}

// TestPasswordIsInNoError gives URLs that lead nowhere.
func TestPasswordIsInNoError(t *testing.T) {
	t.Parallel()
	for _, location := range []string{
		"postgres://me:SECRET@127.0.0.1:1/x?connect_timeout=1", "postgres://me:SECRET%zz@127.0.0.1/x", "postgres://me:SEC/RET@127.0.0.1/x",
		"postgres://127.0.0.1:1/x?user=me&password=SECRET", "postgres://me:SECRET@127.0.0.1:SECRET/x", "postgres://me:SECRET@127.0.0.1/x?sslmode=SECRET",
		"postgres://me:SECRET@127.0.0.1/x?sslrootcert=/nowhere", "postgres://[me:SECRET@/x",
	} {
		_, err := sqlstore.OpenPostgres(t.Context(), location, 2)
		if err == nil || strings.Contains(err.Error(), "SEC") || strings.Contains(err.Error(), "RET") {
			t.Errorf("%s: %v", location, err)
		}
	}
}

func TestTextsThatPostgresKeepsNoneOf(t *testing.T) {
	t.Parallel()
	s := openPostgres(t, pgtest.Database(t))
	u, c, x := there(t, s, 1)
	for _, odd := range []string{"\x00", u.ID + "\x00", "\xff", "\xc3", "\xed\xa0\x80"} {
		_, userErr := s.User(t.Context(), odd)
		_, mailErr := s.UserByEmail(t.Context(), odd)
		_, credentialErr := s.Credential(t.Context(), "password", odd)
		_, _, sessionErr := s.Session(t.Context(), odd)
		_, secretErr := s.Secret(t.Context(), odd)
		_, openErr := s.CreateSession(t.Context(), store.Opening{Session: store.Session{ID: "y", UserID: odd, Epoch: u.Epoch}})
		for name, err := range map[string]error{
			"User": userErr, "UserByEmail": mailErr, "Credential": credentialErr, "Session": sessionErr, "Secret": secretErr, "CreateSession": openErr,
			"DeleteUser": s.DeleteUser(t.Context(), odd, day),
		} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s of %q: %v, want %v", name, odd, err, store.ErrNotFound)
			}
		}
		if n, err := s.EndSessions(t.Context(), u.ID, store.Which{Only: odd}, day); n != 0 || err != nil {
			t.Errorf("EndSessions of %q: %d, %v", odd, n, err)
		}
		counters := []store.Counter{{Key: odd, ExpiresAt: day.Add(time.Hour)}, {Key: "good of " + odd[:0], ExpiresAt: day.Add(time.Hour)}}
		if _, err := s.SwapCounters(t.Context(), day, counters...); err != nil {
			t.Errorf("SwapCounters of %q: %v", odd, err)
		}
		got, err := s.Candidate(t.Context(), c.Method, odd, day, odd, "good of ")
		if err != nil || got.User.ID != "" || len(got.Counters) != 2 || got.Counters[0].Version != 0 || got.Counters[1].Version != 1 {
			t.Errorf("Candidate of %q: %+v, %v", odd, got, err)
		}
		if got, err := s.Counters(t.Context(), day, odd, "good of "); err != nil || got[0].Version != 0 || got[1].Version != 1 {
			t.Errorf("Counters of %q: %+v, %v", odd, got, err)
		}
		for name, list := range map[string]func() (int, error){
			"SearchUsers": func() (int, error) { all, err := s.SearchUsers(t.Context(), odd, "", 9); return len(all), err },
			"ListUsers":   func() (int, error) { all, err := s.ListUsers(t.Context(), odd+"~", 9); return len(all), err },
		} {
			if n, err := list(); err != nil || n != 0 {
				t.Errorf("%s of %q: %d, %v", name, odd, n, err)
			}
		}
	}
	if err := hasSessions(t, s, u.ID, x); err != nil {
		t.Error(err)
	}
}

func TestWatchHearsOfOtherNodes(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	s, other := openPostgres(t, database), openPostgres(t, database)
	heard := make(chan struct{}, 100)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { s.Watch(ctx, func() { heard <- struct{}{} }, slog.New(slog.DiscardHandler)) })
	defer wg.Wait()
	defer cancel()
	soon := func(why string) {
		t.Helper()
		select {
		case <-heard:
		case <-time.After(10 * time.Second):
			t.Fatalf("nothing is heard: %s", why)
		}
	}
	soon("at first")
	write := func(why string, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		soon(why)
	}
	u, c, _ := there(t, other, 1)
	write("Revoke", other.Revoke(t.Context(), store.Revocation{Key: "x", ExpiresAt: day}))
	write("AddKey", other.AddKey(t.Context(), store.SigningKey{ID: "k", Private: []byte("p")}, ""))
	write("ReplaceKey", other.ReplaceKey(t.Context(), "k", []byte("p"), []byte("q")))
	write("DeleteKey", other.DeleteKey(t.Context(), "k"))
	_, err := other.FirstSecret(t.Context(), "s", []byte("v"))
	write("FirstSecret", err)
	write("ChangeCredential", other.ChangeCredential(t.Context(), c, "", day))
	write("DeleteUser", other.DeleteUser(t.Context(), u.ID, day))
	there(t, other, 2) // is no news
	select {
	case <-heard:
		t.Error("a sign-up and a login are heard of")
	case <-time.After(300 * time.Millisecond):
	}
	_, err = connectTo(t, database).Exec(t.Context(),
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'")
	write("connected again", err)
	write("Revoke, after that", other.Revoke(t.Context(), store.Revocation{Key: "y", ExpiresAt: day}))
}
