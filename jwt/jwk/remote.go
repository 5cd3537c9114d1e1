package jwk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/jwt/fetch"
)

// The bounds and defaults of [RemoteConfig].
const (
	defaultInterval = 30 * time.Second
	minInterval     = time.Second
	defaultMaxAge   = time.Hour
	defaultMaxStale = 24 * time.Hour
	maxMaxStale     = 10 * 365 * 24 * time.Hour // what is longer has no end that could be computed with
)

// RemoteConfig configures [NewRemote]. The zero value is the strict choice.
type RemoteConfig struct {
	// Algorithm is [Options].Algorithm, for keys without "alg".
	Algorithm jwt.Algorithm
	// Interval is the shortest time for which a set is taken to be fresh, whatever the server says, and the time in which all
	// tokens with an unknown "kid" together cause one fetch at most. 0 means 30 seconds; at least a second.
	Interval time.Duration
	// MaxAge is the longest time for which a set is taken to be fresh, whatever the server says. Without a word of the
	// server's it is 5 minutes, or MaxAge if that is less. 0 means an hour; at least Interval.
	MaxAge time.Duration
	// MaxStale is for how long the last good set serves when the server says nothing, or nothing good, any more: then it is
	// as if there had never been one. Long, for an outage should log nobody out; yet a key that was taken from the set
	// because it was stolen counts here for so long, if the thief can keep the server from being heard. 0 means 24 hours;
	// at least MaxAge, and at most ten years.
	MaxStale time.Duration
	// Client asks the server; its redirects are not followed. Nil means one of its own.
	Client *http.Client
	// InsecureAllowHTTP takes an http URL of another host than this one: whoever is on the way can let anybody in.
	InsecureAllowHTTP bool
	// Logger is told when the server cannot be asked, and when it can again. Nil is [slog.Default].
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Remote is a [jwt.KeySet] that a server publishes. It is fetched when a key is asked for first, or before that by
// [Remote.Run] or [Remote.Refresh], and again when it is about to be no longer fresh, while the old set serves. It is safe
// for concurrent use; to find a key costs one atomic load, and nobody waits for anybody but for a fetch that they need.
//
// At most one fetch is under way at a time. Who needs a set while there is none waits for it, no longer than their own
// context and 5 seconds; who names a key that the set has never waits. A token with an unknown "kid" causes one more fetch,
// at most one in an Interval, and waits for that.
//
// A fetch that fails, or that brings what [ParseSet] refuses, no key at all, or a private or secret key, changes nothing: the
// last good set serves on, for MaxStale. The next attempt comes after half a second, and then after twice as long each
// time, to a minute, less up to a fifth at random.
type Remote struct {
	cfg    RemoteConfig
	source *fetch.Source
	idle   func()          // closes the connections of a client of its own
	life   context.Context // of fetches; ends with Close
	end    context.CancelFunc
	state  atomic.Pointer[state]
	flight atomic.Pointer[flight] // nil when nobody is asking
	extra  extra
	counters
}

// extra is when an unknown key ID may cause a fetch again.
type extra struct {
	sync.Mutex
	next int64
}

// state is what is known. It does not change. Times are nanoseconds since 1970, by the clock on the wall: the steady one
// stands still while a machine sleeps.
type state struct {
	set      *set // nil before the first
	etag     string
	at       int64 // of the last good answer
	until    int64 // when the set serves no longer
	next     int64 // when it is to be asked for again
	failures int   // in a row
	err      error // of the last of them; nil without one
	dark     bool  // no set serves, as that fetch found
}

// flight is a fetch that is under way.
type flight struct{ done chan struct{} }

// ErrClosed is wrapped by the error of a [Remote] that would have to ask and was closed.
var ErrClosed = errors.New("jwk: the key set is closed")

// NewRemote returns the key set at url, which is https://host/path, or http where the host is this machine. It asks nobody.
func NewRemote(url string, cfg RemoteConfig) (*Remote, error) {
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("jwk: NewRemote: %w", err)
	}
	idle := func() {}
	if cfg.Client == nil {
		cfg.Client = fetch.NewClient()
		idle = cfg.Client.CloseIdleConnections
	}
	source, err := fetch.New(url, fetch.Config{MaxBytes: maxBytes, Client: cfg.Client, InsecureAllowHTTP: cfg.InsecureAllowHTTP})
	if err != nil {
		return nil, fmt.Errorf("jwk: NewRemote: %w", err)
	}
	r := &Remote{cfg: cfg, source: source, idle: idle}
	r.life, r.end = context.WithCancel(context.Background())
	r.state.Store(&state{})
	return r, nil
}

