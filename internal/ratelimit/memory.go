package ratelimit

import (
	"sync"
	"time"
)

const (
	// memorySpan is how long a refusal is given again without a look into the store. What ends a refusal elsewhere, a
	// login from a known device or an unlocking, is seen that much later.
	memorySpan = time.Second
	// memorySize is how many refusals are remembered. One more forgets them all, which costs a look for each.
	memorySize = 16384
)

// memory remembers refusals, so that a flood of them does not become a flood of queries. It is safe for concurrent use.
type memory struct {
	mu       sync.Mutex
	refusals map[string]remembered
}

type remembered struct {
	reason string
	// at is when it was remembered, until when that holds, and end when the wait is over.
	at, until, end time.Time
}

func newMemory() *memory { return &memory{refusals: map[string]remembered{}} }

// remember keeps the refusal for whoever comes under that key.
func (m *memory) remember(key string, r *Refusal) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, found := m.refusals[key]; !found && len(m.refusals) >= memorySize {
		clear(m.refusals)
	}
	m.refusals[key] = remembered{
		reason: r.Reason, at: r.at, until: r.at.Add(min(r.RetryAfter, memorySpan)), end: r.at.Add(r.RetryAfter),
	}
}

// refusal returns the refusal that is remembered under one of the keys, with what is left to wait, or nil.
func (m *memory) refusal(now time.Time, keys ...string) *Refusal {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		r, found := m.refusals[key]
		if !found {
			continue
		}
		if now.Before(r.at) || !now.Before(r.until) { // before: the clock was set back
			delete(m.refusals, key)
			continue
		}
		return &Refusal{RetryAfter: r.end.Sub(now), Reason: r.reason, at: now}
	}
	return nil
}

func (m *memory) forget(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.refusals, key)
}
