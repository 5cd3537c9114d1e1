package sqlstore_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/store/sqlstore"
	"github.com/countersign-auth/countersign/internal/store/storetest"
	"github.com/countersign-auth/countersign/internal/testkit/pgtest"
)

// connections are those of a node in these tests.
const connections = 10

func openPostgres(t *testing.T, url string) *sqlstore.Postgres {
	t.Helper()
	s, err := sqlstore.OpenPostgres(t.Context(), url, connections)
	return storetest.Opened(t, s, err)
}

// inPlace opens a database whose URL is kept in a file of the place.
func inPlace(t *testing.T, place string, database func(testing.TB) string) store.Store {
	t.Helper()
	file := filepath.Join(place, "url")
	url, err := os.ReadFile(file)
	if err != nil {
		url = []byte(database(t))
		if err := os.WriteFile(file, url, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return openPostgres(t, string(url))
}

func TestPostgresContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, place string) store.Store { return inPlace(t, place, pgtest.Database) })
}

// TestPostgresContractPooled is the contract through a PgBouncer in transaction mode, with nothing said about it in the URL.
func TestPostgresContractPooled(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, place string) store.Store {
		return inPlace(t, place, func(t testing.TB) string { return pgtest.Pooled(t, pgtest.Database(t)) })
	})
}
