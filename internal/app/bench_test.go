package app_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/testkit"
)

// discard is a ResponseWriter without a connection.
type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// BenchmarkProfile measures a request to /user/profile from the middleware inwards, without net/http's own work: with a
// token that comes again, and with a new one each time.
func BenchmarkProfile(b *testing.B) {
	for _, c := range []struct{ name, setting string }{
		{"HS256", "jwt.secret=" + testkit.Secret},
		{"ES256", "token_query_parameter=secret_token"},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := testkit.Start(b, c.setting, "access_log=off")
			s.SignUp(b, "mike@example.com")
			benchProfile(b, s, "Bearer "+s.LogIn(b, "mike@example.com"))
		})
	}
	b.Run("HS256 cold", func(b *testing.B) {
		s := testkit.Start(b, "jwt.secret="+testkit.Secret, "access_log=off")
		tokens := make([]string, 1<<16) // when all have come, the first are forgotten
		now := time.Now().Unix()
		for i := range tokens {
			id := fmt.Sprintf("0190f0a2-5b1c-7c1e-9d53-%012x", i)
			tokens[i] = "Bearer " + testkit.Forge(testkit.Secret, `{"alg":"HS256","typ":"JWT"}`, fmt.Sprintf(
				`{"iss":%[1]q,"sub":%[2]q,"aud":%[1]q,"exp":%[3]d,"iat":%[4]d,"jti":%[2]q,"sid":%[2]q,"epoch":"4f1c2a9be8d04c6fa1b2c3d4e5f60718","acr":"aal1","amr":["pwd"],"auth_time":%[4]d,"user":{"_id":%[2]q,"email":"mike@example.com"}}`,
				s.URL, id, now+3600, now))
		}
		benchProfile(b, s, tokens...)
	})
}

func benchProfile(b *testing.B, s *testkit.Server, authorization ...string) {
	handler, err := s.App.Handler()
	if err != nil {
		b.Fatal(err)
	}
	req := s.Request(b, "GET", "/user/profile", "")
	req.RemoteAddr = "127.0.0.1:1234"
	req.Body = http.NoBody
	b.ReportAllocs()
	line := make([]string, 1)
	req.Header["Authorization"] = line
	for i := 0; b.Loop(); i++ {
		line[0] = authorization[i%len(authorization)]
		handler.ServeHTTP(discard{http.Header{}}, req)
	}
}
