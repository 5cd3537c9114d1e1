package store

import (
	"context"
	"time"
)

// SigningKey is a key that signs tokens.
type SigningKey struct {
	ID        string
	Algorithm string
	// Private is the sealed private key or secret. No store looks into it.
	Private   []byte
	CreatedAt time.Time
	// SignsAt is when the key begins to sign. Until then it is only published.
	SignsAt time.Time
}

// Keys keeps the keys that sign tokens.
type Keys interface {
	// AddKey writes k if the key written last has the id newest, or is none and newest is empty. Of several callers at
	// once exactly one writes; the others get ErrConflict. ErrExists when the id is taken.
	AddKey(ctx context.Context, k SigningKey, newest string) error
	// SigningKeys returns all keys, the one written last first.
	SigningKeys(ctx context.Context) ([]SigningKey, error)
	// ReplaceKey writes sealed as the Private of the key of that id, if it is old now; else ErrConflict.
	ReplaceKey(ctx context.Context, id string, old, sealed []byte) error
	// DeleteKey deletes a key.
	DeleteKey(ctx context.Context, id string) error
}

// Secret is a random key, sealed.
type Secret struct {
	Name  string
	Value []byte
}

// Secrets keeps the random keys that the nodes of a server share, by name.
type Secrets interface {
	// FirstSecret writes value under that name if there is none yet, and returns what is there then: the same for
	// every caller.
	FirstSecret(ctx context.Context, name string, value []byte) ([]byte, error)
	// Secret returns the value under that name.
	Secret(ctx context.Context, name string) ([]byte, error)
	// ReplaceSecret writes value under that name, if old is there now; else ErrConflict.
	ReplaceSecret(ctx context.Context, name string, old, value []byte) error
}
