package mongostore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/countersign-auth/countersign/internal/store"
)

// AddCredential implements [store.Credentials]. A credential is made as a user is: in the user's document, marked as being made;
// then its reservation; then the mark is taken off.
func (s *Store) AddCredential(ctx context.Context, c store.Credential) (err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	c.Version = 1
	r := credentialOf(c)
	r.Mark, r.Making = rand.Text(), true
	id := credentialID(c.Method, c.Key)
	field := "credentials." + id
	if err := s.embed(ctx, c.UserID, id, r); err != nil {
		return err
	}
	if err := s.reserve(ctx, reservation{ID: id, UserID: c.UserID, Mark: r.Mark}, r.CreatedAt); err != nil {
		if errors.Is(err, store.ErrExists) {
			err = errors.Join(err, s.withdraw(ctx, c.UserID, id, r.Mark))
		}
		return err
	}
	done, err := update(ctx, s.users, bson.D{{Key: "_id", Value: c.UserID}, {Key: field + ".mark", Value: r.Mark}, missing("state")},
		bson.D{{Key: "$unset", Value: bson.D{{Key: field + ".making", Value: ""}}}})
	if err != nil || done {
		return err
	}
	if _, err := s.present(ctx, c.UserID); err != nil {
		return err
	}
	return fmt.Errorf("%w: somebody took it for abandoned", store.ErrExists)
}

// embed writes a credential that is being made into the document of its user.
func (s *Store) embed(ctx context.Context, userID, id string, r credentialRecord) error {
	field := "credentials." + id
	for {
		done, err := update(ctx, s.users, bson.D{{Key: "_id", Value: userID}, missing(field), missing("state")}, set(bson.D{{Key: field, Value: r}}))
		if err != nil || done {
			return err
		}
		u, err := s.present(ctx, userID)
		if err != nil {
			return err
		}
		other, ok := u.Credentials[id]
		switch {
		case !ok: // no longer
		case other.Making && abandoned(other.CreatedAt, r.CreatedAt):
			if err := s.withdraw(ctx, userID, id, other.Mark); err != nil {
				return err
			}
		default:
			return store.ErrExists
		}
	}
}

// ListCredentials implements [store.Credentials].
func (s *Store) ListCredentials(ctx context.Context, userID, method string) (credentials []store.Credential, err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	u, err := s.present(ctx, userID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list credentials: %w", err)
	}
	for _, c := range credentialsOf(&u) {
		if c.Method == method {
			credentials = append(credentials, c)
		}
	}
	return credentials, nil
}

// DeleteCredential implements [store.Credentials]. The write to the user's document decides: a reservation that is left behind has
// no credential any more, and so is in nobody's way. When the answer to that write is lost, what is there then is the answer.
func (s *Store) DeleteCredential(ctx context.Context, c store.Credential) (err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	id := credentialID(c.Method, c.Key)
	field := "credentials." + id
	var u userRecord
	err = s.users.FindOneAndUpdate(ctx,
		bson.D{{Key: "_id", Value: c.UserID}, {Key: field, Value: bson.D{{Key: "$exists", Value: true}}}, missing(field + ".making"), missing("state")},
		bson.D{{Key: "$unset", Value: bson.D{{Key: field, Value: ""}}}}).Decode(&u)
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return store.ErrNotFound
	case unavailable(err) && s.isGone(ctx, c.UserID, id):
		return nil
	case err != nil:
		return fmt.Errorf("delete a credential: %w", err)
	}
	// The credential is gone, whatever becomes of this.
	_, _ = s.reservations.DeleteOne(ctx, bson.D{{Key: "_id", Value: id}, {Key: "mark", Value: u.Credentials[id].Mark}})
	return nil
}

// isGone reports whether a user is found to have no credential of that id.
func (s *Store) isGone(ctx context.Context, userID, id string) bool {
	u, err := s.present(ctx, userID)
	_, has := u.Credentials[id]
	return err == nil && !has || errors.Is(err, store.ErrNotFound)
}

// UpdateCredential implements [store.Credentials].
func (s *Store) UpdateCredential(ctx context.Context, c store.Credential) (err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	given, fields := changed(c)
	done, err := update(ctx, s.users, append(bson.D{{Key: "_id", Value: c.UserID}, missing("state")}, given...), set(fields))
	if err != nil || done {
		return err
	}
	return s.notAsGiven(ctx, c)
}

// changed returns what must be so for c to be written, and what is written then.
func changed(c store.Credential) (given, fields bson.D) {
	field := "credentials." + credentialID(c.Method, c.Key)
	return bson.D{{Key: field + ".version", Value: c.Version}, missing(field + ".making")},
		bson.D{{Key: field + ".data", Value: c.Data}, {Key: field + ".updated_at", Value: store.Micros(c.UpdatedAt)}, {Key: field + ".version", Value: c.Version + 1}}
}

// notAsGiven says why c was not written: it is not there, or has another version or user.
func (s *Store) notAsGiven(ctx context.Context, c store.Credential) error {
	if _, _, err := s.credential(ctx, c.Method, c.Key); err != nil {
		return err
	}
	return store.ErrConflict
}

// ChangeCredential implements [store.Credentials].
func (s *Store) ChangeCredential(ctx context.Context, c store.Credential, keep string, until time.Time) (err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	given, fields := changed(c)
	id := credentialID(c.Method, c.Key)
	err = s.decide(ctx, c.UserID, func(u *userRecord) (*change, error) {
		if r, ok := u.Credentials[id]; !ok || r.Making || r.Version != c.Version {
			return nil, s.notAsGiven(ctx, c)
		}
		alive, err := s.aliveOf(ctx, u)
		if err != nil {
			return nil, err
		}
		return &change{decision: decision{All: true, Until: store.Micros(until)}, also: append(fields, keeping(alive, keep)), given: given}, nil
	})
	if errors.Is(err, store.ErrNotFound) { // no such user
		return s.notAsGiven(ctx, c)
	}
	return err
}

// keeping is the field that names the session to keep, if the user has it.
func keeping(alive []sessionRecord, keep string) bson.E {
	for i := range alive {
		if alive[i].ID == keep {
			return bson.E{Key: "keep", Value: keep}
		}
	}
	return bson.E{Key: "keep", Value: ""}
}

// aliveOf returns the sessions of a user who was read just now.
func (s *Store) aliveOf(ctx context.Context, u *userRecord) (alive []sessionRecord, err error) {
	records, err := all[sessionRecord](ctx, s.sessions, bson.D{{Key: "user_id", Value: u.ID}, {Key: "birth", Value: u.Birth}}, options.Find())
	for i := range records {
		if u.alive(&records[i]) {
			alive = append(alive, records[i])
		}
	}
	return alive, err
}
