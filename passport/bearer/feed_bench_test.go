package bearer_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/passport/bearer"
)

const sid, epoch = "01949f6e-7f00-7abc-8def-0123456789ab", "4f1c2a9be8d04c6fa1b2c3d4e5f60718"

// benchKeys returns n keys of sessions that have ended.
func benchKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("01949f6e-0000-7000-8000-%012x", i)
	}
	return keys
}

func benchFeed(b *testing.B, n int) *bearer.Feed {
	server := newFeedServer(b)
	server.serves(signFeed(b, feedKey(), feedClaims(time.Now(), benchKeys(n)...)), "")
	feed := newFeed(b, server.URL, bearer.FeedConfig{MaxStale: time.Hour})
	poll(b, feed)
	return feed
}

// BenchmarkFeedCheck is what a feed adds to a request.
func BenchmarkFeedCheck(b *testing.B) {
	for _, n := range []int{64, 50_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			feed, tok := benchFeed(b, n), held(b, sid, epoch, time.Now())
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := feed.Check(tok); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// BenchmarkFeedDocument is the reading of a document, signature and all.
func BenchmarkFeedDocument(b *testing.B) {
	for _, n := range []int{64, 50_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			feed, doc := benchFeed(b, n), signFeed(b, feedKey(), feedClaims(time.Now(), benchKeys(n)...))
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if err := feed.Take(doc); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkGuardAndVerifyAndFeed(b *testing.B) {
	feed := benchFeed(b, 1000)
	v, tok := verifier(b, nil), token(b, "alice", of(sid, epoch, time.Now()))
	b.Run("without", func(b *testing.B) { bench(b, handler(b, v, bearer.Options{}), "Bearer "+tok) })
	b.Run("with", func(b *testing.B) { bench(b, handler(b, v, bearer.Options{Revocations: feed}), "Bearer "+tok) })
}
