package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/store"
)

func newRestorer(s store.Store) *restorer {
	r := &restorer{store: s}
	r.parts = map[kind]part{
		isSecret: r.secrets(), isKey: r.keys(), isAccount: r.accounts(), isRevocation: r.revocations(), isCounter: r.counters(), isEvent: r.events(),
	}
	return r
}

// numbered is the key of records that have no order but that in which they were written.
func numbered(number int) string { return fmt.Sprintf("%020d", number) }

func (r *restorer) secrets() part {
	return &records[store.Secret]{
		r: r, called: "secrets",
		of:   func(l *line) store.Secret { return store.Secret{Name: l.Secret.Name, Value: l.Secret.Value} },
		line: func(s store.Secret) line { return line{Secret: &secret{s.Name, s.Value}} },
		key:  func(s store.Secret, _ int) string { return s.Name },
		list: func(ctx context.Context, after string, _, limit int) ([]store.Secret, error) {
			all, err := r.store.ListSecrets(ctx)
			all = slices.DeleteFunc(all, func(s store.Secret) bool { return s.Name <= after })
			return all[:min(limit, len(all))], err
		},
		add: func(ctx context.Context, secrets []store.Secret) error {
			for _, s := range secrets {
				kept, err := r.store.FirstSecret(ctx, s.Name, s.Value)
				if err == nil && string(kept) != string(s.Value) {
					err = errMeanwhile
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// errMeanwhile says that another process has written what was not there before.
var errMeanwhile = errors.New("somebody else writes into the database: end the servers on it")

func (r *restorer) keys() part {
	return &records[store.SigningKey]{
		r: r, called: "signing keys",
		of: func(l *line) store.SigningKey {
			k := l.Key
			return store.SigningKey{ID: k.ID, Algorithm: k.Algorithm, Private: k.Private, CreatedAt: k.CreatedAt, SignsAt: k.SignsAt}
		},
		line: func(k store.SigningKey) line {
			return line{Key: &key{k.ID, k.Algorithm, k.Private, k.CreatedAt.UTC(), k.SignsAt.UTC()}}
		},
		key: func(_ store.SigningKey, number int) string { return numbered(number) },
		list: func(ctx context.Context, _ string, number, limit int) ([]store.SigningKey, error) {
			all, err := r.store.SigningKeys(ctx)
			slices.Reverse(all)
			all = all[min(number, len(all)):]
			return all[:min(limit, len(all))], err
		},
		add: r.addKeys,
	}
}

func (r *restorer) addKeys(ctx context.Context, keys []store.SigningKey) error {
	newest := ""
	if there, err := r.store.SigningKeys(ctx); err != nil {
		return err
	} else if len(there) > 0 {
		newest = there[0].ID
	}
	for _, k := range keys {
		err := r.store.AddKey(ctx, k, newest)
		if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrExists) {
			err = errMeanwhile
		}
		if err != nil {
			return err
		}
		newest = k.ID
	}
	return nil
}

func (r *restorer) accounts() part {
	return &records[store.Account]{
		r: r, called: "accounts",
		of:   func(l *line) store.Account { return l.Account.account() },
		line: func(a store.Account) line { l := lineOf(a); return line{Account: &l} },
		key:  func(a store.Account, _ int) string { return a.User.ID },
		list: func(ctx context.Context, after string, _, limit int) ([]store.Account, error) {
			return r.store.Accounts(ctx, after, limit)
		},
		add: func(ctx context.Context, accounts []store.Account) error {
			errs, err := r.store.AddAccounts(ctx, accounts...)
			if err != nil {
				return err
			}
			for i, err := range errs {
				if errors.Is(err, store.ErrExists) {
					err = errMeanwhile
				}
				if err != nil {
					return fmt.Errorf("user %q: %w", accounts[i].User.ID, err)
				}
			}
			return nil
		},
	}
}

func (r *restorer) revocations() part {
	position := int64(0)
	return &records[store.Revocation]{
		r: r, called: "revocations",
		of: func(l *line) store.Revocation {
			return store.Revocation{Key: l.Revocation.Key, ExpiresAt: l.Revocation.ExpiresAt}
		},
		line: func(x store.Revocation) line { return line{Revocation: &revocation{x.Key, x.ExpiresAt.UTC()}} },
		key:  func(_ store.Revocation, number int) string { return numbered(number) },
		list: func(ctx context.Context, _ string, _, limit int) ([]store.Revocation, error) {
			there, err := r.store.Revocations(ctx, position, limit)
			if len(there) > 0 {
				position = there[len(there)-1].Position
			}
			return there, err
		},
		add: func(ctx context.Context, revoked []store.Revocation) error {
			if err := r.store.Revoke(ctx, revoked...); err != nil {
				return err
			}
			written, err := r.store.Revocations(ctx, position, len(revoked))
			if err == nil && len(written) < len(revoked) {
				err = errMeanwhile
			}
			if err == nil {
				position = written[len(written)-1].Position
			}
			return err
		},
	}
}

func (r *restorer) counters() part {
	return &records[store.Counter]{
		r: r, called: "counters",
		of: func(l *line) store.Counter {
			c := l.Counter
			return store.Counter{Key: c.Key, Count: c.Count, LastAt: c.LastAt, KnownAt: c.KnownAt, ExpiresAt: c.ExpiresAt}
		},
		line: func(c store.Counter) line { l := counterLine(c); return line{Counter: &l} },
		key:  func(c store.Counter, _ int) string { return c.Key },
		list: func(ctx context.Context, after string, _, limit int) ([]store.Counter, error) {
			return r.store.ListCounters(ctx, after, limit)
		},
		add: func(ctx context.Context, counters []store.Counter) error {
			swapped, err := r.store.SwapCounters(ctx, time.Time{}, counters...) // at which time none has expired
			if err == nil && slices.Contains(swapped, false) {
				err = errMeanwhile
			}
			return err
		},
	}
}

func (r *restorer) events() part {
	return &records[store.Event]{
		r: r, called: "events",
		of:   func(l *line) store.Event { return store.Event(*l.Event) },
		line: func(e store.Event) line { l := audit.Line(e); return line{Event: &l} },
		key:  func(e store.Event, _ int) string { return e.ID },
		list: func(ctx context.Context, after string, _, limit int) ([]store.Event, error) {
			return r.store.ListEvents(ctx, after, limit)
		},
		add: func(ctx context.Context, events []store.Event) error { return r.store.AppendEvents(ctx, events...) },
	}
}
