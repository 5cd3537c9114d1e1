package mongostore

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/countersign-auth/countersign/internal/store"
)

// change is what is to become of a user's document by a decision.
type change struct {
	decision decision
	// also are further fields to be written, and given what else must be so in the document.
	also, given bson.D
	// without are fields to be removed.
	without bson.D
}

// decide makes a decision about a user, whose document is as plan was given it when it is written, and carries it out. Plan
// may be called several times; nil is no decision. ErrNotFound when there is no such user.
//
// Decisions about one user come one after the other: each must find the turn of the one before it, carried out. So what
// belongs to a turn never changes, and may be carried out by several processes at once, and twice.
func (s *Store) decide(ctx context.Context, id string, plan func(u *userRecord) (*change, error)) error {
	for {
		u, err := s.present(ctx, id)
		if err != nil {
			return err
		}
		if u.Pending != 0 {
			if err := s.settle(ctx, id); err != nil {
				return err
			}
			continue
		}
		c, err := plan(&u)
		if err != nil || c == nil {
			return err
		}
		turn := u.Turn + 1
		fields := append(bson.D{{Key: "turn", Value: turn}, {Key: "pending", Value: turn}, {Key: "decision", Value: c.decision}}, c.also...)
		if c.decision.All {
			fields = append(fields, bson.E{Key: "era", Value: turn})
		}
		operations := set(fields)
		if len(c.without) > 0 {
			operations = append(operations, bson.E{Key: "$unset", Value: c.without})
		}
		// The version too, or a change of the user between the read and now might go unseen by the plan.
		as := bson.D{
			{Key: "_id", Value: id}, {Key: "birth", Value: u.Birth}, {Key: "turn", Value: u.Turn}, {Key: "version", Value: u.Version},
			missing("pending"), missing("state"),
		}
		switch done, err := update(ctx, s.users, append(as, c.given...), operations); {
		case err != nil:
			return err
		case done:
			return s.settle(ctx, id)
		}
	}
}

// settle carries out what has been decided about a user, if anything is still to be done, whoever decided it.
func (s *Store) settle(ctx context.Context, id string) error {
	var u userRecord
	err := one(ctx, s.users, id, &u)
	if errors.Is(err, store.ErrNotFound) || err == nil && u.Pending == 0 {
		return nil // somebody else has done it
	}
	if err == nil {
		err = s.carryOut(ctx, &u)
	}
	if err != nil {
		return fmt.Errorf("carry out what was decided about a user: %w", err)
	}
	return nil
}

// carryOut does what the decision in u says. The last of its writes takes the decision off the document, or the document
// away; so whoever comes after a crash begins again.
func (s *Store) carryOut(ctx context.Context, u *userRecord) error {
	source := fmt.Sprintf("%s/%d/", u.Birth, u.Pending)
	var entries []entry
	for i, r := range u.Decision.Revoked {
		entries = append(entries, entry{r.Key, r.ExpiresAt, fmt.Sprint(source, i)})
	}
	ending, err := s.ending(ctx, u)
	if err != nil {
		return err
	}
	for _, id := range ending {
		entries = append(entries, entry{id, u.Decision.Until, source + "session " + id})
	}
	if err := s.writeEvents(ctx, u.Decision.Events); err != nil {
		return err
	}
	if err := s.writeRevocations(ctx, entries); err != nil {
		return err
	}
	if u.State == deleted {
		return s.remove(ctx, u)
	}
	if len(ending) > 0 {
		_, err := s.sessions.DeleteMany(ctx, bson.D{among("_id", ending), {Key: "birth", Value: u.Birth}, before(u.Pending)})
		if err != nil {
			return err
		}
	}
	_, err = update(ctx, s.users, bson.D{{Key: "_id", Value: u.ID}, {Key: "birth", Value: u.Birth}, {Key: "pending", Value: u.Pending}},
		bson.D{{Key: "$unset", Value: bson.D{{Key: "pending", Value: ""}, {Key: "decision", Value: ""}}}})
	return err
}

// before says of a session that it was opened before that turn.
func before(turn int64) bson.E {
	return bson.E{Key: "turn", Value: bson.D{{Key: "$lt", Value: turn}}}
}

// ending returns the sessions that end by the decision in u.
func (s *Store) ending(ctx context.Context, u *userRecord) ([]string, error) {
	if !u.Decision.All {
		return u.Decision.Ending, nil
	}
	dead, err := all[sessionRecord](ctx, s.sessions, bson.D{{Key: "user_id", Value: u.ID}, {Key: "birth", Value: u.Birth}, before(u.Era)}, options.Find())
	if err != nil {
		return nil, err
	}
	var ids []string
	for i := range dead {
		if dead[i].ID != u.Keep {
			ids = append(ids, dead[i].ID)
		}
	}
	return ids, nil
}

// remove removes a user who is deleted, with what belongs to them, the document that says so last.
func (s *Store) remove(ctx context.Context, u *userRecord) error {
	if err := s.removeBelongings(ctx, u); err != nil {
		return err
	}
	_, err := s.users.DeleteOne(ctx, bson.D{{Key: "_id", Value: u.ID}, {Key: "birth", Value: u.Birth}, {Key: "state", Value: deleted}})
	return err
}

// removeBelongings removes the sessions and reservations of a user who is not, or no longer, there.
func (s *Store) removeBelongings(ctx context.Context, u *userRecord) error {
	if _, err := s.sessions.DeleteMany(ctx, bson.D{{Key: "user_id", Value: u.ID}, {Key: "birth", Value: u.Birth}}); err != nil {
		return err
	}
	var ids, marks []string
	for _, r := range u.reservations() {
		ids, marks = append(ids, r.ID), append(marks, r.Mark)
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := s.reservations.DeleteMany(ctx, bson.D{among("_id", ids), among("mark", marks)})
	return err
}

// settleAll carries out all that has been decided and not carried out.
func (s *Store) settleAll(ctx context.Context) error {
	pending, err := all[userRecord](ctx, s.users, bson.D{greater("pending", int64(0))}, options.Find())
	if err != nil {
		return err
	}
	for i := range pending {
		if err := s.settle(ctx, pending[i].ID); err != nil {
			return err
		}
	}
	return nil
}

// present returns the document of a user who is there.
func (s *Store) present(ctx context.Context, id string) (u userRecord, err error) {
	if err := one(ctx, s.users, id, &u); err != nil {
		return userRecord{}, err
	}
	if !u.there() {
		return userRecord{}, store.ErrNotFound
	}
	return u, nil
}
