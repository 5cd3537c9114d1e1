package mongostore

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/countersign-auth/countersign/internal/store"
)

// A user is made in three steps: the document, marked as being made, with the credentials in it; a reservation for each
// credential; and the write that takes the mark off. That last one decides. Until then nobody sees the user, and what was
// written counts as absent. It keeps others from the address and from the method and key of a credential only until they
// come with a record that is abandonedAfter younger: then its maker is taken for dead, and they put it out of the way. A maker
// who was alive all the same finds no document to take the mark off. Who comes sooner waits for a maker who is alive, and after
// that is told neither that it is taken nor that it is not.

// abandonedAfter is how much younger a record must be than one that is being made to take its place.
const abandonedAfter = 30 * time.Second

const (
	// makerPatience is how long others wait for a maker.
	makerPatience = 2 * time.Second
	makerPause    = 20 * time.Millisecond
)

// undecided waits a moment for somebody who makes something. [store.ErrBusy] says that the verb has no time left for that.
func (s *Store) undecided(ctx context.Context) error {
	if deadline, _ := ctx.Deadline(); time.Until(deadline) < s.patience-makerPatience {
		return store.ErrBusy
	}
	select {
	case <-time.After(makerPause):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// errOvertaken says that others took what was being made for abandoned.
var errOvertaken = errors.New("overtaken")

// CreateUser implements [store.Users].
func (s *Store) CreateUser(ctx context.Context, u store.User, c store.Credential, events ...store.Event) (err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	u.Version, c.Version = 1, 1
	r := userOf(u)
	r.Credentials[credentialID(c.Method, c.Key)] = credentialOf(c)
	r.Decision.Events = eventsOf(events)
	if err := s.free(ctx, r.Decision.Events); err != nil {
		return err
	}
	return s.add(ctx, r, nil)
}

// add makes a user with what belongs to them. ErrExists when something of it is taken.
func (s *Store) add(ctx context.Context, r userRecord, sessions []sessionRecord) error {
	const attempts = 5 // each of which but the last was overtaken
	for range attempts {
		if err := s.make(ctx, r, sessions); !errors.Is(err, errOvertaken) {
			return err
		}
	}
	return store.ErrBusy
}

// marked returns a user's document as one that is being made, like no other.
func marked(r userRecord) userRecord {
	r.State, r.Birth = beingMade, rand.Text()
	r.Credentials = maps.Clone(r.Credentials)
	for id, c := range r.Credentials {
		c.Mark = rand.Text()
		r.Credentials[id] = c
	}
	return r
}

func (s *Store) make(ctx context.Context, r userRecord, sessions []sessionRecord) error {
	r = marked(r)
	if err := s.insertUser(ctx, r); err != nil {
		return err
	}
	err := s.makeBelongings(ctx, &r, sessions)
	if errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrBusy) {
		return errors.Join(err, s.abandon(ctx, &r))
	}
	if err != nil {
		return err
	}
	flip := bson.D{{Key: "$unset", Value: bson.D{{Key: "state", Value: ""}}}}
	if len(r.Decision.Events) > 0 {
		r.Pending = r.Turn + 1
		flip = append(flip, set(bson.D{{Key: "pending", Value: r.Pending}, {Key: "turn", Value: r.Pending}})...)
	}
	switch done, err := update(ctx, s.users, unmade(&r), flip); {
	case err != nil:
		return err
	case !done:
		return errors.Join(errOvertaken, s.removeBelongings(ctx, &r))
	}
	return s.settleIf(ctx, &r)
}

// settleIf is settle for a user whose document is known.
func (s *Store) settleIf(ctx context.Context, r *userRecord) error {
	if r.Pending == 0 {
		return nil
	}
	return s.settle(ctx, r.ID)
}

// unmade selects the document of a user while it is being made.
func unmade(r *userRecord) bson.D {
	return bson.D{{Key: "_id", Value: r.ID}, {Key: "birth", Value: r.Birth}, {Key: "state", Value: beingMade}}
}

func (s *Store) insertUser(ctx context.Context, r userRecord) error {
	for {
		_, err := s.users.InsertOne(ctx, r)
		if !mongo.IsDuplicateKeyError(err) {
			return err
		}
		for field, value := range map[string]string{"_id": r.ID, "email_key": r.EmailKey} {
			if err := s.clear(ctx, field, value, r.CreatedAt); err != nil {
				return err
			}
		}
	}
}

func (s *Store) makeBelongings(ctx context.Context, r *userRecord, sessions []sessionRecord) error {
	for _, c := range r.reservations() {
		if err := s.reserve(ctx, c, r.Credentials[c.ID].CreatedAt); err != nil {
			return err
		}
	}
	for _, x := range sessions {
		x.Birth = r.Birth
		if err := s.insertSession(ctx, x); err != nil {
			return err
		}
	}
	return nil
}

// clear puts a document of users out of the way that only seems to have a value of a unique field. ErrExists when it is that of a
// user who is there. When it is that of one who is being made for somebody who asked less than abandonedAfter before at, it has
// waited a moment, or returns ErrBusy.
func (s *Store) clear(ctx context.Context, field, value string, at int64) error {
	var other userRecord
	switch err := first(ctx, s.users, field, value, &other); {
	case errors.Is(err, store.ErrNotFound):
		return nil // gone meanwhile, or another field was it
	case err != nil:
		return err
	case other.State == deleted:
		return s.settle(ctx, other.ID)
	case other.State == beingMade && abandoned(other.CreatedAt, at):
		return s.abandon(ctx, &other)
	case other.State == beingMade:
		return s.undecided(ctx)
	}
	return store.ErrExists
}

func abandoned(made, at int64) bool { return at-made >= abandonedAfter.Microseconds() }

// abandon removes a user who is being made, unless they are there by now.
func (s *Store) abandon(ctx context.Context, r *userRecord) error {
	deleted, err := s.users.DeleteOne(ctx, unmade(r))
	if err != nil || deleted.DeletedCount == 0 {
		return err
	}
	return s.removeBelongings(ctx, r)
}

// reserve reserves a credential's method and key, for a credential that is in its user's document already. At is the
// credential's time.
func (s *Store) reserve(ctx context.Context, r reservation, at int64) error {
	for {
		if _, err := s.reservations.InsertOne(ctx, r); !mongo.IsDuplicateKeyError(err) {
			return err
		}
		var other reservation
		if err := one(ctx, s.reservations, r.ID, &other); errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil || other.Mark == r.Mark {
			return err
		}
		holds, err := s.holds(ctx, other, at)
		if err != nil {
			return err
		}
		if holds {
			continue // no longer
		}
		// A credential comes into its user's document before its reservation is made: this one's will not come again.
		as := bson.D{{Key: "_id", Value: other.ID}, {Key: "mark", Value: other.Mark}}
		done, err := update(ctx, s.reservations, as, set(bson.D{{Key: "user_id", Value: r.UserID}, {Key: "mark", Value: r.Mark}}))
		if err != nil || done {
			return err
		}
	}
}

// holds reports whether a reservation had a credential that was abandoned, and is now removed, or that is being made, for which it
// has waited a moment. ErrExists when its credential is there, ErrBusy when it is still being made.
func (s *Store) holds(ctx context.Context, r reservation, at int64) (bool, error) {
	var u userRecord
	if err := one(ctx, s.users, r.UserID, &u); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		return false, err
	}
	c, ok := u.Credentials[r.ID]
	switch {
	case !ok || c.Mark != r.Mark || u.State == deleted:
		return false, nil
	case u.State == beingMade && abandoned(u.CreatedAt, at):
		return true, s.abandon(ctx, &u)
	case u.State == beingMade:
		return true, s.undecided(ctx)
	case c.Making && abandoned(c.CreatedAt, at):
		return true, s.withdraw(ctx, u.ID, r.ID, c.Mark)
	case c.Making:
		return true, s.undecided(ctx)
	}
	return false, store.ErrExists
}

// withdraw takes a credential that is being made off its user.
func (s *Store) withdraw(ctx context.Context, userID, id, mark string) error {
	field := "credentials." + id
	done, err := update(ctx, s.users, bson.D{{Key: "_id", Value: userID}, {Key: field + ".mark", Value: mark}, {Key: field + ".making", Value: true}},
		bson.D{{Key: "$unset", Value: bson.D{{Key: field, Value: ""}}}})
	if err != nil || !done {
		return err
	}
	_, err = s.reservations.DeleteOne(ctx, bson.D{{Key: "_id", Value: id}, {Key: "mark", Value: mark}})
	return err
}
