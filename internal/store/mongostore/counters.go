package mongostore

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/countersign-auth/countersign/internal/store"
)

// counterRecord is the document of a counter.
type counterRecord struct {
	Key       string `bson:"_id"`
	Count     int64  `bson:"count"`
	LastAt    int64  `bson:"last_at"`
	KnownAt   int64  `bson:"known_at"`
	ExpiresAt int64  `bson:"expires_at"`
	Version   int64  `bson:"version"`
}

func (r counterRecord) counter() store.Counter {
	return store.Counter{
		Key: r.Key, Count: r.Count, LastAt: store.FromMicros(r.LastAt), KnownAt: store.FromMicros(r.KnownAt), ExpiresAt: store.FromMicros(r.ExpiresAt), Version: r.Version,
	}
}

// Counters implements [store.Counters].
func (s *Store) Counters(ctx context.Context, now time.Time, keys ...string) (counters []store.Counter, err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	return s.readCounters(ctx, now, keys)
}

func (s *Store) readCounters(ctx context.Context, now time.Time, keys []string) (counters []store.Counter, err error) {
	if len(keys) == 0 {
		return nil, nil
	}
	records, err := all[counterRecord](ctx, s.counters, bson.D{among("_id", keys), greater("expires_at", store.Micros(now))}, options.Find())
	if err != nil {
		return nil, fmt.Errorf("counters: %w", err)
	}
	found := make(map[string]store.Counter, len(records))
	for _, r := range records {
		found[r.Key] = r.counter()
	}
	for _, key := range keys {
		c := found[key]
		c.Key = key
		counters = append(counters, c)
	}
	return counters, nil
}

// SwapCounters implements [store.Counters].
func (s *Store) SwapCounters(ctx context.Context, now time.Time, counters ...store.Counter) (swapped []bool, err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	return s.swapCounters(ctx, now, counters)
}

func (s *Store) swapCounters(ctx context.Context, now time.Time, counters []store.Counter) (swapped []bool, err error) {
	swapped = make([]bool, len(counters))
	for i, c := range counters {
		r := counterRecord{c.Key, c.Count, store.Micros(c.LastAt), store.Micros(c.KnownAt), store.Micros(c.ExpiresAt), c.Version + 1}
		if swapped[i], err = s.swapCounter(ctx, now, c.Version, r); err != nil {
			return nil, fmt.Errorf("swap counters: %w", err)
		}
	}
	return swapped, nil
}

// swapCounter reports whether the record had that version and is now r.
func (s *Store) swapCounter(ctx context.Context, now time.Time, version int64, r counterRecord) (bool, error) {
	as := bson.D{{Key: "_id", Value: r.Key}, {Key: "version", Value: version}, greater("expires_at", store.Micros(now))}
	if version == 0 {
		_, err := s.counters.InsertOne(ctx, r)
		if !mongo.IsDuplicateKeyError(err) {
			return err == nil, err
		}
		as = bson.D{{Key: "_id", Value: r.Key}, atMost("expires_at", store.Micros(now))} // an expired one is absent
	}
	return update(ctx, s.counters, as, set(bson.D{
		{Key: "count", Value: r.Count}, {Key: "last_at", Value: r.LastAt}, {Key: "known_at", Value: r.KnownAt},
		{Key: "expires_at", Value: r.ExpiresAt}, {Key: "version", Value: r.Version},
	}))
}
