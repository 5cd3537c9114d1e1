package ratelimit

import (
	"context"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

// remarkAfter is how old the mark of a known pair may get before a login from a device renews it.
const remarkAfter = day

// Entry is an attempt that was let in and counts as failed. One of Failed, Passed, Withdraw and Abandoned settles it; what is
// called after that does nothing. It belongs to one goroutine.
type Entry struct {
	logins  *Logins // nil when nothing is counted
	names   names
	seen    []store.Counter
	charges []charge
	settled bool
	edits   []edit // what Passing returned the counters of
}

// Failed says that the credential was checked and is wrong. What was counted stays.
func (e *Entry) Failed() { e.settled = true }

// Passed says that the attempt logged in: it was the owner. It clears the failures of the pair or the device, and those of
// strangers at the account if it was one itself, or if they are so many that no stranger is let in; it marks the pair as known, and takes its own count off the address. The other failures of the
// address stay: somebody with an account of his own could clear them after each few guesses at others.
//
// What Passing returned may have been written already: swapped says of each of these counters whether it was.
// An error leaves some of that undone, which is no reason to refuse the login. It goes on when ctx has ended.
func (e *Entry) Passed(ctx context.Context, swapped ...bool) error {
	if e.logins == nil || e.settled {
		return nil
	}
	e.settled = true
	e.logins.refused.forget(e.names.who())
	if len(swapped) == 0 {
		return e.logins.ledger.change(ctx, e.passing())
	}
	return e.logins.ledger.mend(ctx, pick(e.edits, swapped, false))
}

// Passing returns the counters as Passed would write them if nobody else did meanwhile, and the time at which, for whoever
// can write them together with the rest of a login.
func (e *Entry) Passing() (next []store.Counter, now time.Time) {
	if e.logins == nil || e.settled {
		return nil, time.Time{}
	}
	now = e.logins.ledger.now()
	e.edits, next = apply(e.passing(), now)
	return next, now
}

// passing returns what a login does to the counters.
func (e *Entry) passing() []edit {
	known := e.logins.policy.Known
	var edits, rest []edit
	charged := map[string]bool{}
	for _, c := range e.charges {
		charged[c.before.Key] = true
		switch c.before.Key {
		case e.names.account, e.names.device:
			edits = append(edits, edit{seen: c.after, apply: applyCleared})
		case e.names.pair:
			edits = append(edits, edit{seen: c.after, apply: func(c store.Counter, now time.Time) (store.Counter, bool) {
				return marked(c, now, known), true
			}})
		default:
			rest = append(rest, undo([]charge{c})...)
		}
	}
	for _, c := range e.seen {
		switch {
		case charged[c.Key]:
		case c.Key == e.names.account:
			// Strangers are not let in again because the owner came: they could watch for it, and an account that does
			// not exist has no owner. Only the end of the row ends with it.
			if stop := e.logins.policy.Account.Stop; c.Count >= stop {
				edits = append(edits, edit{seen: c, apply: applyCleared})
			}
		case c.Key == e.names.device:
			edits = append(edits, edit{seen: c, apply: applyCleared})
		case c.Key == e.names.pair: // the login of a device: the address is the owner's, for the day without the cookie
			edits = append(edits, edit{seen: c, apply: func(c store.Counter, now time.Time) (store.Counter, bool) {
				return marked(c, now, known), c.Count == 0 && !within(c.KnownAt, remarkAfter, now)
			}})
		}
	}
	return append(edits, rest...)
}

// Withdraw says that no credential was checked: the queue was full, the client went away, something broke. All that was
// counted is taken back. It goes on when ctx has ended.
func (e *Entry) Withdraw(ctx context.Context) error {
	if e.logins == nil || e.settled {
		return nil
	}
	e.settled = true
	return e.logins.ledger.change(ctx, undo(e.charges))
}

// Abandoned says that the client hung up before the credential was checked. It is Withdraw, but for the address: hanging up
// must not be a way to have the server work for nothing. It goes on when ctx has ended.
func (e *Entry) Abandoned(ctx context.Context) error {
	if e.logins == nil || e.settled {
		return nil
	}
	e.settled = true
	var back []charge
	for _, c := range e.charges {
		if c.reason != ReasonAddress {
			back = append(back, c)
		}
	}
	return e.logins.ledger.change(ctx, undo(back))
}

// Weigh makes a failure count extra times more at its address, as [Spray] advises. It may follow Failed.
func (e *Entry) Weigh(ctx context.Context, extra int64) error {
	if e.logins == nil || extra <= 0 {
		return nil
	}
	var edits []edit
	for _, c := range e.charges {
		if c.reason == ReasonAddress {
			edits = append(edits, edit{seen: c.after, apply: func(seen store.Counter, now time.Time) (store.Counter, bool) {
				return c.rule.raise(seen, now, extra), true
			}})
		}
	}
	return e.logins.ledger.change(ctx, edits)
}
