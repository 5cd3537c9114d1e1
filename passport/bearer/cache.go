package bearer

import (
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"math/bits"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/countersign-auth/countersign/jwt"
)

// CacheConfig configures [NewCache]. All but Live may be left zero.
type CacheConfig[U any] struct {
	// Live reports whether what the verifier and load said of a token still holds but for its times: its key still
	// verifies, its session has not ended, its user is not disabled. It is asked for every token that comes again, by many
	// goroutines at once, and must not wait for anything. It is asked once more before a token is remembered, so that a
	// token for which it always says false, because its user must be looked up each time, is never remembered at all.
	// It is required: where nothing ends a token before its time, say so by returning true.
	Live func(tok *jwt.Token, user U) bool
	// MaxAge is how long a token is remembered before it is verified and its user loaded anew, however long it is valid:
	// the bound on what Live does not know of. Zero is a minute; at most an hour.
	MaxAge time.Duration
	// Entries is how many tokens are remembered at the most, rounded up to a power of two. Zero is 8,192.
	Entries int
	// Bytes bounds the memory that they take, as estimated from the length of the tokens; what a U points to is not
	// counted. Zero is 24 MiB, which is enough for so many tokens of 640 bytes.
	Bytes int64
	// PerSubject is how many tokens of one subject ("iss" with "sub") may come to be remembered within MaxAge, so that
	// whoever can get many tokens cannot have the cache to himself. Tokens without a subject are not counted. Zero is 64;
	// negative is no bound.
	PerSubject int
	// Now is the clock, the verifier's. Nil is time.Now.
	Now func() time.Time
}

// Cache remembers tokens that were verified, with their users, so that a token that comes again costs neither a signature
// check nor reading its claims nor finding its user. It belongs to one verifier and one load function, and may serve
// several strategies and many goroutines. [NewCached] makes a strategy that uses it.
//
// A strategy with a cache succeeds only where one without would. Tokens are sought by a hash under a random key and then
// compared as a whole. An entry is good from when it was made until the verifier would refuse the token for its times (a
// verifier with a method ValidUntil(*jwt.Token) time.Time, as [jwt.Verifier] has, says when; else until "exp"), for no
// longer than MaxAge, and only as long as Live says so. A clock that is set back makes newer entries wait.
//
// Only what has succeeded is remembered, and only when it comes for the second time: who has no valid token can put
// nothing in, and one that is sent once takes no room. Who has many cannot put the others out, for an entry keeps its place
// until it is MaxAge old, and of one subject only PerSubject come in. What finds no room is not remembered, and costs
// what it would without a cache. No request ever waits for another.
//
// Printing a Cache shows its [CacheStats] as JSON and no token. As an expvar.Var it can be published as it is.
type Cache[U any] struct {
	verifier Verifier
	load     Load[U]
	live     func(*jwt.Token, U) bool
	now      func() time.Time
	maxAge   time.Duration
	deadline func(*jwt.Token) time.Time

	table[U]
	seed   maphash.Seed
	once   doorkeeper
	quotas quotas
	counts [stripes]counts
}

// stripes spreads the counters, for a counter that all cores raise would be what they wait for.
const stripes = 8

type counts struct {
	hits, misses, refused atomic.Uint64
	_                     [40]byte // one cache line each
}

// CacheStats is what a cache has done since it was made, and what is in it.
type CacheStats struct {
	// Hits are the tokens that were found, Misses those that were not and had to be verified.
	Hits, Misses uint64
	// Refused are those of the Misses that were good and for which there was no room: for PerSubject, or because all places
	// were in use.
	Refused uint64
	// Entries are what is in the cache, good or expired, and Bytes their estimated size.
	Entries, Bytes int64
}

// NewCache returns an empty cache for what verifier and load say. Its tables take 48 bytes for each of Entries at once.
func NewCache[U any](verifier Verifier, load Load[U], cfg CacheConfig[U]) (*Cache[U], error) {
	if verifier == nil || isNilPointer(verifier) || load == nil || cfg.Live == nil {
		return nil, errors.New("bearer: NewCache needs a verifier, a load function and CacheConfig.Live")
	}
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	c := &Cache[U]{
		verifier: verifier, load: load, live: cfg.Live, now: cfg.Now, maxAge: cfg.MaxAge,
		seed: maphash.MakeSeed(), table: newTable[U](cfg.Entries, cfg.Bytes, cfg.MaxAge), once: newDoorkeeper(cfg.Entries),
		quotas:   newQuotas(cfg.Entries, cfg.PerSubject),
		deadline: func(t *jwt.Token) time.Time { return t.ExpiresAt },
	}
	if v, ok := verifier.(interface{ ValidUntil(*jwt.Token) time.Time }); ok {
		c.deadline = v.ValidUntil
	}
	return c, nil
}

