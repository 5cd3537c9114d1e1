package sqlstore_test

import (
	"errors"
	"testing"

	"github.com/countersign-auth/countersign/internal/store/sqlstore"
	"github.com/countersign-auth/countersign/internal/testkit/pgtest"
)

func TestPostgresSchemaVersion(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	versions := func() (current, newest int64) {
		t.Helper()
		s, err := sqlstore.OpenPostgresAsIs(t.Context(), database, 2)
		if err != nil {
			t.Fatal(err)
		}
		current, newest, err = s.Schema(t.Context())
		if err := errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
		return current, newest
	}
	if current, newest := versions(); current != 0 || newest == 0 {
		t.Errorf("a new database has version %d of %d", current, newest)
	}
	s, err := sqlstore.OpenPostgres(t.Context(), database, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if current, newest := versions(); current != newest {
		t.Errorf("it has version %d of %d", current, newest)
	}
}
