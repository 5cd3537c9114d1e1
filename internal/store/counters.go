package store

import (
	"context"
	"time"
)

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
