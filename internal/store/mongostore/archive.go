package mongostore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/countersign-auth/countersign/internal/store"
)

// Accounts implements [store.Archive].
func (s *Store) Accounts(ctx context.Context, after string, limit int) (accounts []store.Account, err error) {
	ctx, end := begin(ctx, &err)
	defer end()
	users, err := all[userRecord](ctx, s.users, bson.D{greater("_id", after), missing("state")}, page("_id", limit))
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	place := make(map[string]int, len(users))
	ids := make([]string, len(users))
	for i := range users {
		place[users[i].ID], ids[i] = i, users[i].ID
		accounts = append(accounts, store.Account{User: users[i].user(), Credentials: credentialsOf(&users[i])})
	}
	if len(users) == 0 {
		return nil, nil
	}
	sessions, err := all[sessionRecord](ctx, s.sessions, bson.D{among("user_id", ids)}, options.Find().SetSort(byNumber("_id")))
	if err != nil {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	for i := range sessions {
		at := place[sessions[i].UserID]
		if users[at].alive(&sessions[i]) {
			accounts[at].Sessions = append(accounts[at].Sessions, sessions[i].session())
		}
	}
	return accounts, nil
}

// credentialsOf returns the credentials of a user in the order of method and key.
func credentialsOf(u *userRecord) (credentials []store.Credential) {
	for _, c := range u.Credentials {
		if !c.Making {
			credentials = append(credentials, c.credential(u.ID))
		}
	}
	slices.SortFunc(credentials, func(a, b store.Credential) int {
		return cmp.Or(cmp.Compare(a.Method, b.Method), cmp.Compare(a.Key, b.Key))
	})
	return credentials
}

// AddAccounts implements [store.Archive]. What a process that was killed in it has left half-made is in nobody's way when the
// same accounts are written again.
func (s *Store) AddAccounts(ctx context.Context, accounts ...store.Account) ([]error, error) {
	errs := make([]error, len(accounts))
	for i, a := range accounts {
		_, err := within(ctx, func(ctx context.Context) (bool, error) { return true, s.addAccount(ctx, a) })
		if err != nil && !errors.Is(err, store.ErrExists) {
			return nil, fmt.Errorf("add accounts: %w", err)
		}
		errs[i] = err
	}
	return errs, nil
}

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
	r := userOf(a.User)
	for _, c := range a.Credentials {
		id := credentialID(c.Method, c.Key)
		if _, twice := r.Credentials[id]; twice {
			return store.ErrExists
		}
		r.Credentials[id] = credentialOf(c)
	}
	var sessions []sessionRecord
	for _, x := range a.Sessions {
		sessions = append(sessions, sessionOf(x, &r))
	}
	return s.add(ctx, r, sessions)
}

// ListCounters implements [store.Archive].
func (s *Store) ListCounters(ctx context.Context, after string, limit int) (counters []store.Counter, err error) {
	ctx, end := begin(ctx, &err)
	defer end()
	records, err := all[counterRecord](ctx, s.counters, bson.D{greater("_id", after)}, page("_id", limit))
	if err != nil {
		return nil, fmt.Errorf("list counters: %w", err)
	}
	for _, r := range records {
		counters = append(counters, r.counter())
	}
	return counters, nil
}

// ListSecrets implements [store.Archive].
func (s *Store) ListSecrets(ctx context.Context) (secrets []store.Secret, err error) {
	ctx, end := begin(ctx, &err)
	defer end()
	records, err := all[secretRecord](ctx, s.secrets, bson.D{}, options.Find().SetSort(byNumber("_id")))
	if err != nil {
		return nil, fmt.Errorf("list secrets: %w", err)
	}
	for _, r := range records {
		secrets = append(secrets, store.Secret(r))
	}
	return secrets, nil
}
