package revocation_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/revocation"
	"github.com/countersign-auth/countersign/internal/store"
)

const sid, epoch = "01949f6e-7f00-7abc-8def-0123456789ab", "4f1c2a9be8d04c6fa1b2c3d4e5f60718"

func BenchmarkEnded(b *testing.B) {
	for _, n := range []int{0, 10_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			set := newSet(b, open(b), revocation.Config{})
			set.Add(revoked(n, time.Now().Add(time.Hour))...)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if set.Ended(sid, epoch) {
						b.Error("ended")
					}
				}
			})
		})
	}
}

// BenchmarkSetMemory reports what an entry takes.
func BenchmarkSetMemory(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, all := open(b), revoked(n, time.Now().Add(time.Hour))
			for range b.N {
				before := heap()
				set := newSet(b, s, revocation.Config{})
				for i := 0; i < n; i += 1000 { // as from the store
					set.Add(all[i : i+1000]...)
				}
				b.ReportMetric(float64(heap()-before)/float64(n), "B/entry")
				b.ReportMetric(0, "B/op")
				runtime.KeepAlive(set)
			}
		})
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func BenchmarkAdd(b *testing.B) {
	set := newSet(b, open(b), revocation.Config{})
	all := revoked(b.N, time.Now().Add(time.Hour))
	b.ReportAllocs()
	b.ResetTimer()
	for i := range all {
		set.Add(all[i])
	}
}

func benchFeed(b *testing.B, n int) (*revocation.Set, *revocation.Feed) {
	set := newSet(b, open(b), revocation.Config{})
	load(b, set)
	set.Add(revoked(n, time.Now().Add(time.Hour))...)
	go set.Run(b.Context())
	return set, newFeed(b, set, signer(signKey(b)), revocation.FeedConfig{})
}

type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// BenchmarkPoll is a poll at which nothing has happened, without the connection.
func BenchmarkPoll(b *testing.B) {
	_, feed := benchFeed(b, 1000)
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, revocation.Path, nil)
	feed.ServeHTTP(w, r)
	r.Header.Set("If-None-Match", w.Header().Get("ETag"))
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		h := http.Header{}
		for pb.Next() {
			clear(h)
			feed.ServeHTTP(discard{h}, r)
		}
	})
}

// BenchmarkBuild is the making of a document.
func BenchmarkBuild(b *testing.B) {
	for _, n := range []int{0, 1000, 50_000, revocation.MaxEntries, 200_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			_, feed := benchFeed(b, n)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				size, err := feed.Build()
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(size), "bytes")
			}
		})
	}
}

// BenchmarkPrune looks at a million, and forgets one or a fifth of them: for so long logouts wait.
func BenchmarkPrune(b *testing.B) {
	const n = 1_000_000
	all := revoked(n, start.Add(time.Hour))
	for _, over := range []int{1, n / 5} {
		b.Run(fmt.Sprint(over), func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				clock := newClock()
				set := newSet(b, open(b), revocation.Config{Now: clock.Now})
				set.Add(all[over:]...)
				for _, r := range all[:over] {
					set.Add(store.Revocation{Key: r.Key, ExpiresAt: clock.Now()})
				}
				clock.Advance(2 * time.Minute)
				b.StartTimer()
				set.Prune()
			}
		})
	}
}

// BenchmarkPollConnection is a poll at which nothing has happened, over connections that stay open, client and all.
func BenchmarkPollConnection(b *testing.B) {
	_, feed := benchFeed(b, 1000)
	server := httptest.NewServer(feed)
	b.Cleanup(server.Close)
	etag := ask(feed, "").Header().Get("ETag")
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	b.SetParallelism(16)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req, _ := http.NewRequestWithContext(b.Context(), http.MethodGet, server.URL, nil)
			req.Header.Set("If-None-Match", etag)
			res, err := client.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			_ = res.Body.Close()
			if res.StatusCode != http.StatusNotModified && res.StatusCode != http.StatusOK {
				b.Error(res.StatusCode)
			}
		}
	})
}
