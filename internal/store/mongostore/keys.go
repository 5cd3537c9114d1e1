package mongostore

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/countersign-auth/countersign/internal/store"
)

// keyRecord is the document of a signing key. Seq orders keys as they were written, and is unique.
type keyRecord struct {
	ID        string `bson:"_id"`
	Seq       int64  `bson:"seq"`
	Algorithm string `bson:"algorithm"`
	Private   []byte `bson:"private"`
	CreatedAt int64  `bson:"created_at"`
	SignsAt   int64  `bson:"signs_at"`
}

// AddKey implements [store.Keys]. Of several who have seen the same newest key one gets the place behind it.
func (s *Store) AddKey(ctx context.Context, k store.SigningKey, newest string) (err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	keys, err := s.keyRecords(ctx, 1)
	if err != nil {
		return err
	}
	var last keyRecord
	if len(keys) > 0 {
		last = keys[0]
	}
	if last.ID != newest {
		return store.ErrConflict
	}
	r := keyRecord{k.ID, last.Seq + 1, k.Algorithm, k.Private, store.Micros(k.CreatedAt), store.Micros(k.SignsAt)}
	if _, err := s.keys.InsertOne(ctx, r); !mongo.IsDuplicateKeyError(err) {
		return err
	}
	switch err := one(ctx, s.keys, k.ID, &r); {
	case err == nil:
		return store.ErrExists
	case errors.Is(err, store.ErrNotFound):
		return store.ErrConflict
	default:
		return err
	}
}

// keyRecords returns at most limit keys, the one written last first; 0 is no limit.
func (s *Store) keyRecords(ctx context.Context, limit int64) ([]keyRecord, error) {
	return all[keyRecord](ctx, s.keys, bson.D{}, options.Find().SetSort(bson.D{{Key: "seq", Value: -1}}).SetLimit(limit))
}

// SigningKeys implements [store.Keys].
func (s *Store) SigningKeys(ctx context.Context) (keys []store.SigningKey, err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	records, err := s.keyRecords(ctx, 0)
	if err != nil {
		return nil, fmt.Errorf("signing keys: %w", err)
	}
	for _, r := range records {
		keys = append(keys, store.SigningKey{
			ID: r.ID, Algorithm: r.Algorithm, Private: r.Private, CreatedAt: store.FromMicros(r.CreatedAt), SignsAt: store.FromMicros(r.SignsAt),
		})
	}
	return keys, nil
}

// ReplaceKey implements [store.Keys].
func (s *Store) ReplaceKey(ctx context.Context, id string, old, sealed []byte) (err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	return replace(ctx, s.keys, id, "private", old, sealed)
}

// replace writes value into a field of the document of that id, if old is there now; else ErrConflict.
func replace(ctx context.Context, in *mongo.Collection, id, field string, old, value []byte) error {
	done, err := update(ctx, in, bson.D{{Key: "_id", Value: id}, {Key: field, Value: old}}, set(bson.D{{Key: field, Value: value}}))
	if err != nil || done {
		return err
	}
	var found bson.Raw
	if err := one(ctx, in, id, &found); err != nil {
		return err
	}
	return store.ErrConflict
}

// DeleteKey implements [store.Keys].
func (s *Store) DeleteKey(ctx context.Context, id string) (err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	r, err := s.keys.DeleteOne(ctx, byID(id))
	if err == nil && r.DeletedCount == 0 {
		return store.ErrNotFound
	}
	return err
}

// secretRecord is the document of a secret.
type secretRecord struct {
	Name  string `bson:"_id"`
	Value []byte `bson:"value"`
}

// FirstSecret implements [store.Secrets].
func (s *Store) FirstSecret(ctx context.Context, name string, value []byte) (kept []byte, err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	kept, err = s.secret(ctx, name)
	if !errors.Is(err, store.ErrNotFound) {
		return kept, err
	}
	if _, err := s.secrets.InsertOne(ctx, secretRecord{name, value}); err != nil && !mongo.IsDuplicateKeyError(err) {
		return nil, fmt.Errorf("secret %s: %w", name, err)
	}
	return s.secret(ctx, name)
}

// Secret implements [store.Secrets].
func (s *Store) Secret(ctx context.Context, name string) (value []byte, err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	return s.secret(ctx, name)
}

func (s *Store) secret(ctx context.Context, name string) ([]byte, error) {
	var r secretRecord
	if err := one(ctx, s.secrets, name, &r); err != nil {
		return nil, fmt.Errorf("secret %s: %w", name, err)
	}
	return r.Value, nil
}

// ReplaceSecret implements [store.Secrets].
func (s *Store) ReplaceSecret(ctx context.Context, name string, old, value []byte) (err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	if err := replace(ctx, s.secrets, name, "value", old, value); err != nil {
		return fmt.Errorf("secret %s: %w", name, err)
	}
	return nil
}
