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

// accountsAtOnce is how many accounts are made together.
const accountsAtOnce = 100

// AddAccounts implements [store.Archive]. What a process that was killed in it has left half-made is in nobody's way when the
// same accounts are written again.
func (s *Store) AddAccounts(ctx context.Context, accounts ...store.Account) ([]error, error) {
	errs := make([]error, len(accounts))
	for first := 0; first < len(accounts); first += accountsAtOnce {
		some := accounts[first:min(first+accountsAtOnce, len(accounts))]
		alone, err := within(ctx, func(ctx context.Context) ([]int, error) { return s.addTogether(ctx, some) })
		if err != nil {
			return nil, fmt.Errorf("add accounts: %w", err)
		}
		for _, i := range alone {
			_, err := within(ctx, func(ctx context.Context) (bool, error) { return true, s.addAccount(ctx, some[i]) })
			if err != nil && !errors.Is(err, store.ErrExists) {
				return nil, fmt.Errorf("add accounts: %w", err)
			}
			errs[first+i] = err
		}
	}
	return errs, nil
}

// addAccount makes an account as CreateUser makes a user, and puts out of the way what is left of an attempt at the same.
func (s *Store) addAccount(ctx context.Context, a store.Account) error {
	var left userRecord
	switch err := one(ctx, s.users, a.User.ID, &left); {
	case err == nil && left.State == beingMade:
		if err := s.abandon(ctx, &left); err != nil {
			return err
		}
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return err
	}
	r, sessions, err := recordsOf(a)
	if err != nil {
		return err
	}
	return s.add(ctx, r, sessions)
}

// recordsOf returns the documents of an account.
func recordsOf(a store.Account) (r userRecord, sessions []sessionRecord, err error) {
	r = userOf(a.User)
	for _, c := range a.Credentials {
		id := credentialID(c.Method, c.Key)
		if _, twice := r.Credentials[id]; twice {
			return r, nil, store.ErrExists
		}
		r.Credentials[id] = credentialOf(c)
	}
	for _, x := range a.Sessions {
		sessions = append(sessions, sessionOf(x, &r))
	}
	return r, sessions, nil
}

// making are accounts that are being made together.
type making struct {
	places   []int // of each in what is to be made
	users    []userRecord
	sessions [][]sessionRecord
}

// drop takes those at these indices out, and returns their places and documents.
func (m *making) drop(failed map[int]bool) (places []int, users []userRecord) {
	var kept making
	for i, u := range m.users {
		if failed[i] {
			places, users = append(places, m.places[i]), append(users, u)
			continue
		}
		kept.places, kept.users, kept.sessions = append(kept.places, m.places[i]), append(kept.users, u), append(kept.sessions, m.sessions[i])
	}
	*m = kept
	return places, users
}

// addTogether makes accounts in the steps of CreateUser, each step of all of them by one command. It returns which could not be
// made so, as something of them is taken or was in the way; nothing is left of these, and each is to be tried alone.
func (s *Store) addTogether(ctx context.Context, accounts []store.Account) (alone []int, err error) {
	var m making
	for i, a := range accounts {
		r, sessions, err := recordsOf(a)
		if err != nil {
			alone = append(alone, i)
			continue
		}
		r = marked(r)
		for i := range sessions {
			sessions[i].Birth = r.Birth
		}
		m.places, m.users, m.sessions = append(m.places, i), append(m.users, r), append(m.sessions, sessions)
	}
	failed, err := insertThose(ctx, s.users, &m, func(i int) []userRecord { return m.users[i : i+1] })
	if err != nil {
		return nil, err
	}
	places, _ := m.drop(failed) // nothing is written of them
	alone = append(alone, places...)
	if failed, err = insertThose(ctx, s.reservations, &m, func(i int) []reservation { return m.users[i].reservations() }); err != nil {
		return nil, err
	}
	if places, err = s.giveUp(ctx, &m, failed); err != nil {
		return nil, err
	}
	alone = append(alone, places...)
	if failed, err = insertThose(ctx, s.sessions, &m, func(i int) []sessionRecord { return m.sessions[i] }); err != nil {
		return nil, err
	}
	if places, err = s.giveUp(ctx, &m, failed); err != nil {
		return nil, err
	}
	alone = append(alone, places...)
	if failed, err = s.flipThose(ctx, &m); err != nil {
		return nil, err
	}
	places, err = s.giveUp(ctx, &m, failed)
	return append(alone, places...), err
}

// insertThose inserts documents of each account that is being made, and returns the indices of those of whose documents one
// could not be inserted because something unique is taken.
func insertThose[T any](ctx context.Context, in *mongo.Collection, m *making, of func(i int) []T) (failed map[int]bool, err error) {
	var documents []T
	var owners []int
	for i := range m.users {
		for _, document := range of(i) {
			documents, owners = append(documents, document), append(owners, i)
		}
	}
	if len(documents) == 0 {
		return nil, nil
	}
	_, err = in.InsertMany(ctx, documents, options.InsertMany().SetOrdered(false))
	var refused mongo.BulkWriteException
	if !errors.As(err, &refused) || refused.WriteConcernError != nil {
		return nil, err
	}
	failed = map[int]bool{}
	for _, e := range refused.WriteErrors {
		if !mongo.IsDuplicateKeyError(e.WriteError) {
			return nil, err
		}
		failed[owners[e.Index]] = true
	}
	return failed, nil
}

// giveUp removes what is written of accounts that cannot be made together with the others. Nobody else takes their marks off.
func (s *Store) giveUp(ctx context.Context, m *making, failed map[int]bool) (places []int, err error) {
	places, users := m.drop(failed)
	for i := range users {
		if _, err := s.users.DeleteOne(ctx, unmade(&users[i])); err != nil {
			return nil, err
		}
		if err := s.removeBelongings(ctx, &users[i]); err != nil {
			return nil, err
		}
	}
	return places, nil
}

// flipThose takes the marks off, and returns the indices of those who were taken for abandoned.
func (s *Store) flipThose(ctx context.Context, m *making) (failed map[int]bool, err error) {
	if len(m.users) == 0 {
		return nil, nil
	}
	var ids, births []string
	for i := range m.users {
		ids, births = append(ids, m.users[i].ID), append(births, m.users[i].Birth)
	}
	those := bson.D{among("_id", ids), among("birth", births)}
	r, err := s.users.UpdateMany(ctx, append(those, bson.E{Key: "state", Value: beingMade}), bson.D{{Key: "$unset", Value: bson.D{{Key: "state", Value: ""}}}})
	if err != nil || r.MatchedCount == int64(len(ids)) {
		return nil, err
	}
	made, err := all[userRecord](ctx, s.users, append(those, missing("state")), options.Find())
	failed = map[int]bool{}
	for i := range m.users {
		failed[i] = true
		for j := range made {
			if made[j].Birth == births[i] {
				failed[i] = false
			}
		}
	}
	return failed, err
}
