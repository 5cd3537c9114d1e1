package passport

import (
	"container/heap"
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// SessionStore keeps sessions. Keys are 43 characters of base64url, the hash of what the client holds; data is opaque and
// personal. Methods are called by many goroutines; each is atomic. An error is a technical fault.
type SessionStore interface {
	// Create stores data under a key that was not used before.
	Create(ctx context.Context, key string, data []byte, expires time.Time) error
	// Load returns the data under key. It reports false when there is none, or none that is alive at now.
	Load(ctx context.Context, key string, now time.Time) (data []byte, ok bool, err error)
	// Update replaces the data and the expiry of a key that exists, and reports whether it did. It never creates one:
	// a request that still runs must not bring back a session that was ended.
	Update(ctx context.Context, key string, data []byte, expires time.Time) (ok bool, err error)
	// Delete removes a key. Removing one that is not there is no error.
	Delete(ctx context.Context, key string) error
}

// MemoryStore is a [SessionStore] in memory, for tests and for a single process whose users may log in again after a
// restart. It holds a bounded number of sessions; when it is full, the one that would end first makes place. As sessions
// without a user are short, a flood of them does not push out those with one while any other is left.
type MemoryStore struct {
	mu    sync.Mutex
	max   int
	byKey map[string]*memorySession
	queue expiryQueue
}

type memorySession struct {
	key     string
	data    []byte
	expires time.Time
	index   int // in the queue
}

// NewMemoryStore returns an empty store for at most max sessions; zero or less means 100,000.
func NewMemoryStore(max int) *MemoryStore {
	if max <= 0 {
		max = 100_000
	}
	return &MemoryStore{max: max, byKey: map[string]*memorySession{}}
}

// Create implements [SessionStore].
func (m *MemoryStore) Create(_ context.Context, key string, data []byte, expires time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, dup := m.byKey[key]; dup {
		return errors.New("passport: the session key exists")
	}
	for len(m.byKey) >= m.max {
		m.remove(m.queue[0])
	}
	e := &memorySession{key: key, data: slices.Clone(data), expires: expires}
	m.byKey[key] = e
	heap.Push(&m.queue, e)
	return nil
}

// Load implements [SessionStore]. It also drops everything that has ended at now.
func (m *MemoryStore) Load(_ context.Context, key string, now time.Time) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.queue) > 0 && !now.Before(m.queue[0].expires) {
		m.remove(m.queue[0])
	}
	e, ok := m.byKey[key]
	if !ok {
		return nil, false, nil
	}
	return slices.Clone(e.data), true, nil
}

// Update implements [SessionStore].
func (m *MemoryStore) Update(_ context.Context, key string, data []byte, expires time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.byKey[key]
	if !ok {
		return false, nil
	}
	e.data, e.expires = slices.Clone(data), expires
	heap.Fix(&m.queue, e.index)
	return true, nil
}

// Delete implements [SessionStore].
func (m *MemoryStore) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.byKey[key]; ok {
		m.remove(e)
	}
	return nil
}

// Len returns how many sessions the store holds, ended ones that it has not dropped yet among them.
func (m *MemoryStore) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.byKey)
}

func (m *MemoryStore) remove(e *memorySession) {
	heap.Remove(&m.queue, e.index)
	delete(m.byKey, e.key)
}

// expiryQueue is a heap of sessions, the first to end on top.
type expiryQueue []*memorySession

func (q expiryQueue) Len() int           { return len(q) }
func (q expiryQueue) Less(i, j int) bool { return q[i].expires.Before(q[j].expires) }
func (q expiryQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *expiryQueue) Push(x any) {
	e := x.(*memorySession)
	e.index = len(*q)
	*q = append(*q, e)
}

func (q *expiryQueue) Pop() any {
	old := *q
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return e
}
