// Package revocation knows which sessions have been ended: in memory, for as long as tokens of theirs could live.
//
// The [Set] follows the store, so that what another node has ended is known here within a second. The [Feed] tells
// services that verify tokens on their own. docs/revocation.md has its format and what it gives away.
package revocation

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

// DefaultPoll is how often the store is asked for what is new.
const DefaultPoll = 250 * time.Millisecond

// Margin is how long a revocation is kept after it has expired, for verifiers whose clocks are slow.
const Margin = time.Minute

// Config is what a [Set] needs beside the store. Its zero value works.
type Config struct {
	// Poll is how often the store is asked; 0 means [DefaultPoll].
	Poll time.Duration
	// Log is told when the store cannot be asked, and when it can again. Nil logs nothing.
	Log *slog.Logger
	// Now is the clock; nil means time.Now. Steady is one that does not jump ahead, by which revocations are forgotten; nil
	// means Now.
	Now, Steady func() time.Time
}

// Set is what has been revoked and could still be used. It is safe for concurrent use; reads take no lock.
//
// It holds all of it, however much that is, because what it did not hold would be valid.
type Set struct {
	store store.Revocations
	cfg   Config
	seed  maphash.Seed

	table   atomic.Pointer[table] // nil while nothing is revoked
	version atomic.Uint64
	checked atomic.Pointer[time.Time] // when the store last told all that it had; nil for never
	failing atomic.Bool
	faults  atomic.Uint64

	mu      sync.Mutex // guards what follows, and the writing of table and version
	entries []entry    // as they came, and so in the order of seen
	soonest uint32     // none of them is over before

	turn     chan struct{} // held by whoever asks the store
	wake     chan struct{} // has something in it when Run is to ask at once
	position int64         // of the last revocation from the store
}

// entry is a revocation. Its times are seconds since 1970.
type entry struct {
	local uint64 // the hash of its key here, in the table
	hash  uint64 // its hash in the feed
	seen  uint32 // when it came: it was written then, or before
	over  uint32 // when no token can live any more that it voids
}

