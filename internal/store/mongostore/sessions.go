package mongostore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/countersign-auth/countersign/internal/store"
)

// CreateSession implements [store.Sessions]. The look at the user after the session is written decides: a decision that comes
// later finds the session and ends it, as it must. A process that is killed leaves at most a session whose tokens nobody
// has got, and of the counters and events some not written.
func (s *Store) CreateSession(ctx context.Context, o store.Opening) (opened store.Opened, err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	events := eventsOf(o.Events)
	if err := s.free(ctx, events); err != nil {
		return store.Opened{}, err
	}
	if err := s.openSession(ctx, o); err != nil {
		return store.Opened{}, fmt.Errorf("create session: %w", err)
	}
	if o.Limit > 0 {
		if opened.Ended, err = s.endSurplus(ctx, o); err != nil {
			return store.Opened{}, fmt.Errorf("end the sessions above the limit: %w", err)
		}
	}
	if opened.Swapped, err = s.swapCounters(ctx, o.Now, o.Counters); err != nil {
		return store.Opened{}, err
	}
	if err := s.appendEvents(ctx, events); err != nil {
		return store.Opened{}, err
	}
	return opened, nil
}

// openSession writes the session, if its user is as the login found them before and after that. Whoever ends all sessions in
// between may have seen this one and revoked its id: it does not come again, even if the user is otherwise the same.
func (s *Store) openSession(ctx context.Context, o store.Opening) error {
	u, err := s.present(ctx, o.Session.UserID)
	if err != nil {
		return err
	}
	if !admits(&u, o) {
		return store.ErrConflict
	}
	x := sessionOf(o.Session, &u)
	if err := s.insertSession(ctx, x); err != nil {
		return err
	}
	u, err = s.present(ctx, o.Session.UserID)
	if err == nil && u.alive(&x) && admits(&u, o) {
		return nil
	}
	if err == nil {
		err = store.ErrConflict
	}
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
		err = errors.Join(err, s.withdrawSession(ctx, &x))
	}
	return err
}

// admits reports whether a user is as a login has found them.
func admits(u *userRecord, o store.Opening) bool {
	if u.Epoch != o.Session.Epoch || u.DisabledAt != 0 {
		return false
	}
	if o.Proof.Method == "" {
		return true
	}
	c, ok := u.Credentials[credentialID(o.Proof.Method, o.Proof.Key)]
	return ok && !c.Making && c.Version == o.Proof.Version
}

// insertSession writes a session in the place of none, or of a dead one that nobody has removed.
func (s *Store) insertSession(ctx context.Context, x sessionRecord) error {
	for {
		if _, err := s.sessions.InsertOne(ctx, x); !mongo.IsDuplicateKeyError(err) {
			return err
		}
		var other sessionRecord
		err := one(ctx, s.sessions, x.ID, &other)
		if errors.Is(err, store.ErrNotFound) {
			continue // no longer
		}
		var u userRecord
		if err == nil {
			err = one(ctx, s.users, other.UserID, &u)
		}
		switch {
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return err
		case u.alive(&other) || u.State == beingMade && u.Birth == other.Birth:
			return store.ErrExists
		}
		if err := s.withdrawSession(ctx, &other); err != nil {
			return err
		}
	}
}

func (s *Store) withdrawSession(ctx context.Context, x *sessionRecord) error {
	_, err := s.sessions.DeleteOne(ctx, bson.D{{Key: "_id", Value: x.ID}, {Key: "birth", Value: x.Birth}, {Key: "turn", Value: x.Turn}})
	return err
}

