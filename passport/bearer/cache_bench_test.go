package bearer_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/bearer"
)

// longToken is about as long as those of the server are: 600 bytes.
func longToken(tb testing.TB, subject string) string {
	return token(tb, subject, func(c *jwt.Claims) {
		c.ID, c.IssuedAt = "0190f0a2-5b1c-7c1e-9d53-9b7f6f6b6a01", time.Now()
		c.Extra = map[string]any{
			"sid": "0190f0a2-5b1c-7c1e-9d53-9b7f6f6b6a02", "epoch": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "amr": []string{"pwd"}, "acr": "aal1",
			"auth_time": 1_700_000_000, "roles": []string{"editor", "reader"}, "user": map[string]string{"_id": subject, "email": "mike@example.com"},
		}
	})
}

func BenchmarkCacheHit(b *testing.B) {
	s, _ := cached(b, verifier(b, nil), bearer.CacheConfig[*user]{})
	tok := longToken(b, "0190f0a2-5b1c-7c1e-9d53-9b7f6f6b6a00")
	r := request("/", "Authorization: Bearer "+tok)
	for range 2 {
		if _, err := s.Authenticate(r); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(tok)), "token-bytes")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, _ = s.Authenticate(r)
		}
	})
}

// BenchmarkCacheMiss is what a cache adds to the first request of a token, with a verifier that costs nothing.
func BenchmarkCacheMiss(b *testing.B) {
	tok := &jwt.Token{Subject: "alice", ExpiresAt: time.Now().Add(time.Hour)}
	s, _ := cached(b, verified{tok}, bearer.CacheConfig[*user]{PerSubject: -1})
	text := []byte(longToken(b, "0190f0a2-5b1c-7c1e-9d53-9b7f6f6b6a00"))
	r := request("/")
	b.ReportAllocs()
	for b.Loop() {
		for i, n := len(text)-16, rand.Uint64(); i < len(text); i, n = i+1, n>>4 { // another token
			text[i] = "ABCDEFGHIJKLMNOP"[n&15]
		}
		r.Header["Authorization"] = []string{"Bearer " + string(text)}
		_, _ = s.Authenticate(r)
	}
}

// BenchmarkCacheFlood is a hit and ten requests of somebody with many good tokens, who sends each of them once.
func BenchmarkCacheFlood(b *testing.B) {
	for name, perSubject := range map[string]int{"quota": 0, "no quota": -1} {
		b.Run(name, func(b *testing.B) {
			s, c := cached(b, subjects{}, bearer.CacheConfig[*user]{PerSubject: perSubject})
			r := request("/", "Authorization: Bearer "+tokenOf("alice", 1, 600))
			flood := request("/")
			line := make([]string, 1)
			flood.Header["Authorization"] = line
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				_, _ = s.Authenticate(r)
				for j := range 10 {
					line[0] = "Bearer mallory." + strconv.Itoa(10*i+j)
					_, _ = s.Authenticate(flood)
				}
			}
			stats := c.Stats()
			b.ReportMetric(float64(stats.Hits)/float64(b.N), "hits/op")
			b.ReportMetric(float64(stats.Entries), "entries")
		})
	}
}

// BenchmarkCacheMemory measures what an entry takes, with what a Token holds, and what the cache thinks it does.
func BenchmarkCacheMemory(b *testing.B) {
	v := verifier(b, nil)
	for b.Loop() {
		s, c := cached(b, v, bearer.CacheConfig[*user]{Entries: 1 << 14})
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		length := 0
		for i := range 4000 {
			tok := longToken(b, fmt.Sprintf("0190f0a2-5b1c-7c1e-9d53-9b7f6f6b%04d", i))
			length = len(tok)
			for range 2 {
				if _, err := s.Authenticate(request("/", "Authorization: Bearer "+tok)); err != nil {
					b.Fatal(err)
				}
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		n := float64(c.Stats().Entries)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/entry")
		b.ReportMetric(float64(c.Stats().Bytes)/n, "counted/entry")
		b.ReportMetric(float64(length), "token-bytes")
		runtime.KeepAlive(s)
	}
}

// subjects is a verifier that takes every token, of the subject that it begins with.
type subjects struct{}

func (subjects) Verify(_ context.Context, text string) (*jwt.Token, error) {
	subject, _, _ := strings.Cut(text, ".")
	return &jwt.Token{Issuer: issuer, Subject: subject, ExpiresAt: time.Now().Add(time.Hour)}, nil
}

func BenchmarkCacheHitGuard(b *testing.B) {
	s, _ := cached(b, verifier(b, nil), bearer.CacheConfig[*user]{})
	reg, _ := passport.NewRegistry(passport.Named[*user]{Name: "bearer", Strategy: s})
	g, _ := reg.Any(passport.Options[*user]{}, "bearer")
	h := g.HandlerFunc(func(http.ResponseWriter, *http.Request, passport.Identity[*user]) {})
	r := request("/", "Authorization: Bearer "+longToken(b, "0190f0a2-5b1c-7c1e-9d53-9b7f6f6b6a00"))
	w := discard{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}