// New returns an empty Set. [Set.Load] fills it, and [Set.Run] keeps it up to date.
func New(s store.Revocations, cfg Config) (*Set, error) {
	switch {
	case s == nil:
		return nil, errors.New("revocation: New needs a store")
	case cfg.Poll < 0:
		return nil, errors.New("revocation: Poll is negative")
	case cfg.Poll == 0:
		cfg.Poll = DefaultPoll
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Steady == nil {
		cfg.Steady = cfg.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Set{store: s, cfg: cfg, seed: maphash.MakeSeed(), turn: make(chan struct{}, 1), wake: make(chan struct{}, 1)}, nil
}

// Ended reports whether a token is void that has this session's id and this user's epoch. An empty one is none.
func (s *Set) Ended(session, epoch string) bool {
	t := s.table.Load()
	if t == nil {
		return false
	}
	return session != "" && t.has(s.local(session)) || epoch != "" && t.has(s.local(epoch))
}

// Version grows with every change that can end a token. What was found out at a version holds as long as that is the
// version.
func (s *Set) Version() uint64 { return s.version.Load() }

// Add takes revocations that have just been written, so that they hold at once, before the store is asked again.
// Their Position is not looked at. One that is known already changes nothing.
func (s *Set) Add(revocations ...store.Revocation) {
	if len(revocations) == 0 {
		return
	}
	now, steady := s.cfg.Now(), s.cfg.Steady()
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := false
	for _, r := range revocations {
		if r.Key != "" && steady.Before(r.ExpiresAt.Add(Margin)) {
			changed = s.add(r, now) || changed
		}
	}
	if changed {
		s.version.Add(1)
	}
}

// add requires mu. It reports whether a token can have been ended.
func (s *Set) add(r store.Revocation, now time.Time) bool {
	e := entry{local: s.local(r.Key), hash: feedHash(r.Key), seen: seconds(now), over: seconds(r.ExpiresAt.Add(Margin)) + 1}
	if n := len(s.entries); n > 0 {
		e.seen = max(e.seen, s.entries[n-1].seen) // the clock may have been set back
	}
	t := s.table.Load()
	if t == nil || t.full() {
		t = s.rebuild(len(s.entries) + 1)
	}
	at, added := t.put(e.local, len(s.entries))
	if !added {
		s.entries[at].over = max(s.entries[at].over, e.over)
		return false
	}
	if len(s.entries) == 0 || e.over < s.soonest {
		s.soonest = e.over
	}
	s.entries = append(s.entries, e)
	return true
}

// rebuild requires mu. It makes a table of all entries with room for n.
func (s *Set) rebuild(n int) *table {
	t := newTable(n)
	for i := range s.entries {
		t.put(s.entries[i].local, i)
	}
	s.table.Store(t)
	return t
}

// fewEntries are copied whenever one of them is over. Of more, an eighth must be: logouts wait while they are copied.
const fewEntries = 10_000

// prune forgets what is over.
func (s *Set) prune() {
	now := seconds(s.cfg.Steady())
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.entries) == 0 || now < s.soonest {
		return
	}
	alive, soonest := 0, ^uint32(0)
	for _, e := range s.entries {
		if e.over > now {
			alive, soonest = alive+1, min(soonest, e.over)
		}
	}
	dead := len(s.entries) - alive
	switch {
	case alive == 0:
		s.entries = nil
		s.table.Store(nil)
		return
	case dead == 0: // whatever would have been over lives longer by now
		s.soonest = soonest
		return
	case alive > fewEntries && dead < alive/8:
		return
	}
	kept := make([]entry, 0, alive+alive/8) // anew, so that what many took is given back
	for _, e := range s.entries {
		if e.over > now {
			kept = append(kept, e)
		}
	}
	s.entries, s.soonest = kept, soonest
	s.rebuild(alive)
}

// local returns the hash of a key in this process, never 0. Two keys that share one are as likely as a guessed session.
func (s *Set) local(key string) uint64 { return max(1, maphash.String(s.seed, key)) }

// hashPrefix keeps the hashes of the feed apart from any other use of SHA-256 on the same text.
const hashPrefix = "countersign/rev:"

// feedHash returns what stands for a key in the feed.
func feedHash(key string) uint64 {
	var room [64]byte
	sum := sha256.Sum256(append(append(room[:0], hashPrefix...), key...))
	return binary.BigEndian.Uint64(sum[:EntrySize])
}

// seconds are good from 1970 to 2106.
func seconds(t time.Time) uint32 { return uint32(max(0, min(t.Unix(), 1<<32-2))) }

// Stats is what there is to know about a [Set] for an operator.
type Stats struct {
	// Entries is how many revocations are held.
	Entries int
	// Age is how long ago the store last told all that it had.
	Age time.Duration
	// Faults counts how often it could not be asked.
	Faults uint64
}

// Stats returns the numbers of now.
func (s *Set) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{Entries: len(s.entries), Age: s.Age(), Faults: s.faults.Load()}
}

// Age returns how long ago the store last told all that it had: what other nodes have ended since is not known here.
// Before the first time it is longer than anybody waits.
func (s *Set) Age() time.Duration {
	at := s.checked.Load()
	if at == nil {
		return 1<<63 - 1
	}
	return max(0, s.cfg.Now().Sub(*at))
}

// alive returns the hashes of the newest revocations that are not over, at most limit. Of what voids tokens that were
// issued after since, none is missing; since is 0 when none is missing at all.
func (s *Set) alive(limit int) (hashes []uint64, since uint32, version uint64) {
	now := seconds(s.cfg.Now())
	s.mu.Lock()
	defer s.mu.Unlock()
	hashes = make([]uint64, 0, min(limit, len(s.entries)))
	for i := len(s.entries) - 1; i >= 0; i-- {
		e := s.entries[i]
		if e.over <= now {
			continue
		}
		if len(hashes) == limit { // it was written at e.seen at the latest, and voids no token that is younger
			since = e.seen
			break
		}
		hashes = append(hashes, e.hash)
	}
	return hashes, since, s.version.Load()
}
