package token

import (
	"context"
	"errors"
	"fmt"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/jwt/jwk"
)

// openKeys returns the keys in the store, the newest first. Of several servers that start on an empty store, one makes
// the first key and all use it.
func (s *Service) openKeys(ctx context.Context, keys store.Keys) ([]*jwt.Key, error) {
	records, err := keys.SigningKeys(ctx)
	if err == nil && len(records) == 0 {
		if err = s.firstKey(ctx, keys); err == nil {
			records, err = keys.SigningKeys(ctx)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("signing keys: %w", err)
	}
	s.keys = records
	opened := make([]*jwt.Key, len(records))
	for i, r := range records {
		if opened[i], err = jwt.ParsePKCS8(jwt.Algorithm(r.Algorithm), r.Private, jwt.KeyOptions{ID: r.ID}); err != nil {
			return nil, fmt.Errorf("signing key %s: %w", r.ID, err)
		}
	}
	return opened, nil
}

func (s *Service) firstKey(ctx context.Context, keys store.Keys) error {
	key, err := jwt.GenerateKey(jwt.ES256, jwt.KeyOptions{})
	if err != nil {
		return err
	}
	id, err := jwk.Thumbprint(key)
	if err != nil {
		return err
	}
	private, err := key.MarshalPKCS8()
	if err != nil {
		return err
	}
	now := s.cfg.Now()
	err = keys.AddKey(ctx, store.SigningKey{ID: id, Algorithm: string(key.Algorithm()), Private: private, CreatedAt: now, SignsAt: now}, "")
	if errors.Is(err, store.ErrConflict) {
		return nil // another server was faster
	}
	return err
}

// Keys returns the keys that tokens are verified with, the one that signs first. Under a shared secret there are none.
func (s *Service) Keys() []store.SigningKey { return s.keys }
