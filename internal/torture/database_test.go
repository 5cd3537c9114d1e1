package torture

import (
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"log/slog"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/countersign-auth/countersign/internal/app"
	"github.com/countersign-auth/countersign/internal/config"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/testkit/faultproxy"
	"github.com/countersign-auth/countersign/internal/testkit/mongotest"
	"github.com/countersign-auth/countersign/internal/testkit/pgtest"
)

// database is a database for servers, and what can befall it.
type database struct {
	// settings name it to servers and commands.
	settings []string
	// clients is how many at once it can take.
	clients int
	// check looks for damage that no verb of a store would show, when no server runs.
	check func(t *testing.T)
	// proxy is how a database that is a server is reached; nil for a file.
	proxy *faultproxy.Proxy
	// server is that server, if the test can do something to it.
	server *process
}

// process is a database server.
type process struct{ stop, kill, start, freeze, thaw func() }

// kinds are the databases that every server can use.
var kinds = []struct {
	name string
	open func(t *testing.T) *database
}{
	{"SQLite", openSQLite},
	{"PostgreSQL", openPostgres},
	{"MongoDB", openMongo},
}

// onEach runs a test on each kind of database.
func onEach(t *testing.T, test func(t *testing.T, d *database)) {
	t.Helper()
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) { test(t, kind.open(t)) })
	}
}

// onEachServer runs a test on each kind of database that is a server. Each database that open returns is on a server of its own.
func onEachServer(t *testing.T, test func(t *testing.T, open func(t *testing.T) *database)) {
	t.Helper()
	for _, kind := range kinds[1:] {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			test(t, kind.open)
		})
	}
}

func openSQLite(t *testing.T) *database { return sqliteIn(t.TempDir()) }

func sqliteIn(dir string) *database {
	return &database{
		settings: []string{"COUNTERSIGN_DATA=" + dir},
		clients:  50,
		check: func(t *testing.T) {
			t.Helper()
			db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "countersign.db"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			var verdict string
			if err := db.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
				t.Errorf("integrity_check: %s %v", verdict, err)
			}
			var broken int
			if err := db.QueryRow("SELECT count(*) FROM pragma_foreign_key_check").Scan(&broken); err != nil || broken > 0 {
				t.Errorf("foreign_key_check: %d rows %v", broken, err)
			}
		},
	}
}

func openPostgres(t *testing.T) *database {
	server := pgtest.Start(t)
	location, err := url.Parse(server.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	direct := location.String()
	proxy := faultproxy.Start(t, location.Host)
	location.Host = proxy.Addr()
	return &database{
		settings: []string{"COUNTERSIGN_DATABASE=" + location.String(), "COUNTERSIGN_MASTER_KEY=" + masterKey()},
		clients:  50,
		check:    func(t *testing.T) { checkPostgres(t, direct) },
		proxy:    proxy,
		server: &process{
			stop: func() { server.Stop(t, "fast") }, kill: func() { server.Kill(t) }, start: func() { server.Again(t) },
			freeze: func() { server.Freeze(t) }, thaw: func() { server.Thaw(t) },
		},
	}
}

// checkPostgres has PostgreSQL compare each index with its table.
func checkPostgres(t *testing.T, location string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), location)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	const checkAll = `SELECT count(bt_index_check(c.oid, true)) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
		JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'btree'`
	if _, err := conn.Exec(t.Context(), "CREATE EXTENSION IF NOT EXISTS amcheck"); err != nil {
		t.Fatal(err)
	}
	var indexes int
	if err := conn.QueryRow(t.Context(), checkAll).Scan(&indexes); err != nil || indexes == 0 {
		t.Errorf("amcheck of %d indexes: %v", indexes, err)
	}
}

func openMongo(t *testing.T) *database {
	location, err := url.Parse(mongotest.Start(t).URL(t.Name()))
	if err != nil {
		t.Fatal(err)
	}
	proxy := faultproxy.Start(t, location.Host)
	location.Host = proxy.Addr()
	q := location.Query()
	q.Set("directConnection", "true") // the proxy's address is not the one by which the server knows itself
	location.RawQuery = q.Encode()
	return &database{
		settings: []string{"COUNTERSIGN_DATABASE=" + location.String(), "COUNTERSIGN_MASTER_KEY=" + masterKey()},
		clients:  5,                   // of what may stand in for a MongoDB
		check:    func(*testing.T) {}, // which no client of a MongoDB can do
		proxy:    proxy,
	}
}

// masterKey returns a new master key.
func masterKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return base64.StdEncoding.EncodeToString(key)
}

// open opens the database as a command does that has that clock; nil is the machine's. Close it when done.
func (d *database) open(t *testing.T, now func() time.Time) *app.App {
	t.Helper()
	cfg, _, err := config.Load(config.Sources{Environ: d.environment()})
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.Open(t.Context(), cfg, cfg.Listen, slog.New(slog.DiscardHandler), now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// accounts returns all accounts, and reports those that are not whole.
func accounts(t *testing.T, st store.Store) map[string]store.Account {
	t.Helper()
	const page = 1000
	all := map[string]store.Account{} // by canonical address
	for after := ""; ; {
		some, err := st.Accounts(t.Context(), after, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range some {
			key := a.User.EmailKey
			if _, twice := all[key]; twice {
				t.Errorf("two users have the address %s", key)
			}
			if len(a.Credentials) != 1 || a.Credentials[0].Key != key || a.Credentials[0].UserID != a.User.ID {
				t.Errorf("%s has the credentials %+v", key, a.Credentials)
			}
			all[key] = a
			after = a.User.ID
		}
		if len(some) < page {
			return all
		}
	}
}

// events returns how many events there are of a user, by kind and result.
func events(t *testing.T, st store.Store) map[event]int {
	t.Helper()
	const page = 1000
	all := map[event]int{}
	for after := ""; ; {
		some, err := st.ListEvents(t.Context(), after, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range some {
			all[event{e.UserID, e.Kind, e.Result}]++
			after = e.ID
		}
		if len(some) < page {
			return all
		}
	}
}

type event struct{ user, kind, result string }
