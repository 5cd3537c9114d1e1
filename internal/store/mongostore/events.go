package mongostore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/countersign-auth/countersign/internal/store"
)

// eventRecord is the document of an event.
type eventRecord struct {
	ID        string `bson:"_id"`
	At        int64  `bson:"at"`
	Kind      string `bson:"kind"`
	Result    string `bson:"result"`
	Reason    string `bson:"reason"`
	UserID    string `bson:"user_id"`
	Actor     string `bson:"actor"` // absent in the events of before there were any
	Subject   string `bson:"subject"`
	Method    string `bson:"method"`
	Client    string `bson:"client"`
	RequestID string `bson:"request_id"`
	Count     int64  `bson:"count"`
	Chain     []byte `bson:"chain"`
}

func eventsOf(events []store.Event) (records []eventRecord) {
	for _, e := range events {
		records = append(records, eventRecord{
			e.ID, store.Micros(e.At), e.Kind, e.Result, e.Reason, e.UserID, e.Actor, e.Subject, e.Method, e.Client, e.RequestID, e.Count,
			e.Chain,
		})
	}
	return records
}

func (r eventRecord) event() store.Event {
	return store.Event{
		ID: r.ID, At: store.FromMicros(r.At), Kind: r.Kind, Result: r.Result, Reason: r.Reason, UserID: r.UserID, Actor: r.Actor, Subject: r.Subject,
		Method: r.Method, Client: r.Client, RequestID: r.RequestID, Count: r.Count, Chain: r.Chain,
	}
}

// AppendEvents implements [store.Events]. A process that is killed may leave the first of several.
func (s *Store) AppendEvents(ctx context.Context, events ...store.Event) (err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	return s.appendEvents(ctx, eventsOf(events))
}

func (s *Store) appendEvents(ctx context.Context, events []eventRecord) error {
	if len(events) == 0 {
		return nil
	}
	_, err := s.events.InsertMany(ctx, events)
	var failed mongo.BulkWriteException
	if errors.As(err, &failed) && len(failed.WriteErrors) > 0 {
		err = errors.Join(err, s.withdrawEvents(ctx, events[:failed.WriteErrors[0].Index]))
	}
	if err != nil {
		return fmt.Errorf("append events: %w", err)
	}
	return nil
}

// free returns ErrExists when the id of an event is taken. It is asked before the verb writes what the events tell of: that is
// soon enough for ids that nobody else makes.
func (s *Store) free(ctx context.Context, events []eventRecord) error {
	if len(events) == 0 {
		return nil
	}
	ids := idsOf(events)
	taken, err := all[bson.Raw](ctx, s.events, bson.D{among("_id", ids)}, options.Find().SetLimit(1))
	if err != nil {
		return fmt.Errorf("events: %w", err)
	}
	slices.Sort(ids)
	if len(taken) > 0 || len(slices.Compact(ids)) < len(events) {
		return fmt.Errorf("%w: an event of that id", store.ErrExists)
	}
	return nil
}

// withdrawEvents deletes the events of before one that could not be written.
func (s *Store) withdrawEvents(ctx context.Context, written []eventRecord) error {
	if len(written) == 0 {
		return nil
	}
	_, err := s.events.DeleteMany(ctx, bson.D{among("_id", idsOf(written))})
	return err
}

func idsOf(events []eventRecord) (ids []string) {
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	return ids
}

// writeEvents writes those events that are not written yet.
func (s *Store) writeEvents(ctx context.Context, events []eventRecord) error {
	if len(events) == 0 {
		return nil
	}
	_, err := s.events.InsertMany(ctx, events, options.InsertMany().SetOrdered(false))
	if mongo.IsDuplicateKeyError(err) {
		return nil // nothing else is unique there
	}
	return err
}

// ListEvents implements [store.Events]. Events that tell of a user who was made are there from then on.
func (s *Store) ListEvents(ctx context.Context, after string, limit int) (events []store.Event, err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	if err := s.settleAll(ctx); err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	records, err := all[eventRecord](ctx, s.events, bson.D{greater("_id", after)}, page("_id", limit))
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	for _, r := range records {
		events = append(events, r.event())
	}
	return events, nil
}
