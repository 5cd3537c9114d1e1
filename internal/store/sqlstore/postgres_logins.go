package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

// What follows are verbs that PostgreSQL answers in one round trip, as a login and a sign-up must: each is one statement.
// The parts of a statement see what was there when it began, and what a part returns; which of them lock what in which order
// goes by who refers to whom.

// swapped returns two parts of a statement: given, which is counters in the parameters from $first on, and swapped, which
// writes those of them that may be and returns their keys. Now is the parameter for the time, and condition must hold.
//
// A counter that is to have another version than 1 is written only if the statement sees the version before. If that has
// expired and is deleted meanwhile, it is written all the same, as if that had come before.
func swapped(first int, now, condition string) string {
	return `given AS (SELECT x.* FROM ` + arrays(first, counterTypes) + ` WITH ORDINALITY
			AS x (key, count, last_at, known_at, expires_at, version, place)),
		swapped AS (INSERT INTO counters (` + counterColumns + `)
			SELECT key, count, last_at, known_at, expires_at, version + 1 FROM given
			WHERE key IS NOT NULL AND ` + condition + ` AND (version = 0
				OR EXISTS (SELECT FROM counters WHERE counters.key = given.key AND counters.version = given.version))
			ORDER BY key
			ON CONFLICT (key) DO UPDATE SET count = excluded.count, last_at = excluded.last_at, known_at = excluded.known_at,
				expires_at = excluded.expires_at, version = excluded.version
			WHERE CASE excluded.version WHEN 1 THEN counters.expires_at <= ` + now + `
				ELSE counters.version = excluded.version - 1 AND counters.expires_at > ` + now + ` END
			RETURNING key)`
}

// whichSwapped is a text with a 1 for each of the given that was swapped, and else a 0.
const whichSwapped = `coalesce((SELECT string_agg(CASE WHEN swapped.key IS NULL THEN '0' ELSE '1' END, '' ORDER BY given.place)
	FROM given LEFT JOIN swapped ON swapped.key = given.key), '')`

// counterArrays returns the parameters of swapped.
func counterArrays(counters []store.Counter) []any {
	n := len(counters)
	keys := make([]*string, n)
	count, last, known, expires, version := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	for i, c := range counters {
		if keeps(c.Key) {
			keys[i] = &c.Key
		}
		count[i], last[i], known[i], expires[i], version[i] = c.Count, store.Micros(c.LastAt), store.Micros(c.KnownAt), store.Micros(c.ExpiresAt), c.Version
	}
	return []any{keys, count, last, known, expires, version}
}

// flags is the inverse of whichSwapped.
func flags(which string) []bool {
	all := make([]bool, len(which))
	for i := range which {
		all[i] = which[i] == '1'
	}
	return all
}

// insertEvents returns a statement that inserts events, which are in the parameters from $first on, if condition holds.
func insertEvents(first int, condition string) string {
	return "INSERT INTO events (" + eventColumns + ") SELECT x.* FROM " + arrays(first, eventTypes) + " AS x WHERE " + condition
}

// eventArrays returns the parameters of insertEvents.
func eventArrays(events []store.Event) []any {
	rows := make([][]any, len(events))
	for i, e := range events {
		rows[i] = eventArgs(e)
	}
	return columns(eventTypes, rows)
}

// AppendEvents implements [store.Events].
func (p *Postgres) AppendEvents(ctx context.Context, events ...store.Event) error {
	write := func(w tx) error {
		_, err := w.exec(insertEvents(1, "TRUE"), eventArrays(events)...)
		return err
	}
	if err := p.commit(ctx, change{single: true, do: write, verdict: p.eventsWritten(events)}); err != nil {
		return fmt.Errorf("append events: %w", err)
	}
	return nil
}

var signUpUser = `WITH created AS (INSERT INTO users (id, email, email_key, roles, data, admin_data, epoch, disabled_at, created_at, updated_at, version)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id),
	known AS (INSERT INTO credentials (method, key, user_id, data, created_at, updated_at, version)
		SELECT $12, $13, $14, $15, $16, $17, $18 WHERE EXISTS (SELECT FROM created) RETURNING user_id)
	` + insertEvents(19, "EXISTS (SELECT FROM known)")

