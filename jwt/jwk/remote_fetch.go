package jwk

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/countersign-auth/countersign/jwt"
)

// The waits after failures in a row.
const (
	firstBackOff = 500 * time.Millisecond
	maxBackOff   = time.Minute
)

// fetch asks the server, and returns what is known then. Only one goroutine does so at a time.
func (r *Remote) fetch(was *state) *state {
	set, etag, fresh, err := r.ask(was)
	now := r.cfg.Now().UnixNano()
	if err != nil {
		is := *was
		is.err, is.failures = fmt.Errorf("jwk: key set: %w", err), was.failures+1
		is.next = now + int64(backOff(was.failures))
		if is.set == nil {
			is.at = now // for due
		}
		is.dark = !is.serves(now)
		r.errors.Add(1)
		return &is
	}
	return &state{
		set: set, etag: etag, at: now, until: now + int64(r.cfg.MaxStale),
		next: now + int64(ahead(fresh)),
	}
}

func (r *Remote) ask(was *state) (_ *set, etag string, fresh time.Duration, err error) {
	r.fetches.Add(1)
	doc, err := r.source.Get(r.life, was.etag)
	if err != nil {
		return nil, "", 0, err
	}
	fresh = freshness(doc.Header, r.cfg.Interval, r.cfg.MaxAge)
	if doc.NotModified {
		return was.set, was.etag, fresh, nil
	}
	keys, err := ParseSet(doc.Body, Options{Algorithm: r.cfg.Algorithm})
	if err != nil {
		return nil, "", 0, err
	}
	for _, k := range keys {
		if k.CanSign() { // who publishes it lets everybody sign
			return nil, "", 0, errors.New("the set has a private or secret key")
		}
	}
	return newSet(keys, was.set), doc.ETag, fresh, nil
}

// ahead returns when to ask again for what is fresh for so long: after four fifths of it, less a tenth at random, so that
// services that were started together do not ask together.
func ahead(fresh time.Duration) time.Duration {
	d := fresh * 4 / 5
	return d - rand.N(d/8)
}

// backOff returns how long to wait after so many failures before the last.
func backOff(failures int) time.Duration {
	d := min(firstBackOff<<min(failures, 10), maxBackOff)
	return d - rand.N(d/5)
}

// report logs what has changed.
func (r *Remote) report(was, is *state) {
	log := r.cfg.Logger
	switch {
	case r.life.Err() != nil:
	case is.dark && !was.dark:
		log.LogAttrs(context.Background(), slog.LevelError, "key set: none serves: tokens are answered 503", slog.Any("error", is.err))
	case is.err != nil && was.err == nil:
		log.LogAttrs(context.Background(), slog.LevelWarn, "key set: not renewed: the last one serves", slog.Any("error", is.err),
			slog.Duration("for", time.Duration(is.until-r.cfg.Now().UnixNano())))
	case is.err == nil && was.err != nil:
		log.LogAttrs(context.Background(), slog.LevelInfo, "key set: back")
	}
}

// set is the keys of one answer. It does not change.
type set struct {
	all       []*jwt.Key
	byID      map[string][]*jwt.Key // each alone
	anonymous []*jwt.Key
}

// newSet returns the set of keys, with those of old that are the same in their place: tokens that were verified with one
// stay verified.
func newSet(keys []*jwt.Key, old *set) *set {
	s := &set{byID: make(map[string][]*jwt.Key, len(keys))}
	for _, k := range keys {
		if old != nil {
			k = old.same(k)
		}
		s.all = append(s.all, k)
		if k.ID() == "" {
			s.anonymous = append(s.anonymous, k)
		} else {
			s.byID[k.ID()] = []*jwt.Key{k}
		}
	}
	return s
}

// same returns the key of s that is k, or else k.
func (s *set) same(k *jwt.Key) *jwt.Key {
	type equal interface{ Equal(x crypto.PublicKey) bool }
	for _, old := range s.find(k.ID()) {
		public, ok := old.PublicKey().(equal)
		if ok && old.ID() == k.ID() && old.Algorithm() == k.Algorithm() && public.Equal(k.PublicKey()) {
			return old
		}
	}
	return k
}

// find returns the candidates for a token with that key ID, as [jwt.StaticKeys] does.
func (s *set) find(id string) []*jwt.Key {
	if id == "" {
		return s.all
	}
	if keys := s.byID[id]; keys != nil {
		return keys
	}
	return s.anonymous
}

func (s *set) has(key *jwt.Key) bool {
	for _, k := range s.find(key.ID()) {
		if k == key {
			return true
		}
	}
	return false
}

// counters is what a Remote counts.
type counters struct{ fetches, errors atomic.Uint64 }

// RemoteStats is what there is to know about a [Remote] for an operator.
type RemoteStats struct {
	// Fetches counts the requests to the server, and Errors those without a good answer.
	Fetches, Errors uint64
	// LastError is why the last fetch failed; empty when it did not.
	LastError string
	// Age is how long ago the last good answer came, negative when none has.
	Age time.Duration
	// Keys is how many keys serve; 0 when there is no set, or the last one is too old.
	Keys int
}

// Stats returns the numbers of now.
func (r *Remote) Stats() RemoteStats {
	s, now := r.state.Load(), r.cfg.Now().UnixNano()
	stats := RemoteStats{Fetches: r.fetches.Load(), Errors: r.errors.Load(), Age: -1}
	if s.err != nil {
		stats.LastError = s.err.Error()
	}
	if s.set != nil {
		stats.Age = max(0, time.Duration(now-s.at))
	}
	if s.serves(now) {
		stats.Keys = len(s.set.all)
	}
	return stats
}
