package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

const counterColumns = "key, count, last_at, known_at, expires_at, version"

// selectCounters returns the query for that many keys, which are its parameters from $2 on.
func selectCounters(keys int) string {
	var b strings.Builder
	b.WriteString("SELECT " + counterColumns + " FROM counters WHERE expires_at > $1 AND key IN (")
	for i := range keys {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "$%d", i+2)
	}
	b.WriteByte(')')
	return b.String()
}

// Counters implements [store.Counters].
func (s *Store) Counters(ctx context.Context, now time.Time, keys ...string) (counters []store.Counter, err error) {
	if len(keys) == 0 {
		return nil, nil
	}
	args := []any{micros(now)}
	for _, key := range keys {
		args = append(args, key)
	}
	rows, err := s.read.QueryContext(ctx, selectCounters(len(keys)), args...)
	if err != nil {
		return nil, fmt.Errorf("counters: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	found := make(map[string]store.Counter, len(keys))
	for rows.Next() {
		var c store.Counter
		var last, known, expires int64
		if err := rows.Scan(&c.Key, &c.Count, &last, &known, &expires, &c.Version); err != nil {
			return nil, fmt.Errorf("counters: %w", err)
		}
		c.LastAt, c.KnownAt, c.ExpiresAt = fromMicros(last), fromMicros(known), fromMicros(expires)
		found[c.Key] = c
	}
	for _, key := range keys {
		c := found[key]
		c.Key = key
		counters = append(counters, c)
	}
	return counters, rows.Err()
}

// SwapCounters implements [store.Counters].
func (s *Store) SwapCounters(ctx context.Context, now time.Time, counters ...store.Counter) (n int, err error) {
	err = s.relaxed(ctx, func(tx *sql.Tx) error {
		for ; n < len(counters); n++ {
			if ok, err := swapCounter(ctx, tx, now, counters[n]); err != nil || !ok {
				return err
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return 0, fmt.Errorf("swap counters: %w", err)
	case n < len(counters):
		return n, store.ErrConflict
	default:
		return n, nil
	}
}

const (
	// updateCounter has the parameters of insertCounter and behind them the version that is to be there.
	updateCounter = `UPDATE counters SET count = $2, last_at = $3, known_at = $4, expires_at = $5, version = $7 + 1
		WHERE key = $1 AND version = $7 AND expires_at > $6`
	// insertCounter writes over an expired record: that one is absent. $6 is now.
	insertCounter = "INSERT INTO counters (" + counterColumns + `) VALUES ($1, $2, $3, $4, $5, 1)
		ON CONFLICT (key) DO UPDATE SET count = excluded.count, last_at = excluded.last_at, known_at = excluded.known_at,
			expires_at = excluded.expires_at, version = 1
		WHERE counters.expires_at <= $6`
)

// swapCounter reports whether the record had the version of c and is now c.
func swapCounter(ctx context.Context, tx *sql.Tx, now time.Time, c store.Counter) (bool, error) {
	query := insertCounter
	args := []any{c.Key, c.Count, micros(c.LastAt), micros(c.KnownAt), micros(c.ExpiresAt), micros(now)}
	if c.Version != 0 {
		query = updateCounter
		args = append(args, c.Version)
	}
	res, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// relaxed runs f in a transaction that does not wait for the disk. Under synchronous=NORMAL a commit to a WAL survives
// the end of the process, and a power failure takes no more than the newest ones: a later commit under FULL brings all
// before it to the disk. The one connection that writes must be back under FULL for everybody else, whatever happens.
func (s *Store) relaxed(ctx context.Context, f func(*sql.Tx) error) error {
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer restore(conn)
	if _, err := conn.ExecContext(ctx, "PRAGMA synchronous=NORMAL"); err != nil {
		return err
	}
	return transact(ctx, conn, f)
}

// restore gives a connection back under synchronous=FULL. One that refuses that is closed, and the pool opens another;
// it refuses inside a transaction, which database/sql may still be rolling back after its context has ended.
func restore(conn *sql.Conn) {
	if _, err := conn.ExecContext(context.Background(), "PRAGMA synchronous=FULL"); err != nil {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // which closes it
	}
	_ = conn.Close() // says only that it is closed already
}
