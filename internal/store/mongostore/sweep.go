package mongostore

import (
	"context"
	"fmt"
	"math"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/countersign-auth/countersign/internal/store"
)

// positionKept is for how long the position of a revocation that is swept stays taken: longer than a verb may be under way that
// has seen it free.
func (s *Store) positionKept() time.Duration { return max(time.Minute, 2*s.patience) }

// DeleteExpired implements [store.Sweeper]. It also removes what creators left half-made.
func (s *Store) DeleteExpired(ctx context.Context, now time.Time, limit int) (more bool, err error) {
	for _, sweep := range []func(context.Context, time.Time, int) (int64, error){
		s.sweepCounters, s.sweepSessions, s.sweepRevocations, s.sweepUsers,
	} {
		done, err := within(ctx, s, func(ctx context.Context) (int64, error) { return sweep(ctx, now, limit) })
		if err != nil {
			return false, fmt.Errorf("delete what has expired: %w", err)
		}
		more = more || done >= int64(limit)
	}
	return more, nil
}

// within runs a part of a verb that may take as long as a whole one.
func within[T any](ctx context.Context, s *Store, do func(context.Context) (T, error)) (v T, err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	return do(ctx)
}

func (s *Store) sweepCounters(ctx context.Context, now time.Time, limit int) (int64, error) {
	return deleteExpired(ctx, s.counters, now, limit)
}

func (s *Store) sweepSessions(ctx context.Context, now time.Time, limit int) (int64, error) {
	return deleteExpired(ctx, s.sessions, now, limit)
}

// deleteExpired deletes at most limit documents that have expired, and returns how many there were.
func deleteExpired(ctx context.Context, in *mongo.Collection, now time.Time, limit int) (int64, error) {
	ids, err := expired[string](ctx, in, now, limit)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	r, err := in.DeleteMany(ctx, bson.D{among("_id", ids), atMost("expires_at", store.Micros(now))})
	if err != nil {
		return 0, err
	}
	return r.DeletedCount, nil
}

// expired returns the ids of at most limit documents that have expired.
func expired[ID any](ctx context.Context, in *mongo.Collection, now time.Time, limit int) (ids []ID, err error) {
	found, err := all[struct {
		ID ID `bson:"_id"`
	}](ctx, in, bson.D{atMost("expires_at", store.Micros(now))}, page("expires_at", limit).SetProjection(byNumber("_id")))
	for _, f := range found {
		ids = append(ids, f.ID)
	}
	return ids, err
}

func byNumber(field string) bson.D { return bson.D{{Key: field, Value: 1}} }

// sweepRevocations hides revocations that have expired, and deletes those that were hidden a while ago. The newest one stays
// where it is, for the next position to be counted from.
func (s *Store) sweepRevocations(ctx context.Context, now time.Time, limit int) (int64, error) {
	newest, err := s.newestPosition(ctx)
	if err != nil {
		return 0, err
	}
	old, err := all[revocationRecord](ctx, s.revocations, bson.D{atMost("swept_at", store.Micros(now.Add(-s.positionKept())))}, page("swept_at", limit))
	if err != nil {
		return 0, err
	}
	var positions []int64
	for _, r := range old {
		if r.Position < newest {
			positions = append(positions, r.Position)
		}
	}
	if len(positions) > 0 {
		if _, err := s.revocations.DeleteMany(ctx, bson.D{among("_id", positions)}); err != nil {
			return 0, err
		}
	}
	if positions, err = expired[int64](ctx, s.revocations, now, limit); err != nil || len(positions) == 0 {
		return 0, err
	}
	r, err := s.revocations.UpdateMany(ctx, bson.D{among("_id", positions)},
		set(bson.D{{Key: "key", Value: ""}, {Key: "expires_at", Value: int64(math.MaxInt64)}, {Key: "swept_at", Value: store.Micros(now)}}))
	if err != nil {
		return 0, err
	}
	return r.MatchedCount, nil
}

// sweepUsers removes users who are being made and abandoned.
func (s *Store) sweepUsers(ctx context.Context, now time.Time, limit int) (done int64, err error) {
	filter := bson.D{{Key: "state", Value: beingMade}, atMost("created_at", store.Micros(now.Add(-abandonedAfter)))}
	users, err := all[userRecord](ctx, s.users, filter, options.Find().SetLimit(int64(limit)))
	if err != nil {
		return 0, err
	}
	for i := range users {
		if err := s.abandon(ctx, &users[i]); err != nil {
			return done, err
		}
		done++
	}
	return done, nil
}
