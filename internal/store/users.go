package store

import (
	"context"
	"time"
)

// User is a person or thing that can log in.
type User struct {
	// ID is opaque and never changes: a UUIDv7 for a user made here, anything for an imported one.
	ID string
	// Email is the address as it was given, and where mail goes.
	Email string
	// EmailKey is the canonical form of Email. It is unique.
	EmailKey string
	// Roles are what applications let the user do, sorted.
	Roles []string
	// Data is a JSON object that is the user's own, AdminData one that the user may read and never write. Nil stands for
	// an empty one.
	Data, AdminData []byte
	// Epoch is a random text that the user's sessions and tokens carry. Those that carry another one are ended.
	Epoch string
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

// Users keeps users and their credentials.
type Users interface {
	// CreateUser writes a user together with its first credential and with events that tell of it: all or nothing.
	// ErrExists when the id, the address or the credential is taken.
	CreateUser(ctx context.Context, u User, c Credential, events ...Event) error
	// User returns the user of that id.
	User(ctx context.Context, id string) (User, error)
	// UserByEmail returns the user whose canonical address is key.
	UserByEmail(ctx context.Context, key string) (User, error)
	// UpdateUser writes u over the record of its ID if that has u.Version, counts the version up, and writes the
	// revocations: all or nothing.
	UpdateUser(ctx context.Context, u User, revoked ...Revocation) error
	// DeleteUser deletes the user with everything that belongs to it, and writes a revocation of its epoch that expires at
	// until: all or nothing.
	DeleteUser(ctx context.Context, id string, until time.Time) error
}

// Directory lists users.
type Directory interface {
	// ListUsers returns at most limit users in the order of their ids, from the first id greater than after.
	ListUsers(ctx context.Context, after string, limit int) ([]User, error)
	// SearchUsers returns at most limit users whose canonical address begins with prefix, in the order of these addresses,
	// from the first that is greater than after. Both compare bytes.
	SearchUsers(ctx context.Context, prefix, after string, limit int) ([]User, error)
}

// Credentials keeps the credentials of login methods.
type Credentials interface {
	// Credential returns the credential of that method and key.
	Credential(ctx context.Context, method, key string) (Credential, error)
	// AddCredential writes another credential of a user. ErrNotFound when there is no such user, ErrExists when the method and
	// key are taken.
	AddCredential(ctx context.Context, c Credential) error
	// ListCredentials returns the credentials that a user has of that method, in the order of their keys.
	ListCredentials(ctx context.Context, userID, method string) ([]Credential, error)
	// DeleteCredential deletes the credential of c.Method and c.Key if it belongs to c.UserID, whatever its version; else
	// ErrNotFound. It ends no session.
	DeleteCredential(ctx context.Context, c Credential) error
	// UpdateCredential writes c over the record of its Method and Key if that has c.Version and c.UserID,
	// and counts the version up.
	UpdateCredential(ctx context.Context, c Credential) error
	// ChangeCredential does what UpdateCredential does and ends the sessions of the user, as EndSessions does, but for the
	// one whose id is keep, if any: all or nothing.
	ChangeCredential(ctx context.Context, c Credential, keep string, until time.Time) error
}

// Candidate is what there is when somebody wants to log in. Credential and User are empty when nobody has that credential.
type Candidate struct {
	Credential Credential
	User       User
	Counters   []Counter
}

// Logins reads in one step what an attempt to log in needs.
type Logins interface {
	// Candidate returns the credential of that method and key with its user and, as Counters does, the counters of these keys.
	Candidate(ctx context.Context, method, key string, now time.Time, counters ...string) (Candidate, error)
}
