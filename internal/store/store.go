// Package store is the contract between the server and its database: records, atomic verbs and sentinel errors.
//
// A store keeps what it is given, byte for byte. It knows no policy and reads no clock: every time comes in as an
// argument or in a record. Each verb is atomic for itself, and no transaction reaches outside a verb, so that a single
// MongoDB node can fulfil the contract too. The suite in storetest says in code what is said here in words.
package store

import (
	"context"
	"errors"
	"log/slog"
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
	// ErrBusy says that other processes kept the database busy for too long. Nothing was written.
	ErrBusy = errors.New("store: busy")
	// ErrUnavailable says that the database cannot be reached or cannot write: it is down, too slow, full or read-only.
	// What was to be written may have been written all the same, if the verb does not find out that it was not.
	ErrUnavailable = errors.New("store: unavailable")
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

// Proof names the credential that a login was proved by, and its version then.
type Proof struct {
	Method, Key string
	Version     int64
}

// Session is a login that lasts.
type Session struct {
	// ID is a UUIDv7.
	ID     string
	UserID string
	// Epoch is the user's at the login.
	Epoch string
	// Generation counts the refresh tokens that the session has had. The first has 1.
	Generation int64
	// Chain is what the newest refresh tokens are known by. No store looks into it.
	Chain []byte
	// Methods are the ways in which the user has proved who they are (RFC 8176).
	Methods []string
	// Brief says that the session is not to outlive the browser or the day.
	Brief bool
	// Device describes the client as it described itself, and Client is its address, both at the last use.
	Device, Client string
	// AuthAt is when the user proved who they are.
	AuthAt     time.Time
	CreatedAt  time.Time
	LastUsedAt time.Time
	// ExpiresAt is when the session counts as ended and may be deleted.
	ExpiresAt time.Time
}

// Revocation says that tokens are void that carry Key as their session's id or as their user's epoch.
type Revocation struct {
	// Position orders revocations. The store assigns it.
	Position int64
	Key      string
	// ExpiresAt is when no such token can be alive any more.
	ExpiresAt time.Time
}

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

// Account is a user with what belongs to it.
type Account struct {
	User        User
	Credentials []Credential
	Sessions    []Session
}

// Archive moves what a store holds out of it and into another one, as it is.
type Archive interface {
	// Accounts returns at most limit accounts in the order of their users' ids, from the first id greater than after, each with
	// its credentials in the order of method and key and its sessions in that of their ids.
	Accounts(ctx context.Context, after string, limit int) ([]Account, error)
	// AddAccounts writes accounts as they are, versions included, each whole or not at all. Errs has an entry for each: nil, or
	// ErrExists when an id, an address or a credential of it is taken. Err is a technical fault, after which some may be
	// written and others not; to write the same again does no harm.
	AddAccounts(ctx context.Context, accounts ...Account) (errs []error, err error)
	// ListCounters returns at most limit counters in the order of their keys, from the first key greater than after, expired
	// ones among them.
	ListCounters(ctx context.Context, after string, limit int) ([]Counter, error)
	// ListSecrets returns all secrets in the order of their names.
	ListSecrets(ctx context.Context) ([]Secret, error)
}

// Credentials keeps the credentials of login methods.
type Credentials interface {
	// Credential returns the credential of that method and key.
	Credential(ctx context.Context, method, key string) (Credential, error)
	// AddCredential writes another credential of a user. ErrNotFound when there is no such user, ErrExists when the method and
	// key are taken.
	AddCredential(ctx context.Context, c Credential) error
	// UpdateCredential writes c over the record of its Method and Key if that has c.Version and c.UserID,
	// and counts the version up.
	UpdateCredential(ctx context.Context, c Credential) error
	// ChangeCredential does what UpdateCredential does and ends the sessions of the user, as EndSessions does, but for the
	// one whose id is keep, if any: all or nothing.
	ChangeCredential(ctx context.Context, c Credential, keep string, until time.Time) error
}

// Sessions keeps sessions. A session that has expired counts as present until it is deleted: whoever reads one looks at
// its ExpiresAt, and at its Epoch.
type Sessions interface {
	// CreateSession writes a session with what else its login leaves behind. ErrNotFound when there is no such user;
	// ErrConflict when the user is disabled or has another epoch than the session, or when the proof no longer holds. Then
	// nothing is written.
	CreateSession(ctx context.Context, o Opening) (Opened, error)
	// Session returns the session of that id and its user.
	Session(ctx context.Context, id string) (Session, User, error)
	// ListSessions returns the sessions of a user, the one used last first.
	ListSessions(ctx context.Context, userID string) ([]Session, error)
	// RotateSession writes Generation, Chain, Device, Client, LastUsedAt and ExpiresAt of s over the record of its ID if
	// that has the Generation before. Of several callers at once exactly one writes; the others get ErrConflict.
	RotateSession(ctx context.Context, s Session) error
	// EndSessions deletes those sessions of a user that which selects, and writes a revocation of each that expires at
	// until: all or nothing. It says how many they were.
	EndSessions(ctx context.Context, userID string, which Which, until time.Time) (n int, err error)
}

// Opening is a session to be created.
type Opening struct {
	Session Session
	// Proof, if its Method is not empty, names a credential of the user that must be there and have that version.
	Proof Proof
	// Limit is how many sessions the user may have; 0 is no limit. Of more, those used the longest ago are ended, as
	// EndSessions does, but never the new one.
	Limit int
	// Until is when the revocations of those expire.
	Until time.Time
	// Counters are swapped at Now, as SwapCounters does, and Events appended, as AppendEvents does.
	Counters []Counter
	Now      time.Time
	Events   []Event
}

// Opened is what came of an Opening.
type Opened struct {
	// Ended is how many other sessions were ended because of the limit.
	Ended int
	// Swapped says of each counter whether it was written, as SwapCounters does.
	Swapped []bool
}

// Which selects sessions by their ids. The zero value selects all.
type Which struct{ Only, Except string }

// Revocations keeps what tells the nodes of a server, and through them other verifiers, which tokens are void.
type Revocations interface {
	// Revoke writes revocations, all or none.
	Revoke(ctx context.Context, revoked ...Revocation) error
	// Revocations returns at most limit revocations in the order of their positions, from the first greater than
	// after. Once it has returned one, no later write gets a position that is not greater.
	Revocations(ctx context.Context, after int64, limit int) ([]Revocation, error)
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

// Counters keeps counters. A counter whose ExpiresAt is not after now is absent.
type Counters interface {
	// Counters returns the counters of these keys in their order. An absent one has nothing but its Key.
	Counters(ctx context.Context, now time.Time, keys ...string) ([]Counter, error)
	// SwapCounters writes each counter over the record of its Key if that has its Version, 0 being that of an absent
	// or expired one, and counts the version up. Swapped says of each whether it was written: one that was not has another
	// version, and does not keep the others from being written. No two have the same key.
	// If the power fails, the newest swaps may be lost.
	SwapCounters(ctx context.Context, now time.Time, counters ...Counter) (swapped []bool, err error)
}

// Logins reads in one step what an attempt to log in needs.
type Logins interface {
	// Candidate returns the credential of that method and key with its user and, as Counters does, the counters of these keys.
	Candidate(ctx context.Context, method, key string, now time.Time, counters ...string) (Candidate, error)
}

// Candidate is what there is when somebody wants to log in. Credential and User are empty when nobody has that credential.
type Candidate struct {
	Credential Credential
	User       User
	Counters   []Counter
}

// Sweeper deletes what has expired.
type Sweeper interface {
	// DeleteExpired deletes of each kind of record that expires at most limit that have expired at now, and reports
	// whether there may be more.
	DeleteExpired(ctx context.Context, now time.Time, limit int) (more bool, err error)
}

// Events keeps the audit log.
type Events interface {
	// AppendEvents writes events, all or none; ErrExists when an id is taken. They are durable when it returns.
	AppendEvents(ctx context.Context, events ...Event) error
	// ListEvents returns at most limit events in the order of their ids, from the first id greater than after.
	ListEvents(ctx context.Context, after string, limit int) ([]Event, error)
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

// Watcher is a store that knows of the writes of other processes sooner than those who ask again and again.
type Watcher interface {
	// Watch calls changed soon after another process may have written revocations, signing keys or secrets, until ctx ends.
	// It may call it without a reason, and miss some: whoever must not miss any asks again and again all the same. It
	// overcomes faults of the database by itself, and tells log of them.
	Watch(ctx context.Context, changed func(), log *slog.Logger)
}

// Scrubber is a store that keeps what was deleted or replaced until it is told to forget it.
type Scrubber interface {
	// Scrub forgets it. It waits for nobody, and returns ErrBusy when somebody reads or writes just then.
	Scrub(ctx context.Context) error
}

// Examiner is a store that can look for damage in what it keeps.
type Examiner interface {
	// Examine returns a line for each thing that is wrong, none for a database that is whole. It may take long.
	Examine(ctx context.Context) (damage []string, err error)
}

// Versioned is a store whose schema has versions.
type Versioned interface {
	// Schema returns the version of the schema, 0 for a database that has none, and the newest that this binary knows. It
	// changes nothing.
	Schema(ctx context.Context) (current, newest int64, err error)
}

// Store is everything that a server keeps.
type Store interface {
	Users
	Directory
	Archive
	Logins
	Credentials
	Sessions
	Revocations
	Keys
	Counters
	Sweeper
	Events
	Secrets
	// Ping reports whether the database answers.
	Ping(ctx context.Context) error
	// Close releases the database. No verb may be called after it.
	Close() error
}
