package mongostore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"github.com/countersign-auth/countersign/internal/store"
)

// defaultPatience is how long a verb may take, unless the URL says it by timeoutMS.
const defaultPatience = 5 * time.Second

// begin begins a verb, which has the returned context, and calls end with what it has come to in err.
func (s *Store) begin(ctx context.Context, err *error) (within context.Context, end func()) {
	within, cancel := context.WithTimeout(ctx, s.patience)
	return within, func() {
		cancel()
		*err = translate(ctx, *err)
	}
}

// translate turns the driver's errors into the sentinels of the contract. Ctx is the caller's, which counts first.
func translate(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	case mongo.IsDuplicateKeyError(err):
		return fmt.Errorf("%w: %w", store.ErrExists, err)
	case unavailable(err):
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return err
}

// unavailableCodes are the server's for a primary that is not there or is no longer it, a server that ends, a majority that
// does not answer, and a full disk.
var unavailableCodes = []int{6, 7, 64, 89, 91, 100, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436, 14031}

func unavailable(err error) bool {
	var selection topology.ServerSelectionError
	var connection topology.ConnectionError
	var pool driver.RetryablePoolError // which was emptied because of what another one met
	var queue topology.WaitQueueTimeoutError
	return mongo.IsTimeout(err) || mongo.IsNetworkError(err) || errors.Is(err, mongo.ErrClientDisconnected) ||
		errors.As(err, &selection) || errors.As(err, &connection) || errors.As(err, &pool) || errors.As(err, &queue) ||
		slices.ContainsFunc(mongo.ErrorCodes(err), func(code int) bool { return slices.Contains(unavailableCodes, code) })
}

// one decodes the document of that id into v.
func one(ctx context.Context, in *mongo.Collection, id string, v any) error {
	return first(ctx, in, "_id", id, v)
}

// first decodes the document whose field has that value into v.
func first(ctx context.Context, in *mongo.Collection, field, value string, v any) error {
	if !utf8.ValidString(value) { // as every text in a document is
		return store.ErrNotFound
	}
	err := in.FindOne(ctx, bson.D{{Key: field, Value: value}}).Decode(v)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return store.ErrNotFound
	}
	return err
}

// all decodes the documents that a query finds.
func all[T any](ctx context.Context, in *mongo.Collection, filter bson.D, o *options.FindOptionsBuilder) (found []T, err error) {
	cursor, err := in.Find(ctx, filter, o)
	if err != nil {
		return nil, err
	}
	err = cursor.All(ctx, &found)
	return found, err
}

// page asks for at most limit documents in the order of a field.
func page(field string, limit int) *options.FindOptionsBuilder {
	return options.Find().SetSort(bson.D{{Key: field, Value: 1}}).SetLimit(int64(limit))
}

func byID(id string) bson.D { return bson.D{{Key: "_id", Value: id}} }

// update updates one document that is as the filter says, and reports whether there was one.
func update(ctx context.Context, in *mongo.Collection, filter, change bson.D) (bool, error) {
	r, err := in.UpdateOne(ctx, filter, change)
	if err != nil {
		return false, err
	}
	return r.MatchedCount == 1, nil
}

func set(fields bson.D) bson.D { return bson.D{{Key: "$set", Value: fields}} }

// missing says of a field that it is not there.
func missing(field string) bson.E {
	return bson.E{Key: field, Value: bson.D{{Key: "$exists", Value: false}}}
}

func among[T any](field string, values []T) bson.E {
	return bson.E{Key: field, Value: bson.D{{Key: "$in", Value: values}}}
}

func greater(field string, than any) bson.E {
	return bson.E{Key: field, Value: bson.D{{Key: "$gt", Value: than}}}
}

func atMost(field string, n int64) bson.E {
	return bson.E{Key: field, Value: bson.D{{Key: "$lte", Value: n}}}
}
