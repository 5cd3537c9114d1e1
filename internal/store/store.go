// Package store is the contract between the server and its database: records, atomic verbs and sentinel errors.
//
// A store keeps what it is given, byte for byte. It knows no policy and reads no clock: every time comes in as an
// argument or in a record. Each verb is atomic for itself, and no transaction reaches outside a verb, so that a single
// MongoDB node can fulfil the contract too. The suite in storetest says in code what is said here in words.
package store

import (
	"context"
	"errors"
	"time"
)

// Sentinels. A store returns them so that errors.Is finds them; any other error is a technical fault.
var (
	// ErrNotFound says that no such record exists.
	ErrNotFound = errors.New("store: not found")
	// ErrExists says that a unique value is taken: an id, an address, a credential's method and key.
	ErrExists = errors.New("store: exists")
	// ErrConflict says that the record has another version than the one given: somebody was faster.
	ErrConflict = errors.New("store: version conflict")
)

// User is a person or thing that can log in.
type User struct {
	// ID is opaque and never changes: a UUIDv7 for a user made here, anything for an imported one.
	ID string
	// Email is the address as it was given, and where mail goes.
	Email string
	// EmailKey is the canonical form of Email. It is unique.
	EmailKey string
	// DisabledAt is when the user was disabled; zero for a user who may log in.
	DisabledAt time.Time
	CreatedAt  time.Time
	UpdatedAt  time.Time
	// Version counts updates. A new record has 1.
	Version int64
}

// Disabled reports whether the user may not log in.
func (u User) Disabled() bool { return !u.DisabledAt.IsZero() }

// Credential is what a login method keeps to know a user again. (Method, Key) is unique.
type Credential struct {
	UserID string
	// Method is the name of the login method that owns the credential.
	Method string
	// Key is what the method looks the credential up by.
	Key string
	// Data belongs to the method; no store looks into it.
	Data      []byte
	CreatedAt time.Time
	UpdatedAt time.Time
	// Version counts updates. A new record has 1.
	Version int64
}

// SigningKey is a key that signs tokens.
type SigningKey struct {
	ID        string
	Algorithm string
	// Private is the key in PKCS #8.
	Private   []byte
	CreatedAt time.Time
}

// Users keeps users and their credentials.
type Users interface {
	// CreateUser writes a user together with its first credential: both or neither.
	// ErrExists when the id, the address or the credential is taken.
	CreateUser(ctx context.Context, u User, c Credential) error
	// User returns the user of that id.
	User(ctx context.Context, id string) (User, error)
	// UserByEmail returns the user whose canonical address is key.
	UserByEmail(ctx context.Context, key string) (User, error)
	// UpdateUser writes u over the record of its ID if that has u.Version, and counts the version up.
	UpdateUser(ctx context.Context, u User) error
	// DeleteUser deletes the user with everything that belongs to it.
	DeleteUser(ctx context.Context, id string) error
}

// Directory lists users.
type Directory interface {
	// ListUsers returns at most limit users in the order of their ids, from the first id greater than after.
	ListUsers(ctx context.Context, after string, limit int) ([]User, error)
}

// Credentials keeps the credentials of login methods.
type Credentials interface {
	// Credential returns the credential of that method and key.
	Credential(ctx context.Context, method, key string) (Credential, error)
	// UpdateCredential writes c over the record of its Method and Key if that has c.Version and c.UserID,
	// and counts the version up.
	UpdateCredential(ctx context.Context, c Credential) error
}

// Keys keeps the keys that sign tokens.
type Keys interface {
	// FirstKey writes k if there is no key yet. Of several callers at once exactly one writes.
	FirstKey(ctx context.Context, k SigningKey) error
	// SigningKeys returns all keys, the newest first.
	SigningKeys(ctx context.Context) ([]SigningKey, error)
}

// Store is everything that a server keeps.
type Store interface {
	Users
	Directory
	Credentials
	Keys
	// Ping reports whether the database answers.
	Ping(ctx context.Context) error
	// Close releases the database. No verb may be called after it.
	Close() error
}
