// Package apikey gives users of the server API keys, which open routes for programs of theirs, and takes them away.
//
// A key is a credential of its owner, of the method "apikey" and with the key's id as its Key; no store knows more of it. It
// has scopes and never a role, and ends with its owner. The secret is shown once, and only its hash is kept: see the public
// package of the same name, which checks it.
package apikey

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/apikey"
)

// Method is the method of the credentials.
const Method = "apikey"

// MaxPerUser is how many keys a user may have, expired ones included.
const MaxPerUser = 50

// ActorPrefix stands before the id of a key that is the actor of an event.
const ActorPrefix = "apikey:"

// Errors of the verbs.
var (
	// ErrNotFound says that the user has no such key, or that there is no such user.
	ErrNotFound = errors.New("apikey: not found")
	// ErrTooMany says that the user has MaxPerUser keys.
	ErrTooMany = errors.New("apikey: too many keys")
)

// Store is what keys are kept in.
type Store interface {
	store.Credentials
	store.Logins
}

// Config is what a Service is made of. Every field but Proxies and Scopes is required.
type Config struct {
	Store Store
	Audit *audit.Log
	// Scopes are those that users may give to their own keys: see [CheckOwnScopes].
	Scopes []string
	// Realm is the realm of challenges.
	Realm   string
	Proxies api.Proxies
	Log     *slog.Logger
	Now     func() time.Time
}

// Service makes, lists, revokes and checks keys. It is safe for concurrent use. Close it when done.
type Service struct {
	Config
	strategy *apikey.Strategy[*passport.Principal]
	guard    *passport.Guard[*passport.Principal]

	mu      sync.Mutex
	closed  bool
	writing map[string]bool // ids of the keys whose last use is being written
	writes  sync.WaitGroup
}

// New returns a Service.
func New(cfg Config) (*Service, error) {
	if cfg.Store == nil || cfg.Audit == nil || cfg.Log == nil || cfg.Now == nil {
		return nil, errors.New("apikey: New needs a store, an audit log, a logger and a clock")
	}
	if err := CheckOwnScopes(cfg.Scopes); err != nil {
		return nil, fmt.Errorf("apikey: %w", err)
	}
	s := &Service{Config: cfg, writing: map[string]bool{}}
	return s, s.openGuard()
}

// Close waits for what is being written of the use of keys.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.writes.Wait()
}

// Wish is a key that is to be made.
type Wish struct {
	// Name tells the owner which key it is.
	Name string
	// Scopes are what it may do; none is a key that says who it belongs to and no more.
	Scopes []string
	// Lifetime is how long it is good; zero is for ever.
	Lifetime time.Duration
}

// Key is what there is to know of a key. Its secret is not.
type Key struct {
	ID        string
	Name      string
	Scopes    []string // sorted
	CreatedAt time.Time
	ExpiresAt time.Time // zero for never
	// LastUsedAt is when the key was used last, to the minute; zero for never.
	LastUsedAt time.Time
}

// Create makes a key and returns its text too, which nobody can read again. The owner, whose Actor is empty, may give fewer scopes
// than others. It returns an [InvalidError] for what cannot be
// wished, ErrTooMany, and ErrNotFound when the owner is not there.
func (s *Service) Create(ctx context.Context, ownerID string, w Wish, by audit.By) (Key, apikey.Key, error) {
	w, err := s.check(w, by)
	if err != nil {
		return Key{}, apikey.Key{}, err
	}
	if err := s.room(ctx, ownerID, 1); err != nil {
		return Key{}, apikey.Key{}, err
	}
	secret, now := apikey.Generate(), s.Now()
	hash := secret.Hash()
	d := data{Hash: hash[:], Name: w.Name, Scopes: w.Scopes}
	if w.Lifetime > 0 {
		d.ExpiresAt = now.Add(w.Lifetime).UTC()
	}
	c := store.Credential{UserID: ownerID, Method: Method, Key: secret.ID(), Data: d.encode(), CreatedAt: now, UpdatedAt: now}
	if err := s.Store.AddCredential(ctx, c); errors.Is(err, store.ErrNotFound) {
		return Key{}, apikey.Key{}, ErrNotFound
	} else if err != nil {
		return Key{}, apikey.Key{}, fmt.Errorf("make an API key: %w", err)
	}
	// Of several that were made at once some may be too many: each looks again now that its own is there for the others to see.
	if err := s.room(ctx, ownerID, 0); err != nil {
		return Key{}, apikey.Key{}, errors.Join(err, s.Store.DeleteCredential(ctx, c))
	}
	s.Audit.Done(ctx, event("created", ownerID, secret.ID(), by))
	return keyOf(c, d), secret, nil
}

// room returns ErrTooMany when there is none for so many more keys.
func (s *Service) room(ctx context.Context, ownerID string, more int) error {
	have, err := s.Store.ListCredentials(ctx, ownerID, Method)
	if err != nil {
		return fmt.Errorf("API keys of a user: %w", err)
	}
	if len(have)+more > MaxPerUser {
		return ErrTooMany
	}
	return nil
}

// List returns the keys of a user, the one made first first.
func (s *Service) List(ctx context.Context, ownerID string) ([]Key, error) {
	credentials, err := s.Store.ListCredentials(ctx, ownerID, Method)
	if err != nil {
		return nil, fmt.Errorf("API keys of a user: %w", err)
	}
	keys := make([]Key, 0, len(credentials))
	for _, c := range credentials {
		d, err := decode(c)
		if err != nil {
			return nil, err
		}
		keys = append(keys, keyOf(c, d))
	}
	slices.SortStableFunc(keys, func(a, b Key) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return keys, nil
}

// Revoke ends a key of a user at once. It returns ErrNotFound when the user has no such key.
func (s *Service) Revoke(ctx context.Context, ownerID, id string, by audit.By) error {
	err := s.Store.DeleteCredential(ctx, store.Credential{UserID: ownerID, Method: Method, Key: id})
	if errors.Is(err, store.ErrNotFound) {
		return ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("revoke an API key: %w", err)
	}
	s.Audit.Done(ctx, event("revoked", ownerID, id, by))
	return nil
}

// event tells of a key, whose id stands where other events have the fingerprint of an address.
func event(reason, ownerID, id string, by audit.By) store.Event {
	e := by.Event(Method, reason, ownerID)
	e.Subject, e.Method = id, Method
	return e
}
