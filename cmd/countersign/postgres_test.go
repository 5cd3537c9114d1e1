package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestGuessesOnTwoNodesCountTogether guesses at one account on two nodes at once: as many guesses are checked as a pair of
// account and address has free, and one more for each wait that goes by.
func TestGuessesOnTwoNodesCountTogether(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, guesses)
}

func guesses(t *testing.T, on database) {
	const free, wait = 5, time.Second
	all := nodes(t, 2, on.settings...).nodes
	if a, err := all[0].post("/signup", "", "email", "mike@example.com", "password", nodePassword); err != nil || a.Status != http.StatusOK {
		t.Fatal(a, err)
	}
	var checked, refused atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for i := range 40 {
		wg.Go(func() {
			a, err := all[i%2].post("/login", "", "email", "mike@example.com", "password", fmt.Sprint("wrong guess ", i))
			switch {
			case err == nil && a.Status == http.StatusUnauthorized:
				checked.Add(1)
			case err == nil && a.Status == http.StatusTooManyRequests:
				refused.Add(1)
			default:
				t.Errorf("%v (%v)", a, err)
			}
		})
	}
	wg.Wait()
	most := free + int64(time.Since(start)/wait)
	if n := checked.Load(); n < free || n > most || n+refused.Load() != 40 {
		t.Errorf("%d guesses were checked and %d refused; %d to %d are free", n, refused.Load(), free, most)
	}
}

// TestALoginIsThreeStatementsAndOneCommit counts what the database is asked, at a server in a process of its own.
func TestALoginIsThreeStatementsAndOneCommit(t *testing.T) {
	t.Parallel()
	settings := onPostgreSQL(t).settings
	n := nodes(t, 1, settings...).nodes[0]
	_, database, _ := strings.Cut(settings[0], "=")
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), "CREATE EXTENSION pg_stat_statements"); err != nil {
		t.Skipf("SKIPPED: the server has no pg_stat_statements: %v", err)
	}
	n.logIn(t, "mike@example.com") // which makes the secrets that are made once
	const logins = 10
	polls := statements(t, conn, func() { time.Sleep(1500 * time.Millisecond) }) // what the server asks again and again by itself
	all := statements(t, conn, func() {
		for range logins {
			if a, err := n.post("/login", "", "email", "mike@example.com", "password", nodePassword); err != nil || a.Status != http.StatusOK {
				t.Fatal(a, err)
			}
		}
	})
	sum := 0
	for query, calls := range all {
		if _, ok := polls[query]; ok {
			continue
		}
		t.Logf("%d times %.100s", calls, strings.Join(strings.Fields(query), " "))
		sum += calls
		if word := strings.ToUpper(query); strings.HasPrefix(word, "BEGIN") || strings.HasPrefix(word, "COMMIT") {
			t.Error("a login has a transaction of several statements, each with a way there and back")
		}
	}
	if sum == 0 || sum > 3*logins {
		t.Errorf("%d logins were %d statements", logins, sum)
	}
}

// statements returns how often which statements ran in the database while do did something.
func statements(t *testing.T, conn *pgx.Conn, do func()) map[string]int {
	t.Helper()
	const database = "(SELECT oid FROM pg_database WHERE datname = current_database())"
	if _, err := conn.Exec(t.Context(), "SELECT pg_stat_statements_reset(0, "+database+", 0)"); err != nil {
		t.Fatal(err)
	}
	do()
	rows, err := conn.Query(t.Context(), "SELECT query, calls FROM pg_stat_statements WHERE dbid = "+database+" AND query NOT LIKE '%pg_stat_statements%'")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]int)
	var query string
	var calls int
	if _, err := pgx.ForEachRow(rows, []any{&query, &calls}, func() error {
		all[query] += calls
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}