// endSurplus ends the sessions of a user above the limit, those used the longest ago first, but never the new one. It says how
// many they were.
func (s *Store) endSurplus(ctx context.Context, o store.Opening) (n int, err error) {
	err = s.decide(ctx, o.Session.UserID, func(u *userRecord) (*change, error) {
		n = 0
		alive, err := s.aliveOf(ctx, u)
		if err != nil || len(alive) <= o.Limit {
			return nil, err
		}
		others := slices.DeleteFunc(alive, func(x sessionRecord) bool { return x.ID == o.Session.ID })
		if len(others) == len(alive) {
			return nil, nil // a later login has ended the new one
		}
		slices.SortFunc(others, lastUsedFirst)
		d := decision{Until: store.Micros(o.Until)}
		for _, x := range others[o.Limit-1:] {
			d.Ending = append(d.Ending, x.ID)
		}
		n = len(d.Ending)
		return &change{decision: d}, nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil // deleted meanwhile, and with them their sessions
	}
	return n, err
}

func lastUsedFirst(a, b sessionRecord) int {
	return cmp.Or(cmp.Compare(b.LastUsedAt, a.LastUsedAt), cmp.Compare(b.ID, a.ID))
}

// Session implements [store.Sessions].
func (s *Store) Session(ctx context.Context, id string) (x store.Session, u store.User, err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	record, user, err := s.sessionAndUser(ctx, id)
	if err != nil {
		return store.Session{}, store.User{}, err
	}
	return record.session(), user.user(), nil
}

// sessionAndUser returns a session and its user. ErrNotFound when it is dead.
func (s *Store) sessionAndUser(ctx context.Context, id string) (x sessionRecord, u userRecord, err error) {
	if err := one(ctx, s.sessions, id, &x); err != nil {
		return sessionRecord{}, userRecord{}, err
	}
	if u, err = s.present(ctx, x.UserID); err == nil && !u.alive(&x) {
		err = store.ErrNotFound
	}
	return x, u, err
}

// ListSessions implements [store.Sessions].
func (s *Store) ListSessions(ctx context.Context, userID string) (sessions []store.Session, err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	alive, err := s.stillAlive(ctx, userID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	slices.SortFunc(alive, lastUsedFirst)
	for i := range alive {
		sessions = append(sessions, alive[i].session())
	}
	return sessions, nil
}

// stillAlive returns the sessions of a user as they are between two decisions, of which neither is half carried out.
func (s *Store) stillAlive(ctx context.Context, userID string) ([]sessionRecord, error) {
	u, err := s.present(ctx, userID)
	for err == nil {
		alive, listErr := s.aliveOf(ctx, &u)
		if listErr != nil {
			return nil, listErr
		}
		before := u
		if u, err = s.present(ctx, userID); err == nil && u.Birth == before.Birth && u.Turn == before.Turn && u.Pending == before.Pending {
			return alive, nil
		}
	}
	return nil, err
}

// RotateSession implements [store.Sessions]. The look at the user after it has written tells whether the session was alive then.
func (s *Store) RotateSession(ctx context.Context, next store.Session) (err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	var x sessionRecord
	err = s.sessions.FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: next.ID}, {Key: "generation", Value: next.Generation - 1}}, set(bson.D{
		{Key: "generation", Value: next.Generation}, {Key: "chain", Value: next.Chain}, {Key: "device", Value: next.Device},
		{Key: "client", Value: next.Client}, {Key: "last_used_at", Value: store.Micros(next.LastUsedAt)}, {Key: "expires_at", Value: store.Micros(next.ExpiresAt)},
	}), options.FindOneAndUpdate().SetReturnDocument(options.After)).Decode(&x)
	if errors.Is(err, mongo.ErrNoDocuments) {
		if _, _, err := s.sessionAndUser(ctx, next.ID); err != nil {
			return err
		}
		return store.ErrConflict
	}
	if err != nil {
		return err
	}
	u, err := s.present(ctx, x.UserID)
	if err == nil && !u.alive(&x) {
		return store.ErrNotFound
	}
	return err
}

// EndSessions implements [store.Sessions].
func (s *Store) EndSessions(ctx context.Context, userID string, which store.Which, until time.Time) (n int, err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	err = s.decide(ctx, userID, func(u *userRecord) (*change, error) {
		alive, err := s.aliveOf(ctx, u)
		if err != nil {
			return nil, err
		}
		c := &change{decision: decision{Until: store.Micros(until)}}
		if n = 0; which.Only == "" {
			c.decision.All = true
			c.also = bson.D{keeping(alive, which.Except)}
		}
		for _, x := range alive {
			if x.ID == which.Except || which.Only != "" && x.ID != which.Only {
				continue
			}
			n++
			if which.Only != "" {
				c.decision.Ending = append(c.decision.Ending, x.ID)
			}
		}
		if n == 0 {
			return nil, nil
		}
		return c, nil
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("end sessions: %w", err)
	}
	return n, nil
}
