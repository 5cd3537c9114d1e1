package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"github.com/countersign-auth/countersign/internal/store"
)

// TestUsersAndKeysOfBefore brings a database up to date that was made before there were sessions.
func TestUsersAndKeysOfBefore(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	if err := prepareFile(path); err != nil {
		t.Fatal(err)
	}
	db, err := open(path, 1, busyTimeout)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	upTo(t, db, 2)
	if _, err := db.ExecContext(t.Context(), `
		INSERT INTO users (id, email, email_key, created_at, updated_at, version) VALUES ('a', 'A@x', 'a@x', 1, 2, 3), ('b', 'b@x', 'b@x', 1, 2, 3);
		INSERT INTO signing_keys (id, algorithm, private, created_at) VALUES ('k9', 'ES256', 'p9', 5), ('k1', 'ES256', 'p1', 7), ('k2', 'ES256', 'p2', 7)`); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a, err := s.User(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.User(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Epoch) != 32 || len(b.Epoch) != 32 || a.Epoch == b.Epoch {
		t.Errorf("epochs %q and %q", a.Epoch, b.Epoch)
	}
	a.Epoch = ""
	want := store.User{ID: "a", Email: "A@x", EmailKey: "a@x", CreatedAt: store.FromMicros(1), UpdatedAt: store.FromMicros(2), Version: 3}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := s.AddKey(t.Context(), store.SigningKey{ID: "new", Private: []byte("p"), CreatedAt: store.FromMicros(1)}, "k2"); err != nil {
		t.Error(err)
	}
	keys, err := s.SigningKeys(t.Context())
	var got []string
	for _, k := range keys {
		got = append(got, fmt.Sprintf("%s %d", k.ID, store.Micros(k.SignsAt)))
	}
	if diff := cmp.Diff([]string{"new 0", "k2 7", "k1 7", "k9 5"}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// upTo migrates to a version that is not the newest.
func upTo(t *testing.T, db *sql.DB, version int64) {
	t.Helper()
	files, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
}

// TestEventsOfBefore brings a database up to date that was made before an event could have an actor.
func TestEventsOfBefore(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	if err := prepareFile(path); err != nil {
		t.Fatal(err)
	}
	db, err := open(path, 1, busyTimeout)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	upTo(t, db, 3)
	insert := strings.Replace(strings.Replace(insertEvent, " actor,", "", 1), ", $13", "", 1) // as the version before has it
	if _, err := db.ExecContext(t.Context(), insert, "id", 1, "login", "ok", "", "u", "s", "password", "127.0.0.1", "r", 1, nil); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	events, err := s.ListEvents(t.Context(), "", 2)
	want := []store.Event{{
		ID: "id", At: store.FromMicros(1), Kind: "login", Result: "ok", UserID: "u", Subject: "s", Method: "password", Client: "127.0.0.1",
		RequestID: "r", Count: 1,
	}}
	if diff := cmp.Diff(want, events); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestNoHotQueryScans(t *testing.T) {
	t.Parallel()
	s := openHere(t)
	// These sort what belongs to one user, or to one after the other.
	sorts := map[string]bool{listSessions: true, deleteSurplus: true, credentialsOf: true, sessionsOf: true, listCredentials: true}
	queries := map[string]string{
		"one counter":             selectCounters(1),
		"three counters":          selectCounters(3),
		"swap":                    updateCounter,
		"make":                    insertCounter,
		"list events":             listEvents,
		"secret":                  selectSecret,
		"replace secret":          replaceSecret,
		"credential":              selectCredential,
		"update credential":       updateCredential,
		"list credentials":        listCredentials,
		"delete credential":       deleteCredential,
		"user":                    selectUser,
		"user by address":         selectUserByMail,
		"update user":             updateUser,
		"delete user":             deleteUser,
		"list users":              listUsers,
		"search users":            searchFrom,
		"search users further":    searchAfter,
		"candidate":               selectCandidate,
		"accounts: credentials":   credentialsOf,
		"accounts: sessions":      sessionsOf,
		"counters by page":        listCounters,
		"has user":                hasUser,
		"has credential":          hasCredential,
		"has session":             hasSession,
		"has key":                 hasKey,
		"has secret":              hasSecret,
		"delete key":              deleteKey,
		"add credential":          addCredential,
		"session":                 selectSession,
		"list sessions":           listSessions,
		"create session":          insertSession,
		"delete surplus sessions": deleteSurplus,
		"rotate session":          rotateSession,
		"rotate and sweep sooner": rotateAndSweepSooner,
		"end sessions":            deleteSessions,
		"revocations":             selectRevocations,
		"add key":                 insertKey,
		"replace key":             replaceKey,
	}
	for i, kind := range sweeps(s.pick()) {
		for j, query := range kind {
			queries[fmt.Sprintf("delete expired %d.%d", i, j)] = query
		}
	}
	for name, query := range queries {
		args := []any{}
		for i := range 16 {
			if strings.Contains(query, fmt.Sprintf("$%d", i+1)) {
				args = append(args, i)
			}
		}
		rows, err := s.read.db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			t.Logf("%s: %s", name, detail)
			if strings.HasPrefix(detail, "SCAN") && detail != "SCAN CONSTANT ROW" && name != "add key" ||
				strings.Contains(detail, "TEMP B-TREE") && !sorts[query] {
				t.Errorf("%s: %s", name, detail)
			}
			if name == "list credentials" && strings.Contains(detail, "credentials") && !strings.Contains(detail, "user_id=?") {
				t.Errorf("%s does not go by user: %s", name, detail)
			}
			if strings.HasSuffix(name, "counters") && !strings.Contains(detail, "key=?") && !strings.HasPrefix(name, "delete") {
				t.Errorf("%s does not go by key: %s", name, detail)
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRowsOfAUserAreFoundByIndex is about what a foreign key does when a user is deleted.
func TestRowsOfAUserAreFoundByIndex(t *testing.T) {
	t.Parallel()
	s := openHere(t)
	for _, table := range []string{"credentials", "sessions"} {
		var id, parent, unused int
		var detail string
		row := s.read.db.QueryRowContext(t.Context(), "EXPLAIN QUERY PLAN DELETE FROM "+table+" WHERE user_id = $1", "u")
		if err := row.Scan(&id, &parent, &unused, &detail); err != nil || !strings.HasPrefix(detail, "SEARCH") {
			t.Errorf("%s: %s (%v)", table, detail, err)
		}
	}
}
