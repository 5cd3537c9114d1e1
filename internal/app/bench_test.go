package app_test

import (
	"net/http"
	"testing"

	"github.com/countersign-auth/countersign/internal/testkit"
)

// discard is a ResponseWriter without a connection.
type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// BenchmarkProfile measures a request to /user/profile from the middleware inwards, without net/http's own work.
func BenchmarkProfile(b *testing.B) {
	for _, c := range []struct{ name, setting string }{
		{"HS256", "jwt.secret=" + testkit.Secret},
		{"ES256", "token_query_parameter=secret_token"},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := testkit.Start(b, c.setting, "access_log=off")
			s.SignUp(b, "mike@example.com")
			handler, err := s.App.Handler()
			if err != nil {
				b.Fatal(err)
			}
			req := s.Request(b, "GET", "/user/profile", "", "Authorization: Bearer "+s.LogIn(b, "mike@example.com"))
			req.RemoteAddr = "127.0.0.1:1234"
			req.Body = http.NoBody
			b.ReportAllocs()
			for b.Loop() {
				handler.ServeHTTP(discard{http.Header{}}, req)
			}
		})
	}
}