func (c *RemoteConfig) complete() error {
	if c.Interval == 0 {
		c.Interval = defaultInterval
	}
	if c.MaxAge == 0 {
		c.MaxAge = max(defaultMaxAge, c.Interval)
	}
	if c.MaxStale == 0 {
		c.MaxStale = max(defaultMaxStale, c.MaxAge)
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	switch {
	case c.Interval < minInterval:
		return fmt.Errorf("RemoteConfig.Interval must be at least %v", minInterval)
	case c.MaxAge < c.Interval:
		return errors.New("RemoteConfig.MaxAge must be at least Interval")
	case c.MaxStale < c.MaxAge:
		return errors.New("RemoteConfig.MaxStale must be at least MaxAge")
	case c.MaxStale > maxMaxStale:
		return errors.New("RemoteConfig.MaxStale, which MaxAge and Interval cannot exceed, must be at most ten years")
	case c.Algorithm != "" && (!c.Algorithm.Supported() || c.Algorithm.Symmetric()):
		return errors.New("RemoteConfig.Algorithm must be one with public keys")
	}
	return nil
}

// Keys implements [jwt.KeySet]. The error says that there is no set that serves, or, of a key ID that is in no set seen so
// far, that the server could not be asked: a token that names it may be good.
func (r *Remote) Keys(ctx context.Context, h jwt.Header) ([]*jwt.Key, error) {
	s := r.state.Load()
	now := r.cfg.Now().UnixNano()
	if !s.serves(now) {
		return r.first(ctx, h, s, now)
	}
	if s.due(now) {
		_, _ = r.join() // when it cannot, the old set serves all the same
	}
	if keys := s.set.find(h.KeyID); len(keys) > 0 {
		return keys, nil
	}
	return r.unknown(ctx, h, now)
}

// Holds reports whether key is one of the set that serves now: it is the one that a token was verified with
// ([jwt.Token].Key). A cache of verified tokens asks it, so that they die with their key.
func (r *Remote) Holds(key *jwt.Key) bool {
	s := r.state.Load()
	return key != nil && s.serves(r.cfg.Now().UnixNano()) && s.set.has(key)
}

// first answers while there is no set.
func (r *Remote) first(ctx context.Context, h jwt.Header, s *state, now int64) ([]*jwt.Key, error) {
	if s.err == nil || s.due(now) || r.flight.Load() != nil {
		if err := r.wait(ctx); err != nil {
			return nil, err
		}
		if s = r.state.Load(); s.serves(r.cfg.Now().UnixNano()) {
			return s.set.find(h.KeyID), nil
		}
	}
	return nil, fmt.Errorf("jwk: no key set: %w", s.err)
}

// unknown answers for a key ID that the set does not have: the server may have a new key. An answer that is on its way may have
// been written before that came, so it is waited for, and does not count as asking.
func (r *Remote) unknown(ctx context.Context, h jwt.Header, now int64) ([]*jwt.Key, error) {
	if f := r.flight.Load(); f != nil {
		if err := f.wait(ctx); err != nil {
			return nil, err
		}
		if keys := r.state.Load().set.find(h.KeyID); len(keys) > 0 {
			return keys, nil
		}
	}
	f, err := r.another(now)
	if err != nil {
		return nil, err
	}
	if f != nil {
		if err := f.wait(ctx); err != nil {
			return nil, err
		}
	}
	s := r.state.Load()
	keys := s.set.find(h.KeyID)
	if len(keys) == 0 && s.err != nil {
		return nil, fmt.Errorf("jwk: the key is not in the set of before: %w", s.err)
	}
	return keys, nil
}

// another begins the one fetch in an Interval that unknown key IDs may cause, or returns what is under way; nil for nothing.
func (r *Remote) another(now int64) (*flight, error) {
	r.extra.Lock() // for those who come together wait for the fetch that one of them begins
	defer r.extra.Unlock()
	if now < r.extra.next && now >= r.extra.next-int64(r.cfg.Interval) {
		return r.flight.Load(), nil
	}
	f, err := r.join()
	if err == nil {
		r.extra.next = now + int64(r.cfg.Interval)
	}
	return f, err
}

// Refresh fetches the set now, or waits for the fetch that is under way. What was known stays when it fails.
func (r *Remote) Refresh(ctx context.Context) error {
	if err := r.wait(ctx); err != nil {
		return err
	}
	return r.state.Load().err
}

// Run keeps the set fresh until ctx ends, so that nobody waits for it, also when no key is asked for.
func (r *Remote) Run(ctx context.Context) {
	const pause, nap = 100 * time.Millisecond, time.Minute
	for {
		s, now := r.state.Load(), r.cfg.Now().UnixNano()
		if s.due(now) {
			if r.wait(ctx) != nil {
				return // ctx or the Remote has ended
			}
			continue
		}
		t := time.NewTimer(min(max(time.Duration(s.next-now), pause), nap)) // a nap, for the clock may be set meanwhile
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}

// Close ends a fetch that is under way, and lets no other begin. What is known serves on, for MaxStale.
func (r *Remote) Close() {
	r.end()
	if f := r.flight.Load(); f != nil {
		<-f.done
	}
	r.idle()
}

// serves reports whether there is a set to answer from.
func (s *state) serves(now int64) bool { return s.set != nil && now < s.until }

// due reports whether it is time to ask. A clock that was set back has forgotten when that is.
func (s *state) due(now int64) bool { return now >= s.next || now < s.at }

// wait waits for the fetch that is under way, which it begins if there is none. The error is not that of the fetch.
func (r *Remote) wait(ctx context.Context) error {
	f, err := r.join()
	if err != nil {
		return err
	}
	return f.wait(ctx)
}

func (f *flight) wait(ctx context.Context) error {
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("jwk: waiting for the key set: %w", ctx.Err())
	}
}

// join returns the fetch that is under way, or begins one. It belongs to nobody who waits for it, and goes on without them.
func (r *Remote) join() (*flight, error) {
	if r.life.Err() != nil {
		return nil, ErrClosed
	}
	mine := &flight{done: make(chan struct{})}
	for {
		if f := r.flight.Load(); f != nil {
			return f, nil
		}
		if r.flight.CompareAndSwap(nil, mine) {
			if r.life.Err() != nil { // since; Close does not know of mine
				r.flight.Store(nil)
				close(mine.done)
				return nil, ErrClosed
			}
			go r.fly(mine)
			return mine, nil
		}
	}
}

// fly fetches the set once.
func (r *Remote) fly(f *flight) {
	defer close(f.done)
	defer r.flight.Store(nil)
	was := r.state.Load()
	is := r.fetch(was)
	r.state.Store(is)
	r.report(was, is)
}
