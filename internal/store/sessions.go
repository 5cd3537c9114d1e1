package store

import (
	"context"
	"time"
)

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

// Proof names the credential that a login was proved by, and its version then.
type Proof struct {
	Method, Key string
	Version     int64
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

// Revocation says that tokens are void that carry Key as their session's id or as their user's epoch.
type Revocation struct {
	// Position orders revocations. The store assigns it.
	Position int64
	Key      string
	// ExpiresAt is when no such token can be alive any more.
	ExpiresAt time.Time
}

// Revocations keeps what tells the nodes of a server, and through them other verifiers, which tokens are void.
type Revocations interface {
	// Revoke writes revocations, all or none.
	Revoke(ctx context.Context, revoked ...Revocation) error
	// Revocations returns at most limit revocations in the order of their positions, from the first greater than
	// after. Once it has returned one, no later write gets a position that is not greater.
	Revocations(ctx context.Context, after int64, limit int) ([]Revocation, error)
}
