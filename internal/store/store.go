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
	Versioned
	// Ping reports whether the database answers.
	Ping(ctx context.Context) error
	// Close releases the database. No verb may be called after it.
	Close() error
}

// Sweeper deletes what has expired.
type Sweeper interface {
	// DeleteExpired deletes of each kind of record that expires at most limit that have expired at now, and reports
	// whether there may be more.
	DeleteExpired(ctx context.Context, now time.Time, limit int) (more bool, err error)
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

// Versioned tells of the schema, which has versions.
type Versioned interface {
	// Schema returns the version of the schema, 0 for a database that has none, and the newest that this binary knows. It
	// changes nothing.
	Schema(ctx context.Context) (current, newest int64, err error)
}
