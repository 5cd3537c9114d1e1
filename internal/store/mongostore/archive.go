package mongostore

import (
	"cmp"
	"context"
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
