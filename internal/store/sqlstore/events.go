package sqlstore

import (
	"context"
	"fmt"

	"github.com/countersign-auth/countersign/internal/store"
)

const (
	eventColumns = "id, at, kind, result, reason, user_id, actor, subject, method, client, request_id, count, chain"
	insertEvent  = "INSERT INTO events (" + eventColumns + ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
	listEvents   = "SELECT " + eventColumns + " FROM events WHERE id > $1 ORDER BY id LIMIT $2"
)

// AppendEvents implements [store.Events].
func (s verbs) AppendEvents(ctx context.Context, events ...store.Event) error {
	err := s.commit(ctx, change{single: len(events) == 1, do: func(w tx) error { return appendEvents(w, events) }})
	if err != nil {
		return fmt.Errorf("append events: %w", err)
	}
	return nil
}

func appendEvents(w tx, events []store.Event) error {
	for _, e := range events {
		if _, err := w.exec(insertEvent, eventArgs(e)...); err != nil {
			return err
		}
	}
	return nil
}

// eventArgs returns the values of insertEvent.
func eventArgs(e store.Event) []any {
	return []any{
		e.ID, store.Micros(e.At), e.Kind, e.Result, e.Reason, e.UserID, e.Actor, e.Subject, e.Method, e.Client, e.RequestID, e.Count,
		e.Chain,
	}
}

// ListEvents implements [store.Events].
func (s verbs) ListEvents(ctx context.Context, after string, limit int) (events []store.Event, err error) {
	err = s.each(ctx, listEvents, []any{after, limit}, func(r row) error {
		var e store.Event
		var at int64
		err := r.Scan(&e.ID, &at, &e.Kind, &e.Result, &e.Reason, &e.UserID, &e.Actor, &e.Subject, &e.Method, &e.Client, &e.RequestID, &e.Count,
			&e.Chain)
		e.At = store.FromMicros(at)
		events = append(events, e)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	return events, nil
}
