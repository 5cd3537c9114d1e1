package ratelimit

import (
	"cmp"
	"errors"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

// firstWait is the wait after the first failure that is not free.
const firstWait = time.Second

// emptyKeep is how long a counter that has gone back to nothing is kept. A record that were gone at once would begin
// anew at version 1, which a node that has read an earlier version 1 a moment ago could take for that one.
const emptyKeep = time.Hour

// maxSkew is how far a counter's time may lie ahead before it counts as wrong: the clocks of two nodes differ by less.
const maxSkew = time.Minute

// rule says what the failures in a counter mean. It is pure: no clock, no store.
type rule interface {
	// wait returns how long after now the next attempt is let in, and whether it waits for the counter to be forgotten.
	wait(c store.Counter, now time.Time) (d time.Duration, stopped bool)
	// raise returns the counter with n failures more, the last of them now.
	raise(c store.Counter, now time.Time, n int64) store.Counter
	// lower returns the counter with one failure less, whose time is that of the last failure still.
	lower(c store.Counter) store.Counter
}

// elapsed returns how long ago the counter was last raised. It is negative on a node whose clock is a little behind
// that of the node that wrote. More than that is a clock that was set back: the time begins anew.
func elapsed(c store.Counter, now time.Time) time.Duration {
	d := now.Sub(c.LastAt)
	if d < -maxSkew {
		return 0
	}
	return d
}

// ahead reports whether the counter was last raised in what is now the future. As long as that stands, the elapsed time
// does not grow, and nobody would ever have waited long enough.
func ahead(c store.Counter, now time.Time) bool { return c.LastAt.Sub(now) > maxSkew }

// stamp returns the time of a raise: now, or the time that is there if another node wrote it with a clock ahead.
func stamp(c store.Counter, now time.Time) time.Time {
	if c.LastAt.After(now) && !ahead(c, now) {
		return c.LastAt
	}
	return now
}

// within reports whether t is set and less than d ago.
func within(t time.Time, d time.Duration, now time.Time) bool { return !t.IsZero() && now.Sub(t) < d }

// Backoff is the rule for failures in a row: some are free, then the wait before the next doubles from one second up.
type Backoff struct {
	// Free is how many failures cost no wait.
	Free int64
	// MaxWait is the longest wait.
	MaxWait time.Duration
	// Stop is how many failures in a row end all attempts until the counter is cleared or forgotten; 0 is never.
	Stop int64
	// Keep is how long after the last failure all are forgotten.
	Keep time.Duration
}

func (b Backoff) or(d Backoff) Backoff {
	return Backoff{Free: cmp.Or(b.Free, d.Free), MaxWait: cmp.Or(b.MaxWait, d.MaxWait), Stop: cmp.Or(b.Stop, d.Stop), Keep: cmp.Or(b.Keep, d.Keep)}
}

func (b Backoff) validate() error {
	if b.Free < 1 || b.MaxWait < firstWait || b.Stop < 0 || b.Keep < b.MaxWait {
		return errors.New("a Free of 1 or more, a MaxWait of a second or more, a Keep of MaxWait or more, a Stop that is not negative")
	}
	return nil
}

// count returns the failures that are not forgotten.
func (b Backoff) count(c store.Counter, now time.Time) int64 {
	if elapsed(c, now) >= b.Keep {
		return 0
	}
	return c.Count
}

func (b Backoff) wait(c store.Counter, now time.Time) (time.Duration, bool) {
	n := b.count(c, now)
	if b.Stop > 0 && n >= b.Stop {
		return b.Keep - elapsed(c, now), true
	}
	if n < b.Free {
		return 0, false
	}
	wait := b.MaxWait
	if doublings := n - b.Free; doublings < 32 {
		wait = min(wait, firstWait<<doublings)
	}
	return max(0, wait-elapsed(c, now)), false
}

func (b Backoff) raise(c store.Counter, now time.Time, n int64) store.Counter {
	c.Count = b.count(c, now) + n
	c.LastAt = stamp(c, now)
	c.ExpiresAt = c.LastAt.Add(b.Keep)
	return c
}

func (b Backoff) lower(c store.Counter) store.Counter {
	c.Count = max(0, c.Count-1)
	return c
}

// Bucket is the rule for failures at a rate: each fills it by one, and it leaks. A full one lets nothing in until one
// has leaked. The Count of its counters is not a number of failures but how many milliseconds the bucket would have
// taken to leak empty at LastAt, so that no fraction of a failure gets lost.
type Bucket struct {
	// Size is how many failures it holds before the next has to wait.
	Size int64
	// Leak is the time in which one leaks out.
	Leak time.Duration
	// MaxWait is the longest wait. It is reached only by a bucket that was overfilled.
	MaxWait time.Duration
}

func (b Bucket) or(d Bucket) Bucket {
	return Bucket{Size: cmp.Or(b.Size, d.Size), Leak: cmp.Or(b.Leak, d.Leak), MaxWait: cmp.Or(b.MaxWait, d.MaxWait)}
}

func (b Bucket) validate() error {
	if b.Size < 1 || b.Size > 1e6 || b.Leak < time.Millisecond || b.Leak > day || b.MaxWait < b.Leak {
		return errors.New("a Size of 1 to 1,000,000, a Leak of a millisecond to a day, a MaxWait of Leak or more")
	}
	return nil
}

// level returns how long the bucket takes to leak empty.
func (b Bucket) level(c store.Counter, now time.Time) time.Duration {
	return max(0, time.Duration(c.Count)*time.Millisecond-max(0, elapsed(c, now)))
}

func (b Bucket) wait(c store.Counter, now time.Time) (time.Duration, bool) {
	excess := b.level(c, now) - time.Duration(b.Size-1)*b.Leak
	return max(0, min(excess, b.MaxWait-elapsed(c, now))), false
}

// raise never fills the bucket to more than twice its size: what one bad hour did is over after another.
func (b Bucket) raise(c store.Counter, now time.Time, n int64) store.Counter {
	n = min(n, 2*b.Size)
	level := min(b.level(c, now)+time.Duration(n)*b.Leak, time.Duration(2*b.Size)*b.Leak)
	c.LastAt = stamp(c, now)
	c.Count = int64((level + time.Millisecond - 1) / time.Millisecond)
	c.ExpiresAt = c.LastAt.Add(max(level, emptyKeep))
	return c
}

func (b Bucket) lower(c store.Counter) store.Counter {
	c.Count = max(0, c.Count-b.Leak.Milliseconds())
	return c
}

// cleared returns the counter without its failures.
func cleared(c store.Counter, now time.Time) store.Counter {
	c.Count, c.LastAt, c.ExpiresAt = 0, time.Time{}, now.Add(emptyKeep)
	return c
}

// marked returns the counter without its failures and known from now on.
func marked(c store.Counter, now time.Time, known time.Duration) store.Counter {
	c.Count, c.LastAt, c.KnownAt, c.ExpiresAt = 0, time.Time{}, now, now.Add(max(known, emptyKeep))
	return c
}

// healed returns a counter that lies ahead with its time set to now: the waits begin anew, and end.
func healed(c store.Counter, now time.Time) store.Counter {
	if keep := c.ExpiresAt.Sub(c.LastAt); keep > 0 {
		c.ExpiresAt = now.Add(keep)
	}
	c.LastAt = now
	if c.KnownAt.After(now) {
		c.KnownAt = now
	}
	return c
}
