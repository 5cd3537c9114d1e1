package sqlstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

// clients is how many callers the benchmarks have at a time.
const clients = 64

// benchSessions makes a store of that many users with a session each.
func benchSessions(b *testing.B, n int) (*Store, []store.Session) {
	b.Helper()
	s, now := openHere(b), time.Now()
	sessions := make([]store.Session, n)
	var wg sync.WaitGroup
	for worker := range clients {
		wg.Go(func() {
			for i := worker; i < n; i += clients {
				sessions[i] = benchSession(i, now)
				u := store.User{ID: sessions[i].UserID, Email: "user@example.com", EmailKey: sessions[i].UserID, Epoch: "e", CreatedAt: now, UpdatedAt: now}
				err := s.CreateUser(context.Background(), u, store.Credential{Method: "password", Key: u.ID, Data: make([]byte, 80)})
				if err == nil {
					err = createSession(context.Background(), s, sessions[i], store.Proof{Method: "password", Key: u.ID, Version: 1}, 20, now)
				}
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	return s, sessions
}

func benchSession(i int, now time.Time) store.Session {
	return store.Session{
		ID: fmt.Sprintf("0198f0a2-7c3e-7000-8000-%012d", i), UserID: fmt.Sprintf("user-%012d", i), Epoch: "e", Generation: 1,
		Chain: make([]byte, 160), Methods: []string{"pwd"}, Device: "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
		Client: "2001:db8::1", AuthAt: now, CreatedAt: now, LastUsedAt: now, ExpiresAt: now.Add(time.Hour),
	}
}

// load has clients callers do b.N things, and reports how long they waited.
func load(b *testing.B, do func(i int) error) {
	b.Helper()
	took := make([]time.Duration, b.N)
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range clients {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < b.N; i = int(next.Add(1)) - 1 {
				start := time.Now()
				if err := do(i); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(start)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	slices.SortFunc(took, cmp.Compare[time.Duration])
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(took[len(took)/2]), "p50-ms")
	b.ReportMetric(ms(took[len(took)*99/100]), "p99-ms")
	b.ReportMetric(ms(took[len(took)-1]), "max-ms")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
}

// BenchmarkRefresh does what a refresh of a token asks of the store.
func BenchmarkRefresh(b *testing.B) {
	const n = 10_000
	s, sessions := benchSessions(b, n)
	var mu [n]sync.Mutex
	load(b, func(i int) error {
		mu[i%n].Lock()
		defer mu[i%n].Unlock()
		x, _, err := s.Session(b.Context(), sessions[i%n].ID)
		if err != nil {
			return err
		}
		x.Generation++
		x.LastUsedAt = x.LastUsedAt.Add(time.Second)
		x.ExpiresAt = x.ExpiresAt.Add(time.Second)
		return s.RotateSession(b.Context(), x)
	})
}

func BenchmarkRotateSession(b *testing.B) {
	const n = 10_000
	s, sessions := benchSessions(b, n)
	var mu [n]sync.Mutex
	load(b, func(i int) error {
		mu[i%n].Lock()
		defer mu[i%n].Unlock()
		x := &sessions[i%n]
		x.Generation++
		x.LastUsedAt = x.LastUsedAt.Add(time.Second)
		x.ExpiresAt = x.ExpiresAt.Add(time.Second)
		return s.RotateSession(b.Context(), *x)
	})
}

func BenchmarkSession(b *testing.B) {
	const n = 10_000
	s, sessions := benchSessions(b, n)
	load(b, func(i int) error {
		_, _, err := s.Session(b.Context(), sessions[i%n].ID)
		return err
	})
}

func BenchmarkCreateSession(b *testing.B) {
	const n = 10_000
	s, sessions := benchSessions(b, n)
	load(b, func(i int) error {
		x := sessions[i%n]
		x.ID = fmt.Sprintf("0198f0a3-7c3e-7000-8000-%012d", i)
		x.LastUsedAt = x.LastUsedAt.Add(time.Second)
		return createSession(b.Context(), s, x, store.Proof{Method: "password", Key: x.UserID, Version: 1}, 20, x.ExpiresAt)
	})
}
