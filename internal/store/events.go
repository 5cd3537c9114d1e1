package store

import (
	"context"
	"time"
)

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
	// Actor is who did it when that was not the user concerned: "apikey:" and the id of an API key, or "cli". Empty else.
	Actor string
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

// Events keeps the audit log.
type Events interface {
	// AppendEvents writes events, all or none; ErrExists when an id is taken. They are durable when it returns.
	AppendEvents(ctx context.Context, events ...Event) error
	// ListEvents returns at most limit events in the order of their ids, from the first id greater than after.
	ListEvents(ctx context.Context, after string, limit int) ([]Event, error)
}
