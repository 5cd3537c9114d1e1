package bearer

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/countersign-auth/countersign/jwt"
)

// table is where a cache keeps its entries: sets of a few places each, of which the hash of a token chooses one. It is
// read without a lock. Each write concerns one set, and a writer that finds another one there goes away.
//
// An entry keeps its place until it expires: a newcomer takes one that is free, and otherwise none. So nobody can put
// anybody out, and as no entry is good for longer than a minute or so, there is room soon for those who come again.
type table[U any] struct {
	sets     []set[U] // a power of two
	maxAge   int64    // no entry is good for longer, in nanoseconds
	maxBytes int64
	bytes    atomic.Int64
	entries  atomic.Int64
	hand     atomic.Uint64 // where sweep goes on
}

// ways is how many places a set has.
const ways = 8

// set is three cache lines: a reader needs the first and the second, a writer looks at no entry to choose among them.
type set[U any] struct {
	tags  [ways]atomic.Uint32 // bits of the hash of what is in each place
	mu    sync.Mutex          // of writers; nobody waits for it
	_     [24]byte
	place [ways]atomic.Pointer[entry[U]]
	until [ways]int64 // of the entries, for writers; zero where there is none
}

// entry is a token that was found good. It does not change.
type entry[U any] struct {
	text        string
	from, until int64 // when it is good, in nanoseconds since 1970; until is the first when it is not
	token       *jwt.Token
	user        U
	marks       marks
}

func (e *entry[U]) goodAt(now time.Time) bool {
	t := now.UnixNano()
	return e.from <= t && t < e.until
}

// sizeOf estimates what an entry takes that has a token of that length: its text and its claims, the members of which are
// listed, and what is the same for all. It was measured with tokens like those of this module's server.
func sizeOf(length int) int64 { return 1<<10 + 3*int64(length) }

func newTable[U any](entries int, maxBytes int64, maxAge time.Duration) table[U] {
	return table[U]{sets: make([]set[U], powerOfTwo((entries+ways-1)/ways)), maxBytes: maxBytes, maxAge: int64(maxAge)}
}

// powerOfTwo returns the first that is not less than n, which is at least 1.
func powerOfTwo(n int) int { return 1 << bits.Len(uint(n-1)) }

// The low bits of a hash choose the set, the high ones are the tag. A tag of zero is none.
func (t *table[U]) setOf(hash uint64) *set[U] { return &t.sets[hash&uint64(len(t.sets)-1)] }
func tagOf(hash uint64) uint32                { return uint32(hash>>32) | 1 }

// get returns the entry of a token, nil for none.
func (s *set[U]) get(hash uint64, text string) *entry[U] {
	e, _ := s.at(hash, text)
	return e
}

// at returns the entry of a token and the place where it is.
func (s *set[U]) at(hash uint64, text string) (*entry[U], int) {
	tag := tagOf(hash)
	for i := range s.tags {
		if s.tags[i].Load() == tag {
			if e := s.place[i].Load(); e != nil && e.text == text {
				return e, i
			}
		}
	}
	return nil, 0
}

// put takes e in and reports whether there was room: in its set in the place of an entry of the same token, or else in
// one that is free, and below maxBytes.
func (t *table[U]) put(hash uint64, e *entry[U]) bool {
	s := t.setOf(hash)
	if !s.mu.TryLock() {
		return false
	}
	ok, full := t.putLocked(s, hash, e)
	s.mu.Unlock()
	if full {
		t.sweep(e.from)
	}
	return ok
}

func (t *table[U]) putLocked(s *set[U], hash uint64, e *entry[U]) (ok, full bool) {
	old, i := s.at(hash, e.text)
	if old == nil {
		if i = t.free(s, e.from); i < 0 {
			return false, false
		}
		old = s.place[i].Load()
	}
	grown := sizeOf(len(e.text))
	if old != nil {
		grown -= sizeOf(len(old.text))
	}
	if t.bytes.Add(grown) > t.maxBytes && grown > 0 {
		t.bytes.Add(-grown)
		return false, true
	}
	if old == nil {
		t.entries.Add(1)
	}
	s.tags[i].Store(tagOf(hash))
	s.place[i].Store(e)
	s.until[i] = e.until
	return true, false
}

// free returns a place with nothing in it that is good, -1 for none. The set is locked.
func (t *table[U]) free(s *set[U], now int64) int {
	empty := -1
	for i, until := range s.until {
		switch {
		case until == 0:
			empty = i
		case !t.goodAt(until, now):
			return i // which gives its memory back
		}
	}
	return empty
}

// goodAt reports whether an entry that ends at until is good: what ends later than any can was made before the clock was
// set back.
func (t *table[U]) goodAt(until, now int64) bool { return now < until && until <= now+t.maxAge }

// sweep empties the places of what has expired in the next few sets, when there are no bytes left. Each newcomer that
// finds no room has it done once, so room is made as fast as it is asked for.
func (t *table[U]) sweep(now int64) {
	const steps = 8
	from := t.hand.Add(steps) - steps
	for i := range uint64(min(steps, len(t.sets))) {
		s := t.setOf(from + i)
		if s.mu.TryLock() {
			t.emptyLocked(s, now)
			s.mu.Unlock()
		}
	}
}

func (t *table[U]) emptyLocked(s *set[U], now int64) {
	for i := range s.place {
		e := s.place[i].Load()
		if e == nil || t.goodAt(s.until[i], now) {
			continue
		}
		s.place[i].Store(nil)
		s.until[i] = 0
		t.bytes.Add(-sizeOf(len(e.text)))
		t.entries.Add(-1)
	}
}

// doorkeeper knows the tokens that have come once, by bits of their hashes. It forgets those whose place others take.
type doorkeeper []atomic.Uint32

// newDoorkeeper returns the doorkeeper of a cache of so many entries.
func newDoorkeeper(entries int) doorkeeper { return make(doorkeeper, powerOfTwo(4*entries)) }

func (d doorkeeper) at(hash uint64) *atomic.Uint32 { return &d[hash&uint64(len(d)-1)] }
func (d doorkeeper) knows(hash uint64) bool        { return d.at(hash).Load() == tagOf(hash) }
func (d doorkeeper) note(hash uint64)              { d.at(hash).Store(tagOf(hash)) }

// quotas counts what is noted of subjects, in windows of time. A subject is a cell chosen by a hash: the few that share
// one share what they may have.
type quotas struct {
	cells []atomic.Uint64 // a power of two; the window's low 48 bits, then 16 bits of count
	most  uint64
}

// newQuotas returns the quotas of a cache of so many entries; most below zero is no bound.
func newQuotas(entries, most int) quotas {
	if most < 0 {
		return quotas{}
	}
	return quotas{cells: make([]atomic.Uint64, powerOfTwo(entries)), most: uint64(min(most, 1<<16-1))}
}

// take reports whether that subject may have one more in that window, and counts it then. At the border of two windows
// a subject may have twice its quota.
func (q quotas) take(subject uint64, window int64) bool {
	if len(q.cells) == 0 {
		return true
	}
	cell := &q.cells[subject&uint64(len(q.cells)-1)]
	for {
		old := cell.Load()
		count := old & (1<<16 - 1)
		if old>>16 != uint64(window)&(1<<48-1) {
			count = 0
		}
		if count >= q.most {
			return false
		}
		if cell.CompareAndSwap(old, uint64(window)<<16|(count+1)) {
			return true
		}
	}
}
