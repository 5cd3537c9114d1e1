package torture

import (
	"database/sql"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/app"
	"github.com/countersign-auth/countersign/internal/config"
	"github.com/countersign-auth/countersign/internal/store"
)

// database is a database for servers, and what can befall it.
type database struct {
	// settings name it to servers and commands.
	settings []string
	// check looks for damage that no verb of a store would show, when no server runs.
	check func(t *testing.T)
}

// kinds are the databases that every server can use.
var kinds = []struct {
	name string
	open func(t *testing.T) *database
}{
	{"SQLite", openSQLite},
}

// onEach runs a test on each kind of database.
func onEach(t *testing.T, test func(t *testing.T, d *database)) {
	t.Helper()
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) { test(t, kind.open(t)) })
	}
}

func openSQLite(t *testing.T) *database { return sqliteIn(t.TempDir()) }

func sqliteIn(dir string) *database {
	return &database{
		settings: []string{"COUNTERSIGN_DATA=" + dir},
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