// CreateUser implements [store.Users].
func (p *Postgres) CreateUser(ctx context.Context, u store.User, c store.Credential, events ...store.Event) error {
	u.Version, c.Version, c.UserID = 1, 1, u.ID
	args, err := userArgs(u)
	if err != nil {
		return err
	}
	args = append(append(args, credentialArgs(c)...), eventArrays(events)...)
	create := func(w tx) error {
		_, err := w.exec(signUpUser, args...)
		return err
	}
	return p.commit(ctx, change{single: true, do: create, verdict: p.userCreated(u.ID)})
}

// SwapCounters implements [store.Counters].
func (p *Postgres) SwapCounters(ctx context.Context, now time.Time, counters ...store.Counter) (done []bool, err error) {
	args := append([]any{store.Micros(now)}, counterArrays(counters)...)
	var attempts int
	err = p.try(ctx, nil, func(ctx context.Context, conn *sql.Conn) (fate, error) {
		attempts++
		var off, which string
		err := conn.QueryRowContext(ctx, swapCountersAtOnce, args...).Scan(&off, &which)
		done = flags(which)
		return lost, err
	})
	if err == nil && attempts > 1 {
		done, err = p.recognize(ctx, now, counters, done)
	}
	if err != nil {
		return nil, fmt.Errorf("swap counters: %w", err)
	}
	return done, nil
}

// swapCountersAtOnce does not wait for the disk.
var swapCountersAtOnce = "WITH " + swapped(2, "$1", "TRUE") + " SELECT set_config('synchronous_commit', 'off', TRUE), " + whichSwapped

// recognize adds to those counters that were swapped those that an attempt has written of which nobody knew that.
func (p *Postgres) recognize(ctx context.Context, now time.Time, counters []store.Counter, swapped []bool) ([]bool, error) {
	keys := make([]string, len(counters))
	for i, c := range counters {
		keys[i] = c.Key
	}
	there, err := p.Counters(ctx, now, keys...)
	if err != nil {
		return nil, err
	}
	all := make([]bool, len(counters))
	copy(all, swapped)
	for i, c := range counters {
		c.Version++
		all[i] = all[i] || reflect.DeepEqual(counterArrays(there[i:i+1]), counterArrays([]store.Counter{c}))
	}
	return all, nil
}

// postgresCandidate has a row for each counter and one if there is none, each with the credential and the user or with NULL.
const postgresCandidate = "SELECT " + credentialColumns + ", " + userColumns + `, counters.key, counters.count, counters.last_at, counters.known_at,
		counters.expires_at, counters.version
	FROM (SELECT) AS one
	LEFT JOIN (credentials JOIN users ON users.id = credentials.user_id) ON credentials.method = $1 AND credentials.key = $2
	LEFT JOIN counters ON counters.key = ANY($3::text[]) AND counters.expires_at > $4`

// Candidate implements [store.Logins].
func (p *Postgres) Candidate(ctx context.Context, method, key string, now time.Time, counters ...string) (c store.Candidate, err error) {
	var asked []string
	for _, key := range counters {
		if keeps(key) {
			asked = append(asked, key)
		}
	}
	found := make(map[string]store.Counter, len(counters))
	err = p.each(ctx, postgresCandidate, []any{method, key, asked, store.Micros(now)}, func(r row) (err error) {
		var credential credentialRow
		var user userRow
		counter, err := scanCounter(behindOthers{r, append(credential.into(), user.into()...)})
		if err != nil {
			return err
		}
		found[counter.Key] = counter
		if user.user.ID != "" {
			c.Credential = credential.result()
			c.User, err = user.result()
		}
		return err
	})
	if err != nil {
		return store.Candidate{}, fmt.Errorf("candidate: %w", err)
	}
	c.Counters = inOrder(counters, found)
	return c, nil
}

// behindOthers is a row of which others are scanned first. All of them may be NULL.
type behindOthers struct {
	row
	others []any
}

func (r behindOthers) Scan(into ...any) error {
	all := make([]any, 0, len(r.others)+len(into))
	for _, x := range append(r.others, into...) {
		all = append(all, orNothing{x})
	}
	return r.row.Scan(all...)
}

// orNothing scans a column that may be NULL, and then leaves what it scans into as it is.
type orNothing struct{ into any }

// Scan implements [sql.Scanner].
func (o orNothing) Scan(value any) error {
	switch into := o.into.(type) {
	case *string:
		*into, _ = value.(string)
	case *int64:
		*into, _ = value.(int64)
	case *[]byte:
		switch value := value.(type) {
		case string:
			*into = []byte(value)
		case []byte:
			*into = append([]byte{}, value...)
		}
	default:
		return fmt.Errorf("a column cannot be scanned into %T", into)
	}
	return nil
}
