package sqlstore

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/countersign-auth/countersign/internal/testkit/pgtest"
)

// TestNoHotQueryScansPostgres asks for the plans that serve any values, where to read a table from end to end counts as dear:
// whatever does so all the same has no index to go by.
func TestNoHotQueryScansPostgres(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	s, err := OpenPostgres(t.Context(), database, minConnections)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan"); err != nil {
		t.Fatal(err)
	}
	queries := map[string]string{
		"open session": openSession, "candidate": postgresCandidate, "swap counters": swapCountersAtOnce, "sign up": signUpUser,
		"append events": insertEvents(1, "TRUE"), "count events": countEvents, "lock user": lockUser, "revoke": insertRevocations,
		"counters": selectCounters(3), "credential": selectCredential, "update credential": updateCredential, "add credential": addCredential,
		"list credentials": listCredentials, "delete credential": deleteCredential,
		"user": selectUser, "user by address": selectUserByMail, "update user": updateUser, "delete user": deleteUser, "list users": listUsers,
		"search users": searchFrom, "search users further": searchAfter, "session": selectSession, "list sessions": listSessions,
		"rotate session": rotateSession, "rotate and sweep sooner": rotateAndSweepSooner, "end sessions": deleteSessions,
		"revocations": selectRevocations, "list events": listEvents, "secret": selectSecret, "replace secret": replaceSecret,
		"accounts: credentials": credentialsOf, "accounts: sessions": sessionsOf, "counters by page": listCounters,
		"rows of a deleted user": "DELETE FROM credentials WHERE user_id = $1",
	}
	for i, kind := range sweeps(s.pick()) {
		for j, query := range kind {
			queries[fmt.Sprintf("delete expired %d.%d", i, j)] = query
		}
	}
	scan := regexp.MustCompile(`Seq Scan on (\w+)`)
	for name, query := range queries {
		plan := planOf(t, conn, query)
		for _, found := range scan.FindAllStringSubmatch(plan, -1) {
			if found[1] != "revocation_head" { // which has one row
				t.Errorf("%s reads all of %s:\n%s", name, found[1], plan)
			}
		}
	}
}

var parameter = regexp.MustCompile(`\$\d+`)

func planOf(t *testing.T, conn *pgx.Conn, query string) string {
	t.Helper()
	n := 0
	for _, p := range parameter.FindAllString(query, -1) {
		var i int
		_, _ = fmt.Sscanf(p, "$%d", &i)
		n = max(n, i)
	}
	nulls := strings.TrimSuffix(strings.Repeat("NULL,", n), ",")
	if _, err := conn.Exec(t.Context(), "PREPARE asked AS "+query); err != nil {
		t.Fatalf("%v:\n%s", err, query)
	}
	rows, err := conn.Query(t.Context(), "EXPLAIN EXECUTE asked("+nulls+")", pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "DEALLOCATE asked"); err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}
