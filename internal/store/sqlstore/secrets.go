package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/countersign-auth/countersign/internal/store"
)

const (
	selectSecret  = "SELECT value FROM secrets WHERE name = $1"
	hasSecret     = "SELECT 1 FROM secrets WHERE name = $1"
	insertSecret  = "INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING"
	replaceSecret = "UPDATE secrets SET value = $1 WHERE name = $2 AND value = $3"
)

// FirstSecret implements [store.Secrets].
func (s verbs) FirstSecret(ctx context.Context, name string, value []byte) ([]byte, error) {
	kept, err := s.Secret(ctx, name)
	if !errors.Is(err, store.ErrNotFound) {
		return kept, err
	}
	err = s.commit(ctx, change{single: true, do: func(w tx) error {
		if _, err := w.exec(insertSecret, name, value); err != nil {
			return err
		}
		return w.one(selectSecret, []any{name}, &kept)
	}})
	if err != nil {
		return nil, fmt.Errorf("secret %s: %w", name, err)
	}
	return kept, nil
}

// Secret implements [store.Secrets].
func (s verbs) Secret(ctx context.Context, name string) (value []byte, err error) {
	if err := s.one(ctx, selectSecret, []any{name}, &value); err != nil {
		return nil, fmt.Errorf("secret %s: %w", name, err)
	}
	return value, nil
}

// ReplaceSecret implements [store.Secrets].
func (s verbs) ReplaceSecret(ctx context.Context, name string, old, value []byte) error {
	replace := func(w tx) error {
		n, err := w.exec(replaceSecret, value, name, old)
		if err != nil || n == 1 {
			return err
		}
		return conflictIf(w, hasSecret, name)
	}
	err := s.commit(ctx, change{single: true, do: replace, verdict: s.secretWritten(name, old, value)})
	if err != nil {
		return fmt.Errorf("secret %s: %w", name, err)
	}
	s.forget(ctx)
	return nil
}
