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

// Counter counts what happened to one key since it was last cleared, such as the failed logins of an account.
type Counter struct {
	// Key names what is counted. It is opaque to the store.
	Key string
	// Count is the number so far.
	Count int64
	// LastAt is when Count was last raised; zero for never.
	LastAt time.Time
	// KnownAt is when the key last saw a success; zero for never.
	KnownAt time.Time
	// ExpiresAt is when the record counts as absent and may be deleted.
	ExpiresAt time.Time
	// Version counts the writes. 0 stands for a counter that is absent.
	Version int64
}

// Event is a line of the audit log: who did what from where, and what came of it. It never holds a secret.
type Event struct {
	// ID is a UUIDv7, by which events are ordered.
	ID string
	At time.Time
	// Kind is what was attempted: login, signup, …
	Kind string
	// Result is what came of it: ok, failed (checked, and wrong) or refused (not checked).
	Result string
	// Reason is a code that says why.
	Reason string
	// UserID is the user concerned; empty when there is none or none is known.
	UserID string
	// Subject tells attempts at one account from those at another by a keyed fingerprint of what was given as the
	// address: that text itself may be anything, a password typed into the wrong field included.
	Subject string
	// Method is the login method.
	Method string
	// Client is the address of the client as text.
	Client string
	// RequestID finds the request in the log.
	RequestID string
	// Count is how many such things this event stands for; 1 but for refusals, of which a minute makes one event.
	Count int64
	// Chain is room for the hash that will bind an event to the one before it.
	Chain []byte
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

// Counters keeps counters. A counter whose ExpiresAt is not after now is absent.
type Counters interface {
	// Counters returns the counters of these keys in their order. An absent one has nothing but its Key.
	Counters(ctx context.Context, now time.Time, keys ...string) ([]Counter, error)
	// SwapCounters writes each counter over the record of its Key if that has its Version, 0 being that of an absent
	// or expired one, and counts the version up. It takes them in order and ends at the first that has another version, with
	// ErrConflict. N is how many were written; those stay. Each swap is atomic, all together need not be.
	// A crash may lose the newest swaps if the power fails too, and not otherwise.
	SwapCounters(ctx context.Context, now time.Time, counters ...Counter) (n int, err error)
	// DeleteExpiredCounters deletes at most limit counters that have expired at now, and says how many.
	DeleteExpiredCounters(ctx context.Context, now time.Time, limit int) (n int, err error)
}

// Events keeps the audit log.
type Events interface {
	// AppendEvents writes events, all or none. They are durable when it returns.
	AppendEvents(ctx context.Context, events ...Event) error
	// ListEvents returns at most limit events in the order of their ids, from the first id greater than after.
	ListEvents(ctx context.Context, after string, limit int) ([]Event, error)
}

// Secrets keeps the random keys that the nodes of a server share, by name.
type Secrets interface {
	// FirstSecret writes value under that name if there is none yet, and returns what is there then: the same for
	// every caller.
	FirstSecret(ctx context.Context, name string, value []byte) ([]byte, error)
}

// Store is everything that a server keeps.
type Store interface {
	Users
	Directory
	Credentials
	Keys
	Counters
	Events
	Secrets
	// Ping reports whether the database answers.
	Ping(ctx context.Context) error
	// Close releases the database. No verb may be called after it.
	Close() error
}
