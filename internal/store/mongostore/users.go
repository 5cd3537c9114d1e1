package mongostore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/countersign-auth/countersign/internal/store"
)

// User implements [store.Users].
func (s *Store) User(ctx context.Context, id string) (u store.User, err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	return s.user(ctx, "_id", id)
}

// UserByEmail implements [store.Users].
func (s *Store) UserByEmail(ctx context.Context, key string) (u store.User, err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	return s.user(ctx, "email_key", key)
}

func (s *Store) user(ctx context.Context, field, value string) (store.User, error) {
	var r userRecord
	if err := first(ctx, s.users, field, value, &r); err != nil {
		return store.User{}, err
	}
	if !r.there() {
		return store.User{}, store.ErrNotFound
	}
	return r.user(), nil
}

// UpdateUser implements [store.Users].
func (s *Store) UpdateUser(ctx context.Context, u store.User, revoked ...store.Revocation) (err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	for {
		err := s.updateUser(ctx, userOf(u), revokedOf(revoked))
		if !mongo.IsDuplicateKeyError(err) {
			return err
		}
		if err := s.clear(ctx, "email_key", u.EmailKey, store.Micros(u.UpdatedAt)); err != nil {
			return err
		}
	}
}

func (s *Store) updateUser(ctx context.Context, r userRecord, revoked []revoked) error {
	fields := bson.D{
		{Key: "email", Value: r.Email}, {Key: "email_key", Value: r.EmailKey}, {Key: "roles", Value: r.Roles}, {Key: "data", Value: r.Data},
		{Key: "admin_data", Value: r.AdminData}, {Key: "epoch", Value: r.Epoch}, {Key: "disabled_at", Value: r.DisabledAt},
		{Key: "updated_at", Value: r.UpdatedAt}, {Key: "version", Value: r.Version + 1},
	}
	if len(revoked) > 0 {
		return s.decide(ctx, r.ID, func(u *userRecord) (*change, error) {
			if u.Version != r.Version {
				return nil, store.ErrConflict
			}
			return &change{decision: decision{Revoked: revoked}, also: fields}, nil
		})
	}
	done, err := update(ctx, s.users, bson.D{{Key: "_id", Value: r.ID}, {Key: "version", Value: r.Version}, missing("state")}, set(fields))
	if err != nil || done {
		return err
	}
	if _, err := s.present(ctx, r.ID); err != nil {
		return err
	}
	return store.ErrConflict
}

// DeleteUser implements [store.Users].
func (s *Store) DeleteUser(ctx context.Context, id string, until time.Time) (err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	return s.decide(ctx, id, func(u *userRecord) (*change, error) {
		return &change{
			decision: decision{Revoked: []revoked{{u.Epoch, store.Micros(until)}}},
			also:     bson.D{{Key: "state", Value: deleted}},
			without:  bson.D{{Key: "email_key", Value: ""}},
		}, nil
	})
}

// ListUsers implements [store.Directory].
func (s *Store) ListUsers(ctx context.Context, after string, limit int) (users []store.User, err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	records, err := all[userRecord](ctx, s.users, bson.D{greater("_id", after), missing("state")}, page("_id", limit))
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return usersOf(records), nil
}

// SearchUsers implements [store.Directory].
func (s *Store) SearchUsers(ctx context.Context, prefix, after string, limit int) (users []store.User, err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	if !utf8.ValidString(prefix) {
		return nil, nil
	}
	from := bson.E{Key: "$gte", Value: prefix}
	if after >= prefix {
		from = bson.E{Key: "$gt", Value: after}
	}
	keys := bson.D{from, {Key: "$lt", Value: store.Behind(prefix)}}
	records, err := all[userRecord](ctx, s.users, bson.D{{Key: "email_key", Value: keys}, missing("state")}, page("email_key", limit))
	if err != nil {
		return nil, fmt.Errorf("search users: %w", err)
	}
	return usersOf(records), nil
}

func usersOf(records []userRecord) (users []store.User) {
	for i := range records {
		users = append(users, records[i].user())
	}
	return users
}

// Credential implements [store.Credentials].
func (s *Store) Credential(ctx context.Context, method, key string) (c store.Credential, err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	c, _, err = s.credential(ctx, method, key)
	return c, err
}

// credential returns a credential and its user.
func (s *Store) credential(ctx context.Context, method, key string) (store.Credential, store.User, error) {
	id := credentialID(method, key)
	var r reservation
	absent := one(ctx, s.reservations, id, &r)
	if absent != nil && !errors.Is(absent, store.ErrNotFound) {
		return store.Credential{}, store.User{}, absent
	}
	// Also when there is none: a login must not tell by its time who exists.
	u, err := s.present(ctx, r.UserID)
	if err = cmp.Or(absent, err); err != nil {
		return store.Credential{}, store.User{}, err
	}
	c, ok := u.Credentials[id]
	if !ok || c.Making || c.Mark != r.Mark {
		return store.Credential{}, store.User{}, store.ErrNotFound
	}
	return c.credential(u.ID), u.user(), nil
}

// Candidate implements [store.Logins].
func (s *Store) Candidate(ctx context.Context, method, key string, now time.Time, counters ...string) (c store.Candidate, err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	c.Credential, c.User, err = s.credential(ctx, method, key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.Candidate{}, fmt.Errorf("candidate: %w", err)
	}
	c.Counters, err = s.readCounters(ctx, now, counters)
	return c, err
}
