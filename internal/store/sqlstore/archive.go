package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/countersign-auth/countersign/internal/store"
)

const (
	// The credentials and sessions of the users of one page.
	credentialsOf = "SELECT " + credentialColumns + " FROM credentials WHERE user_id > $1 AND user_id <= $2 ORDER BY user_id, method, key"
	sessionsOf    = "SELECT " + sessionColumns + " FROM sessions WHERE user_id > $1 AND user_id <= $2 ORDER BY user_id, id"

	restoreSession = `INSERT INTO sessions (id, user_id, epoch, generation, chain, methods, brief, device, client, auth_at, created_at,
			last_used_at, expires_at, sweep_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)`

	listCounters = "SELECT " + counterColumns + " FROM counters WHERE key > $1 ORDER BY key LIMIT $2"
	listSecrets  = "SELECT name, value FROM secrets ORDER BY name"
)

// Accounts implements [store.Archive].
func (s verbs) Accounts(ctx context.Context, after string, limit int) ([]store.Account, error) {
	users, err := s.ListUsers(ctx, after, limit)
	if err != nil || len(users) == 0 {
		return nil, err
	}
	accounts := make([]store.Account, len(users))
	place := make(map[string]*store.Account, len(users))
	for i, u := range users {
		accounts[i].User = u
		place[u.ID] = &accounts[i]
	}
	page := []any{after, users[len(users)-1].ID}
	err = s.each(ctx, credentialsOf, page, func(r row) error {
		var credential credentialRow
		if err := r.Scan(credential.into()...); err != nil {
			return err
		}
		c := credential.result()
		if a := place[c.UserID]; a != nil { // else the user has come meanwhile
			a.Credentials = append(a.Credentials, c)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	err = s.each(ctx, sessionsOf, page, func(r row) error {
		var session sessionRow
		if err := r.Scan(session.into()...); err != nil {
			return err
		}
		x, err := session.result()
		if a := place[x.UserID]; a != nil {
			a.Sessions = append(a.Sessions, x)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sessions: %w", err)
	}
	return accounts, nil
}

// accountsAtOnce is how many accounts share a commit, beside which others wait.
const accountsAtOnce = 500

// AddAccounts implements [store.Archive].
func (s verbs) AddAccounts(ctx context.Context, accounts ...store.Account) ([]error, error) {
	return s.addAccounts(ctx, false, accounts)
}

// addAccounts adds accounts one by one. After a fault, or if again, those that are there as they are given count as written.
func (s verbs) addAccounts(ctx context.Context, again bool, accounts []store.Account) ([]error, error) {
	errs := make([]error, len(accounts))
	for first := 0; first < len(accounts); first += accountsAtOnce {
		err := s.commit(ctx, change{do: func(w tx) error {
			for i := first; i < min(first+accountsAtOnce, len(accounts)); i++ {
				errs[i] = w.within("account", func() error { return addAccount(w, accounts[i]) })
				if again && errors.Is(errs[i], store.ErrExists) && isThere(w, accounts[i].User) {
					errs[i] = nil
				}
				if errs[i] != nil && !errors.Is(errs[i], store.ErrExists) {
					return errs[i]
				}
			}
			again = true
			return nil
		}})
		if err != nil {
			return nil, fmt.Errorf("add accounts: %w", err)
		}
	}
	return errs, nil
}

// isThere reports whether a user is there as it is given.
func isThere(w tx, u store.User) bool {
	var r userRow
	if err := w.one(selectUser, []any{u.ID}, r.into()...); err != nil {
		return false
	}
	now, err := r.result()
	if err != nil {
		return false
	}
	is, _ := userArgs(now)
	given, err := userArgs(u)
	return err == nil && reflect.DeepEqual(is, given)
}

func addAccount(w tx, a store.Account) error {
	args, err := userArgs(a.User)
	if err != nil {
		return err
	}
	if _, err := w.exec(insertUser, args...); err != nil {
		return err
	}
	for _, c := range a.Credentials {
		if _, err := w.exec(insertCredential, credentialArgs(c)...); err != nil {
			return err
		}
	}
	for _, x := range a.Sessions {
		args, err := sessionArgs(x)
		if err != nil {
			return err
		}
		if _, err := w.exec(restoreSession, args...); err != nil {
			return err
		}
	}
	return nil
}

// ListCounters implements [store.Archive].
func (s verbs) ListCounters(ctx context.Context, after string, limit int) (counters []store.Counter, err error) {
	err = s.each(ctx, listCounters, []any{after, limit}, func(r row) error {
		c, err := scanCounter(r)
		counters = append(counters, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list counters: %w", err)
	}
	return counters, nil
}

// ListSecrets implements [store.Archive].
func (s verbs) ListSecrets(ctx context.Context) (secrets []store.Secret, err error) {
	err = s.each(ctx, listSecrets, nil, func(r row) error {
		var x store.Secret
		err := r.Scan(&x.Name, &x.Value)
		secrets = append(secrets, x)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list secrets: %w", err)
	}
	return secrets, nil
}
