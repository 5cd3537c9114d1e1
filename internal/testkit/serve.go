package testkit

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// Serve returns s with these routes in the place of its own, which are checked in the same way. They are to serve
// /openapi.json too.
func (s *Server) Serve(t testing.TB, routes http.Handler) *Server {
	t.Helper()
	server := httptest.NewServer(routes)
	t.Cleanup(server.Close)
	other := &Server{App: s.App, URL: server.URL, Addr: server.Listener.Addr().String(), Clock: s.Clock}
	other.spec = loadSpec(t, other)
	return other
}
