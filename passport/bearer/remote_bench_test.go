package bearer_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/bearer"
)

// admin makes a token one of a session like those of the server, of somebody with a role.
func admin(c *jwt.Claims) {
	c.Subject = "0190f0a2-5b1c-7c1e-9d53-9b7f6f6b6a00"
	c.ID = "0190f0a2-5b1c-7c1e-9d53-9b7f6f6b6a01"
	c.Extra = map[string]any{
		"sid": sid, "epoch": epoch, "user": map[string]string{"_id": c.Subject, "email": "mike@example.com"},
		"roles": []string{"admin"}, "auth_time": time.Now().Unix(), "acr": "aal1", "amr": []string{"pwd"},
	}
}

var bare = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

// BenchmarkRemote is the guard of New with RequireRole, before a handler that does nothing; "bare" is that handler alone.
func BenchmarkRemote(b *testing.B) {
	s := newIssuerServer(b)
	shared := bearer.Config{Issuer: s.URL, Secret: secret, FeedURL: s.URL + "/feed"}
	es256, hs256 := s.token("", admin), must(jwt.Sign(key(b, secret), "at+jwt", benchClaims(s.URL)))
	guard := func(cfg bearer.Config) http.Handler {
		return newRemote(b, cfg).Guard().Require(passport.RequireRole("admin")).Handler(bare)
	}
	b.Run("bare", func(b *testing.B) { benchHot(b, bare, es256) })
	b.Run("ES256 warm", func(b *testing.B) { benchHot(b, guard(bearer.Config{Issuer: s.URL}), es256) })
	b.Run("ES256 warm, no feed", func(b *testing.B) { benchHot(b, guard(bearer.Config{Issuer: s.URL, InsecureNoFeed: true}), es256) })
	b.Run("ES256 cold", func(b *testing.B) {
		benchCold(b, bearer.Config{Issuer: s.URL}, func(i int) string { return s.token("", admin, number(i)) })
	})
	shared.FeedURL, shared.InsecureNoFeed = "", true // whose feed would be signed by another key
	b.Run("HS256 warm, no feed", func(b *testing.B) { benchHot(b, guard(shared), hs256) })
	b.Run("HS256 cold", func(b *testing.B) {
		benchCold(b, shared, func(i int) string {
			c := benchClaims(s.URL)
			number(i)(&c)
			return must(jwt.Sign(key(b, secret), "at+jwt", c))
		})
	})
}

func benchClaims(issuer string) jwt.Claims {
	c := jwt.Claims{Issuer: issuer, Audience: []string{audience}, IssuedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}
	admin(&c)
	return c
}

// number makes a token one of many.
func number(i int) func(*jwt.Claims) {
	return func(c *jwt.Claims) { c.ExpiresAt = c.ExpiresAt.Add(time.Duration(i) * time.Second) }
}

func benchHot(b *testing.B, h http.Handler, token string) {
	r := request("/orders", "Authorization: Bearer "+token)
	for range 3 {
		h.ServeHTTP(discard{http.Header{}}, r)
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		w := discard{http.Header{}}
		for pb.Next() {
			h.ServeHTTP(w, r)
		}
	})
}

// benchCold has tokens that are not in the cache: each comes once, and then long after others that take no room.
func benchCold(b *testing.B, cfg bearer.Config, token func(i int) string) {
	const many = 4096
	clock := newFeedClock()
	clock.nanos.Store(time.Now().UnixNano())
	cfg.Now = clock.now
	h := newRemote(b, cfg).Guard().Require(passport.RequireRole("admin")).Handler(bare)
	requests := make([]*http.Request, many)
	for i := range requests {
		requests[i] = request("/orders", "Authorization: Bearer "+token(i))
	}
	w := discard{http.Header{}}
	h.ServeHTTP(w, requests[0])
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		h.ServeHTTP(w, requests[i%many])
	}
}
