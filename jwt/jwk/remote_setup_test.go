package jwk_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/jwt/jwk"
)

// keyServer is a server whose key set is what a test wants.
type keyServer struct {
	*httptest.Server
	answer atomic.Pointer[http.HandlerFunc]
	asked  atomic.Int64
	// atOnce is how many requests there were at one time, at the most.
	running, atOnce atomic.Int64
}

func newKeyServer(t testing.TB) *keyServer {
	s := &keyServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		n := s.running.Add(1)
		defer s.running.Add(-1)
		for most := s.atOnce.Load(); n > most && !s.atOnce.CompareAndSwap(most, n); most = s.atOnce.Load() {
		}
		(*s.answer.Load())(w, r)
	}))
	s.down()
	t.Cleanup(s.Close)
	return s
}

func (s *keyServer) says(h http.HandlerFunc) { s.answer.Store(&h) }
func (s *keyServer) down() {
	s.says(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
}

// serves answers with that body, and header fields as name, value.
func (s *keyServer) serves(body string, header ...string) {
	s.says(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		_, _ = w.Write([]byte(body))
	})
}

// publishes serves these keys.
func (s *keyServer) publishes(keys ...*jwt.Key) {
	s.serves(string(must(jwk.MarshalSet(keys...))), "Cache-Control", "max-age=300")
}

// someKeys are a few keys, made once.
var someKeys = sync.OnceValue(func() []*jwt.Key {
	var keys []*jwt.Key
	for _, id := range []string{"a", "b", "c"} {
		keys = append(keys, must(jwt.GenerateKey(jwt.ES256, jwt.KeyOptions{ID: id})))
	}
	return keys
})

type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.nanos.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.nanos.Load()) }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

func remote(t testing.TB, url string, cfg jwk.RemoteConfig) *jwk.Remote {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	r, err := jwk.NewRemote(url, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// found returns the IDs of what a set has for a key ID, "!" for an error.
func found(t testing.TB, r *jwk.Remote, id string) string {
	keys, err := r.Keys(t.Context(), jwt.Header{KeyID: id})
	if err != nil {
		return "!"
	}
	var ids string
	for _, k := range keys {
		ids += k.ID()
	}
	return ids
}

// becomes waits for what a set has.
func becomes(t testing.TB, r *jwk.Remote, id, want string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		got := found(t, r, id)
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%q is %q, not %q: %+v", id, got, want, r.Stats())
		}
	}
}
