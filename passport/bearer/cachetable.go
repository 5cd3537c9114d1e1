package bearer

import (
	"math/bits"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/countersign-auth/countersign/jwt"
)

// table is where a cache keeps its entries: sets of a few places each, of which the hash of a token chooses one. It is
// read without a lock. Each write concerns one set, and a writer that finds another one there goes away.
type table[U any] struct {
	sets      []set[U] // a power of two
	maxAge    int64    // no entry is good for longer, in nanoseconds
	maxBytes  int64
	bytes     atomic.Int64
	entries   atomic.Int64
	evictions atomic.Uint64
	hand      atomic.Uint64 // where sweep goes on
}

// ways is how many places a set has.
const ways = 8

// set is three cache lines: a reader needs the first and the second, a writer looks at no entry to choose among them.
type set[U any] struct {
	tags  [ways]atomic.Uint32 // bits of the hash of what is in each place
	again atomic.Uint32       // a bit for each place: what is there was found again
	mu    sync.Mutex          // of writers; nobody waits for it
	_     [20]byte
	place [ways]atomic.Pointer[entry[U]]
	until [ways]int64 // of the entries, for writers
}

// entry is a token that was found good. It does not change.
type entry[U any] struct {
	text        string
	from, until int64 // when it is good, in nanoseconds since 1970; until is the first when it is not
	token       *jwt.Token
	user        U
}

func (e *entry[U]) goodAt(now time.Time) bool {
	t := now.UnixNano()
	return e.from <= t && t < e.until
}

// sizeOf estimates what an entry takes that has a token of that length: its text, twice what is decoded of it, the members
// of the claims, and what is the same for all. It was measured with the tokens of this module's server.
func sizeOf(length int) int64 { return 1<<10 + 4*int64(length) }

func newTable[U any](entries int, maxBytes int64, maxAge time.Duration) table[U] {
	n := 1 << bits.Len(uint((entries+ways-1)/ways-1))
	return table[U]{sets: make([]set[U], n), maxBytes: maxBytes, maxAge: int64(maxAge)}
}

// The low bits of a hash choose the set, the high ones are the tag.
func (t *table[U]) setOf(hash uint64) *set[U] { return &t.sets[hash&uint64(len(t.sets)-1)] }
func tagOf(hash uint64) uint32                { return uint32(hash >> 32) }

// get returns the entry of a token and the place where it is; nil for none.
func (s *set[U]) get(hash uint64, text string) (*entry[U], int) {
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

// used notes that what is in that place was found again.
func (s *set[U]) used(place int) {
	if bit := uint32(1) << place; s.again.Load()&bit == 0 { // all cores read it: a write only when there is news
		s.again.Or(bit)
	}
}

// put takes e in and reports whether there was room. In its set it takes the place of an entry of the same token, else
// one of an expired entry or a free one, and else, now and then, that of one that nobody has asked for again.
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
	old, i := s.get(hash, e.text)
	if old == nil {
		if i = t.victim(s, e.from); i < 0 {
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
	switch {
	case old == nil:
		t.entries.Add(1)
	case t.goodAt(old.until, e.from) && old.text != e.text:
		t.evictions.Add(1)
	}
	s.tags[i].Store(tagOf(hash))
	s.place[i].Store(e)
	s.until[i] = e.until
	s.again.And(^(uint32(1) << i))
	return true, false
}

// victim returns the place that a newcomer may take, -1 for none. The set is locked.
//
// What came again is safe. What came once gives way in one of eight cases: if it always did, then of more tokens than there
// is room for, which come in turn, none would still be there when it comes again.
func (t *table[U]) victim(s *set[U], now int64) int {
	free := -1
	for i := range s.until {
		switch {
		case s.until[i] == 0:
			free = i
		case !t.goodAt(s.until[i], now):
			return i
		}
	}
	if free >= 0 {
		return free
	}
	if i := rand.IntN(8 * ways); i < ways && s.again.Load()&(1<<i) == 0 {
		return i
	}
	return -1
}

// goodAt reports whether an entry that ends at until is good: what ends later than any can was made before the clock was
// set back.
func (t *table[U]) goodAt(until, now int64) bool { return now < until && until <= now+t.maxAge }

// sweep makes room in a table that has no bytes left: it frees what has expired, and what nobody has asked for again,
// in the next few sets. Each newcomer that finds no room has it done once, so room is made as fast as it is asked for.
func (t *table[U]) sweep(now int64) {
	const steps = 8
	from := t.hand.Add(steps) - steps
	for i := range uint64(min(steps, len(t.sets))) {
		t.free(t.setOf(from+i), now)
	}
}

func (t *table[U]) free(s *set[U], now int64) {
	if !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	again := s.again.Load()
	for i := range s.place {
		good := t.goodAt(s.until[i], now)
		e := s.place[i].Load()
		if e == nil || good && again&(1<<i) != 0 {
			continue
		}
		s.place[i].Store(nil)
		s.until[i] = 0
		t.bytes.Add(-sizeOf(len(e.text)))
		t.entries.Add(-1)
		if good {
			t.evictions.Add(1)
		}
	}
}

// quotas counts what subjects have taken in, in windows of time. A subject is a cell chosen by a hash: the few that share
// one share what they may take.
type quotas struct {
	cells []atomic.Uint64 // a power of two; the window's low 48 bits, then 16 bits of count
	most  uint64
}

// newQuotas returns the quotas of a cache of so many entries; most below zero is no bound.
func newQuotas(entries, most int) quotas {
	if most < 0 {
		return quotas{}
	}
	return quotas{cells: make([]atomic.Uint64, 1<<bits.Len(uint(entries-1))), most: uint64(min(most, 1<<16-1))}
}

// take reports whether that subject may take one more in that window, and counts it then. At the border of two windows
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
