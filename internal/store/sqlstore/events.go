package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/countersign-auth/countersign/internal/store"
)

const eventColumns = "id, at, kind, result, reason, user_id, subject, method, client, request_id, count, chain"

// AppendEvents implements [store.Events].
func (s *Store) AppendEvents(ctx context.Context, events ...store.Event) error {
	err := transact(ctx, s.write, func(tx *sql.Tx) (err error) {
		insert, err := tx.PrepareContext(ctx, "INSERT INTO events ("+eventColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, insert.Close()) }()
		for _, e := range events {
			_, err := insert.ExecContext(ctx, e.ID, micros(e.At), e.Kind, e.Result, e.Reason, e.UserID, e.Subject, e.Method, e.Client,
				e.RequestID, e.Count, e.Chain)
			if err != nil {
				return translate(err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("append events: %w", err)
	}
	return nil
}

const listEvents = "SELECT " + eventColumns + " FROM events WHERE id > $1 ORDER BY id LIMIT $2"

// ListEvents implements [store.Events].
func (s *Store) ListEvents(ctx context.Context, after string, limit int) (events []store.Event, err error) {
	rows, err := s.read.QueryContext(ctx, listEvents, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var e store.Event
		var at int64
		err := rows.Scan(&e.ID, &at, &e.Kind, &e.Result, &e.Reason, &e.UserID, &e.Subject, &e.Method, &e.Client, &e.RequestID, &e.Count, &e.Chain)
		if err != nil {
			return nil, fmt.Errorf("list events: %w", err)
		}
		e.At = fromMicros(at)
		events = append(events, e)
	}
	return events, rows.Err()
}
