package sqlstore

import (
	"context"
	"fmt"

	"github.com/countersign-auth/countersign/internal/store"
)

const (
	keyColumns = "id, algorithm, private, created_at, signs_at"
	selectKeys = "SELECT " + keyColumns + " FROM signing_keys ORDER BY seq DESC"
	hasKey     = "SELECT 1 FROM signing_keys WHERE id = $1"
	insertKey  = "INSERT INTO signing_keys (" + keyColumns + `, seq)
		SELECT $1, $2, $3, $4, $5, coalesce((SELECT max(seq) FROM signing_keys), 0) + 1
		WHERE coalesce((SELECT id FROM signing_keys ORDER BY seq DESC LIMIT 1), '') = $6`
	replaceKey = "UPDATE signing_keys SET private = $1 WHERE id = $2 AND private = $3"
	deleteKey  = "DELETE FROM signing_keys WHERE id = $1"
)

// AddKey implements [store.Keys].
func (s verbs) AddKey(ctx context.Context, k store.SigningKey, newest string) error {
	add := func(w tx) error {
		n, err := w.exec(insertKey, k.ID, k.Algorithm, k.Private, store.Micros(k.CreatedAt), store.Micros(k.SignsAt), newest)
		if err == nil && n == 0 {
			return store.ErrConflict
		}
		return err
	}
	return s.commit(ctx, change{single: true, do: add, verdict: s.keyWritten(k.ID, nil, k.Private)})
}

// SigningKeys implements [store.Keys].
func (s verbs) SigningKeys(ctx context.Context) (keys []store.SigningKey, err error) {
	err = s.each(ctx, selectKeys, nil, func(r row) error {
		var k store.SigningKey
		var created, signs int64
		if err := r.Scan(&k.ID, &k.Algorithm, &k.Private, &created, &signs); err != nil {
			return err
		}
		k.CreatedAt, k.SignsAt = store.FromMicros(created), store.FromMicros(signs)
		keys = append(keys, k)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("signing keys: %w", err)
	}
	return keys, nil
}

// ReplaceKey implements [store.Keys].
func (s verbs) ReplaceKey(ctx context.Context, id string, old, sealed []byte) error {
	replace := func(w tx) error {
		n, err := w.exec(replaceKey, sealed, id, old)
		if err != nil || n == 1 {
			return err
		}
		return conflictIf(w, hasKey, id)
	}
	err := s.commit(ctx, change{single: true, do: replace, verdict: s.keyWritten(id, old, sealed)})
	if err == nil {
		s.forget(ctx)
	}
	return err
}

// DeleteKey implements [store.Keys].
func (s verbs) DeleteKey(ctx context.Context, id string) error {
	remove := func(w tx) error {
		n, err := w.exec(deleteKey, id)
		if err == nil && n == 0 {
			return store.ErrNotFound
		}
		return err
	}
	err := s.commit(ctx, change{single: true, do: remove, verdict: gone})
	if err == nil {
		s.forget(ctx)
	}
	return err
}
