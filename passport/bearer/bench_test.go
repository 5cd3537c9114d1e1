package bearer_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/passport/bearer"
)

// verified is a verifier that costs nothing, so that what is measured is the guard.
type verified struct{ token *jwt.Token }

func (v verified) Verify(context.Context, string) (*jwt.Token, error) { return v.token, nil }

type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

func benchHandler(b *testing.B, v bearer.Verifier, e bearer.Extractor) http.Handler {
	alice := &user{"alice"}
	s, err := bearer.NewStrategy(v, func(context.Context, *jwt.Token) (*user, bool, error) { return alice, true, nil }, bearer.Options{Extract: e})
	if err != nil {
		b.Fatal(err)
	}
	reg, err := passport.NewRegistry(passport.Named[*user]{Name: "bearer", Strategy: s})
	if err != nil {
		b.Fatal(err)
	}
	g, err := reg.Any(passport.Options[*user]{}, "bearer")
	if err != nil {
		b.Fatal(err)
	}
	return g.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if u, ok := passport.UserFrom[*user](r.Context()); !ok || u != alice {
			b.Error("not alice")
		}
	}))
}

func bench(b *testing.B, h http.Handler, header string) {
	r := httptest.NewRequest(http.MethodGet, "/profile", nil)
	if header != "" {
		r.Header.Set("Authorization", header)
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			h.ServeHTTP(discard{http.Header{}}, r)
		}
	})
}

func BenchmarkGuardAlone(b *testing.B) {
	bench(b, benchHandler(b, verified{&jwt.Token{}}, bearer.Header()), "Bearer "+token(b, "alice"))
}

func BenchmarkGuardHeaderAndQuery(b *testing.B) {
	bench(b, benchHandler(b, verified{&jwt.Token{}}, bearer.First(bearer.Header(), bearer.Query("secret_token"))), "Bearer "+token(b, "alice"))
}

func BenchmarkGuardAndVerify(b *testing.B) {
	bench(b, benchHandler(b, verifier(b, nil), bearer.Header()), "Bearer "+token(b, "alice"))
}

func BenchmarkVerifyAlone(b *testing.B) {
	v, tok := verifier(b, nil), token(b, "alice")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := v.Verify(b.Context(), tok); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkNoHandler(b *testing.B) {
	bench(b, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), "")
}

func BenchmarkNoToken(b *testing.B) {
	bench(b, benchHandler(b, verified{&jwt.Token{}}, bearer.Header()), "")
}
