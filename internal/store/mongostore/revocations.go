package mongostore

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/countersign-auth/countersign/internal/store"
)

// entry is a revocation to be written, once for each Source, which is unique.
type entry struct {
	Key       string `bson:"key"`
	ExpiresAt int64  `bson:"expires_at"`
	Source    string `bson:"source"`
}

// revocationRecord is the document of a revocation. One that is swept stays for a while, to keep its position.
type revocationRecord struct {
	Position  int64  `bson:"_id"`
	Key       string `bson:"key"`
	ExpiresAt int64  `bson:"expires_at"`
	Source    string `bson:"source"`
	SweptAt   int64  `bson:"swept_at,omitempty"`
}

// batch is the document of several revocations that nothing else tells of, until they are written.
type batch struct {
	ID      string    `bson:"_id"`
	Revoked []revoked `bson:"revoked"`
}

// writeRevocations writes those of entries that are not written yet, in their order. Each gets the position behind the newest
// one; of several who write at once one gets that position and the others look again. So no position is written later than
// a greater one, and a reader waits for nobody.
func (s *Store) writeRevocations(ctx context.Context, entries []entry) error {
	for len(entries) > 0 {
		var sources []string
		for _, e := range entries {
			sources = append(sources, e.Source)
		}
		written, err := all[entry](ctx, s.revocations, bson.D{among("source", sources)}, options.Find())
		if err != nil {
			return err
		}
		entries = slices.DeleteFunc(entries, func(e entry) bool {
			return slices.ContainsFunc(written, func(w entry) bool { return w.Source == e.Source })
		})
		if len(entries) == 0 {
			return nil
		}
		position, err := s.newestPosition(ctx)
		if err != nil {
			return err
		}
		records := make([]revocationRecord, len(entries))
		for i, e := range entries {
			records[i] = revocationRecord{Position: position + 1 + int64(i), Key: e.Key, ExpiresAt: e.ExpiresAt, Source: e.Source}
		}
		if _, err := s.revocations.InsertMany(ctx, records); err == nil || !mongo.IsDuplicateKeyError(err) {
			return err
		}
	}
	return nil
}

// newestPosition returns the greatest position given so far; 0 before the first.
func (s *Store) newestPosition(ctx context.Context) (int64, error) {
	newest, err := all[revocationRecord](ctx, s.revocations, bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: -1}}).SetLimit(1))
	if err != nil || len(newest) == 0 {
		return 0, err
	}
	return newest[0].Position, nil
}

// Revoke implements [store.Revocations].
func (s *Store) Revoke(ctx context.Context, revoked ...store.Revocation) (err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	b := batch{ID: rand.Text(), Revoked: revokedOf(revoked)}
	if len(revoked) > 1 { // one document says that they are all written
		if _, err := s.batches.InsertOne(ctx, b); err != nil {
			return fmt.Errorf("revoke: %w", err)
		}
	}
	if err := s.writeBatch(ctx, b); err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	return nil
}

func (s *Store) writeBatch(ctx context.Context, b batch) error {
	var entries []entry
	for i, r := range b.Revoked {
		entries = append(entries, entry{r.Key, r.ExpiresAt, fmt.Sprint(b.ID, "/", i)})
	}
	if err := s.writeRevocations(ctx, entries); err != nil {
		return err
	}
	if len(b.Revoked) > 1 {
		_, err := s.batches.DeleteOne(ctx, byID(b.ID))
		return err
	}
	return nil
}

// Revocations implements [store.Revocations]. It first carries out what others have decided and, killed perhaps, not carried
// out.
func (s *Store) Revocations(ctx context.Context, after int64, limit int) (found []store.Revocation, err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	if err := s.settleAll(ctx); err != nil {
		return nil, fmt.Errorf("revocations: %w", err)
	}
	batches, err := all[batch](ctx, s.batches, bson.D{}, options.Find())
	if err != nil {
		return nil, fmt.Errorf("revocations: %w", err)
	}
	for _, b := range batches {
		if err := s.writeBatch(ctx, b); err != nil {
			return nil, fmt.Errorf("revocations: %w", err)
		}
	}
	records, err := all[revocationRecord](ctx, s.revocations, bson.D{greater("_id", after), missing("swept_at")}, page("_id", limit))
	if err != nil {
		return nil, fmt.Errorf("revocations: %w", err)
	}
	for _, r := range records {
		found = append(found, store.Revocation{Position: r.Position, Key: r.Key, ExpiresAt: store.FromMicros(r.ExpiresAt)})
	}
	return found, nil
}
