package app_test

import (
	"net/http"
	"testing"
)

// BenchmarkForwardAuth measures a question of a proxy from the middleware inwards, without net/http's own work, with a token that
// comes again: by header, as nginx and others ask, and by path, as Envoy does.
func BenchmarkForwardAuth(b *testing.B) {
	s := withRules(b, proxyRules, "access_log=off")
	s.SignUp(b, "mike@example.com")
	token := "Bearer " + s.LogIn(b, "mike@example.com")
	handler, err := s.App.Handler()
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct{ name, uri string }{{"header", "/forward-auth?for=nginx"}, {"path", "/forward-auth/orders/7"}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				req := s.Request(b, http.MethodGet, c.uri, "", "Authorization: "+token, "X-Forwarded-Proto: https",
					"X-Forwarded-Method: GET", "X-Forwarded-Host: app.example.com", "X-Forwarded-Uri: /orders/7?page=2", "Accept: */*", "User-Agent: curl/8")
				req.RequestURI, req.RemoteAddr, req.Body, req.Host = c.uri, "127.0.0.1:1234", http.NoBody, "app.example.com"
				w := discard{http.Header{}}
				for pb.Next() {
					handler.ServeHTTP(w, req)
				}
			})
		})
	}
}
