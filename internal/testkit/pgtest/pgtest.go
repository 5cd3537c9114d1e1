//go:build unix

// Package pgtest gives tests databases of a real PostgreSQL.
//
// The server is the one that COUNTERSIGN_TEST_POSTGRES names by a URL, where databases may be made; else one that the test
// process starts from the installed binaries, as an unprivileged user, in a temporary folder and on a free port. It ends with
// the process, however that ends.
package pgtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/countersign-auth/countersign/internal/testkit/need"
)

// variable is what names a server that is there already.
const variable = "COUNTERSIGN_TEST_POSTGRES"

// shared is the server that all tests of this process share. It does not wait for the disk.
var shared = sync.OnceValues(func() (*Server, error) {
	bin, err := need.FindPostgres()
	if err != nil {
		return nil, err
	}
	return start(bin, "fsync=off", "full_page_writes=off")
})

// Database returns the URL of a fresh and empty database, which is dropped when the test ends.
func Database(t testing.TB) string {
	t.Helper()
	if server := os.Getenv(variable); server != "" {
		return database(t, server)
	}
	need.Postgres(t)
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return s.Database(t)
}

// Database returns the URL of a fresh and empty database of the server, which is dropped when the test ends.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	return database(t, s.URL)
}

func database(t testing.TB, server string) string {
	t.Helper()
	name := "test_" + strings.ToLower(rand.Text())
	if err := run(t.Context(), server, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8'"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := run(ctx, server, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Logf("a database is left over: %v", err)
		}
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// run runs a statement on a connection of its own.
func run(ctx context.Context, server, statement string) error {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return fmt.Errorf("the test's PostgreSQL: %w", err)
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}