func (cfg *CacheConfig[U]) setDefaults() error {
	const minute, most = time.Minute, 1 << 24
	if cfg.MaxAge == 0 {
		cfg.MaxAge = minute
	}
	if cfg.Entries == 0 {
		cfg.Entries = 8 << 10
	}
	if cfg.Bytes == 0 {
		cfg.Bytes = 24 << 20
	}
	if cfg.PerSubject == 0 {
		cfg.PerSubject = 64
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	switch {
	case cfg.MaxAge < time.Second || cfg.MaxAge > time.Hour:
		return errors.New("bearer: CacheConfig.MaxAge must be between a second and an hour")
	case cfg.Entries < ways || cfg.Entries > most:
		return fmt.Errorf("bearer: CacheConfig.Entries must be between %d and %d", ways, most)
	case cfg.Bytes < sizeOf(jwt.DefaultMaxBytes):
		return fmt.Errorf("bearer: CacheConfig.Bytes must be at least %d, for one long token", sizeOf(jwt.DefaultMaxBytes))
	}
	return nil
}

// NewCached returns a strategy like that of [NewStrategy], which asks c before c's verifier and load function.
func NewCached[U any](c *Cache[U], opt Options) (*Strategy[U], error) {
	if c == nil {
		return nil, errors.New("bearer: NewCached needs a cache")
	}
	s, err := NewStrategy(c.verifier, c.load, opt)
	if err != nil {
		return nil, err
	}
	s.cache = c
	return s, nil
}

// Known returns whom r comes from if that can be said at once: when s has a cache that remembers the token, the token stands
// in "Authorization: Bearer", and r has neither a query nor a cookie, where another one might be. It is a shortcut for
// routes on which the way through a guard would be most of the work: when it says true, Authenticate succeeds with this user
// and this token. False says nothing. It must not be used in place of a guard that does more than let requests through.
func (s *Strategy[U]) Known(r *http.Request) (user U, tok *jwt.Token, ok bool) {
	const scheme = "Bearer "
	lines := r.Header["Authorization"]
	if s.cache == nil || s.where&(inHeader|elsewhere) != inHeader || len(lines) != 1 || !strings.HasPrefix(lines[0], scheme) ||
		r.URL.RawQuery != "" || len(r.Header["Cookie"]) > 0 {
		return user, nil, false
	}
	e, _, _ := s.cache.find(lines[0][len(scheme):])
	if e == nil || s.ended(e) != nil {
		return user, nil, false
	}
	return e.user, e.token, true
}

// A lookup is what a cache knows of a token before it is verified.
type lookup[U any] struct {
	found *entry[U] // nil when it must be verified
	hash  uint64
	again bool // it has come before, so it is to be remembered if it is good
	begun time.Time
}

func (c *Cache[U]) lookUp(token string) (l lookup[U]) {
	var stale bool
	if l.found, stale, l.hash = c.find(token); l.found == nil {
		l.begun = c.now()
		l.again = stale || c.once.knows(l.hash)
		c.counts[l.hash%stripes].misses.Add(1)
	}
	return l
}

// find returns the entry of a token that is good, nil for none; stale says that there is one that no longer is.
func (c *Cache[U]) find(token string) (e *entry[U], stale bool, hash uint64) {
	if len(token) > jwt.DefaultMaxBytes { // which is never remembered
		return nil, false, 0
	}
	// The end of a token is its signature: who cannot sign cannot choose it, and has nothing from tokens with one hash but
	// that they are sought in one set.
	hash = maphash.String(c.seed, token[max(0, len(token)-64):])
	if e = c.setOf(hash).get(hash, token); e == nil {
		return nil, false, hash
	}
	if !e.goodAt(c.now()) || !c.live(e.token, e.user) {
		return nil, true, hash
	}
	c.counts[hash%stripes].hits.Add(1)
	return e, false, hash
}

// remember takes in a token that was found good, or makes a note of it if it came for the first time. What is kept is
// text itself, which must not be a part of a much longer header.
func (c *Cache[U]) remember(l lookup[U], text string, tok *jwt.Token, user U) {
	if len(text) > jwt.DefaultMaxBytes || !c.live(tok, user) {
		return
	}
	if !l.again {
		if c.admits(tok, l.begun) {
			c.once.note(l.hash)
		} else {
			c.counts[l.hash%stripes].refused.Add(1)
		}
		return
	}
	now, until := c.now(), l.begun.Add(c.maxAge)
	if d := c.deadline(tok); !d.IsZero() && d.Before(until) {
		until = d
	}
	e := &entry[U]{text: text, token: tok, user: user, marks: marksOf(tok), from: now.UnixNano(), until: until.UnixNano()}
	if e.goodAt(now) && !c.put(l.hash, e) { // else it is within the verifier's leeway, or its user was long in loading
		c.counts[l.hash%stripes].refused.Add(1)
	}
}

// admits counts a token of its subject.
func (c *Cache[U]) admits(tok *jwt.Token, now time.Time) bool {
	if tok.Subject == "" {
		return true
	}
	subject := bits.RotateLeft64(maphash.String(c.seed, tok.Issuer), 1) ^ maphash.String(c.seed, tok.Subject)
	return c.quotas.take(subject, now.UnixNano()/int64(c.maxAge))
}

// Stats returns the numbers of now. Taken while requests come in, they may differ by those.
func (c *Cache[U]) Stats() CacheStats {
	s := CacheStats{Entries: c.entries.Load(), Bytes: c.bytes.Load()}
	for i := range c.counts {
		s.Hits += c.counts[i].hits.Load()
		s.Misses += c.counts[i].misses.Load()
		s.Refused += c.counts[i].refused.Load()
	}
	return s
}

// String returns the [CacheStats] as JSON. It makes a Cache an expvar.Var.
func (c *Cache[U]) String() string {
	s := c.Stats()
	return fmt.Sprintf(`{"hits":%d,"misses":%d,"refused":%d,"entries":%d,"bytes":%d}`, s.Hits, s.Misses, s.Refused, s.Entries, s.Bytes)
}

// Format writes [Cache.String] whatever the verb and flags.
func (c *Cache[U]) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }
