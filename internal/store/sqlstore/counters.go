package sqlstore

import (
	"context"
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

// scanCounter reads the counterColumns.
func scanCounter(r row) (c store.Counter, err error) {
	var last, known, expires int64
	err = r.Scan(&c.Key, &c.Count, &last, &known, &expires, &c.Version)
	c.LastAt, c.KnownAt, c.ExpiresAt = store.FromMicros(last), store.FromMicros(known), store.FromMicros(expires)
	return c, err
}

// Counters implements [store.Counters].
func (s verbs) Counters(ctx context.Context, now time.Time, keys ...string) (counters []store.Counter, err error) {
	if len(keys) == 0 {
		return nil, nil
	}
	args := []any{store.Micros(now)}
	for _, key := range keys {
		args = append(args, key)
	}
	found := make(map[string]store.Counter, len(keys))
	err = s.each(ctx, selectCounters(len(keys)), args, func(r row) error {
		c, err := scanCounter(r)
		found[c.Key] = c
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("counters: %w", err)
	}
	return inOrder(keys, found), nil
}

// inOrder returns the counters of these keys in their order; those that are not found have nothing but the key.
func inOrder(keys []string, found map[string]store.Counter) (counters []store.Counter) {
	for _, key := range keys {
		c := found[key]
		c.Key = key
		counters = append(counters, c)
	}
	return counters
}

// SwapCounters implements [store.Counters].
func (s verbs) SwapCounters(ctx context.Context, now time.Time, counters ...store.Counter) (swapped []bool, err error) {
	err = s.commit(ctx, change{single: len(counters) == 1, durability: relaxed, do: func(w tx) (err error) {
		swapped, err = swapCounters(w, now, counters)
		return err
	}})
	if err != nil {
		return nil, fmt.Errorf("swap counters: %w", err)
	}
	return swapped, nil
}

func swapCounters(w tx, now time.Time, counters []store.Counter) (swapped []bool, err error) {
	swapped = make([]bool, len(counters))
	for i, c := range counters {
		if swapped[i], err = swapCounter(w, now, c); err != nil {
			return nil, err
		}
	}
	return swapped, nil
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
func swapCounter(w tx, now time.Time, c store.Counter) (bool, error) {
	query := insertCounter
	args := []any{c.Key, c.Count, store.Micros(c.LastAt), store.Micros(c.KnownAt), store.Micros(c.ExpiresAt), store.Micros(now)}
	if c.Version != 0 {
		query = updateCounter
		args = append(args, c.Version)
	}
	n, err := w.exec(query, args...)
	return n == 1, err
}
