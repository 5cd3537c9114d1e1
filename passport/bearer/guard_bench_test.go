package bearer_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/bearer"
)

// principal is the user of a token as an API reads it from one of the server's.
func principal(_ context.Context, tok *jwt.Token) (*passport.Principal, bool, error) {
	p := &passport.Principal{ID: tok.Subject}
	p.Email, _ = tok.String("user", "email")
	p.Session, _ = tok.String("sid")
	p.Roles, _ = tok.Strings("roles")
	p.AuthTime, _ = tok.Time("auth_time")
	return p, true, nil
}

// BenchmarkGuard is what a guard adds to a request: each row but the first less the first. The tokens are HS256 and say what
// those of the server say. "warm" is one token that the cache knows; "cold" are so many, for a small cache, that next to none
// is known when it comes again, and so few that the processor has them at hand, as it has what net/http has just read; "no
// cache" is one token that is verified each time.
func BenchmarkGuard(b *testing.B) {
	tokens := make([]string, 1<<9)
	for i := range tokens {
		tokens[i] = "Bearer " + longToken(b, fmt.Sprintf("0190f0a2-5b1c-7c1e-9d53-%012x", i))
	}
	v := verifier(b, nil)
	plain, err := bearer.NewStrategy(v, principal, bearer.Options{})
	if err != nil {
		b.Fatal(err)
	}
	remembers := func() passport.Strategy[*passport.Principal] {
		c, err := bearer.NewCache(v, principal, bearer.CacheConfig[*passport.Principal]{
			Live: func(*jwt.Token, *passport.Principal) bool { return true }, Entries: 8,
		})
		if err != nil {
			b.Fatal(err)
		}
		s, err := bearer.NewCached(c, bearer.Options{})
		if err != nil {
			b.Fatal(err)
		}
		return s
	}
	b.Run("bare", func(b *testing.B) {
		benchEach(b, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), tokens[:1])
	})
	b.Run("warm", func(b *testing.B) { benchEach(b, guarded(b, remembers()), tokens[:1]) })
	b.Run("cold", func(b *testing.B) { benchEach(b, guarded(b, remembers()), tokens) })
	b.Run("no cache", func(b *testing.B) { benchEach(b, guarded(b, plain), tokens[:1]) })
}

func guarded(b *testing.B, s passport.Strategy[*passport.Principal]) http.Handler {
	reg, err := passport.NewRegistry(passport.Named[*passport.Principal]{Name: "bearer", Strategy: s})
	if err != nil {
		b.Fatal(err)
	}
	g, err := reg.Any(passport.Options[*passport.Principal]{}, "bearer")
	if err != nil {
		b.Fatal(err)
	}
	return g.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if p, ok := passport.UserFrom[*passport.Principal](r.Context()); !ok || p.Email != "mike@example.com" {
			b.Error(p)
		}
	}))
}

// benchEach sends the Authorization lines by turns, from every goroutine at another place of the list.
func benchEach(b *testing.B, h http.Handler, authorization []string) {
	h.ServeHTTP(discard{http.Header{}}, withLine(authorization[0]))
	h.ServeHTTP(discard{http.Header{}}, withLine(authorization[0]))
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		r, w := withLine(""), discard{http.Header{}}
		line := r.Header["Authorization"]
		for i := int(time.Now().UnixNano()); pb.Next(); i++ {
			line[0] = authorization[i&(len(authorization)-1)]
			h.ServeHTTP(w, r)
		}
	})
}

func withLine(authorization string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/profile", nil)
	r.Header.Set("Authorization", authorization)
	return r
}
