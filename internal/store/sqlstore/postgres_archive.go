package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/countersign-auth/countersign/internal/store"
)

var restoreAccounts = `WITH
	created AS (INSERT INTO users (id, email, email_key, roles, data, admin_data, epoch, disabled_at, created_at, updated_at, version)
		SELECT x.* FROM ` + arrays(1, userTypes) + ` AS x RETURNING id),
	known AS (INSERT INTO credentials (method, key, user_id, data, created_at, updated_at, version)
		SELECT x.* FROM ` + arrays(12, credentialTypes) + ` AS x WHERE EXISTS (SELECT FROM created) RETURNING user_id)
	INSERT INTO sessions (id, user_id, epoch, generation, chain, methods, brief, device, client, auth_at, created_at, last_used_at,
			expires_at, sweep_at)
		SELECT x.* FROM ` + arrays(19, sessionTypes) + ` AS x WHERE (SELECT count(*) FROM known) >= 0`

// errAnswerLost is for accounts of which nobody knows whether they were written together.
var errAnswerLost = errors.New("sqlstore: an answer was lost")

// AddAccounts implements [store.Archive]. Accounts of which none is taken are written together.
func (p *Postgres) AddAccounts(ctx context.Context, accounts ...store.Account) ([]error, error) {
	errs := make([]error, len(accounts))
	for first := 0; first < len(accounts); first += accountsAtOnce {
		some := accounts[first:min(first+accountsAtOnce, len(accounts))]
		args, err := accountArrays(some)
		if err != nil {
			return nil, err
		}
		write := func(w tx) error {
			_, err := w.exec(restoreAccounts, args...)
			return err
		}
		lost := func(context.Context, error) error { return errAnswerLost }
		err = p.commit(ctx, change{single: true, do: write, verdict: lost})
		if errors.Is(err, store.ErrExists) || errors.Is(err, errAnswerLost) {
			var each []error
			each, err = p.addAccounts(ctx, errors.Is(err, errAnswerLost), some)
			copy(errs[first:], each)
		}
		if err != nil {
			return nil, fmt.Errorf("add accounts: %w", err)
		}
	}
	return errs, nil
}

// accountArrays returns the parameters of restoreAccounts.
func accountArrays(accounts []store.Account) ([]any, error) {
	var users, credentials, sessions [][]any
	for _, a := range accounts {
		user, err := userArgs(a.User)
		if err != nil {
			return nil, err
		}
		users = append(users, user)
		for _, c := range a.Credentials {
			credentials = append(credentials, credentialArgs(c))
		}
		for _, x := range a.Sessions {
			session, err := sessionArgs(x)
			if err != nil {
				return nil, err
			}
			sessions = append(sessions, append(session, store.Micros(x.ExpiresAt)))
		}
	}
	return append(append(columns(userTypes, users), columns(credentialTypes, credentials)...), columns(sessionTypes, sessions)...), nil
}
