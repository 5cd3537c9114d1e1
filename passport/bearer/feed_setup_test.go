package bearer_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport/bearer"
)

// feedServer is a server whose feed says what a test wants.
type feedServer struct {
	*httptest.Server
	answer atomic.Pointer[http.HandlerFunc]
	asked  atomic.Int64
	// condition is the If-None-Match of the last request.
	condition atomic.Pointer[string]
}

func newFeedServer(t testing.TB) *feedServer {
	s := &feedServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		condition := r.Header.Get("If-None-Match")
		s.condition.Store(&condition)
		(*s.answer.Load())(w, r)
	}))
	s.down()
	t.Cleanup(s.Close)
	return s
}

func (s *feedServer) says(h http.HandlerFunc) { s.answer.Store(&h) }
func (s *feedServer) down() {
	s.says(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) })
}

// serves has the server answer with a document, and with 304 to whoever has that one.
func (s *feedServer) serves(body, etag string) {
	s.says(func(w http.ResponseWriter, r *http.Request) {
		if etag != "" {
			w.Header().Set("ETag", etag)
			if r.Header.Get("If-None-Match") == etag {
				w.WriteHeader(http.StatusNotModified)
				return
			}
		}
		w.Header().Set("Content-Type", "application/jwt")
		_, _ = w.Write([]byte(body))
	})
}

// wireEntry is what docs/revocation.md says that an entry is.
func wireEntry(key string, size int) []byte {
	sum := sha256.Sum256([]byte("countersign/rev:" + key))
	return sum[:size]
}

func wireEntries(size int, keys ...string) string {
	var list [][]byte
	for _, k := range keys {
		list = append(list, wireEntry(k, size))
	}
	slices.SortFunc(list, bytes.Compare)
	return base64.RawURLEncoding.EncodeToString(bytes.Join(list, nil))
}

// feedClaims are those of a good document that revokes keys.
func feedClaims(now time.Time, keys ...string) jwt.Claims {
	return jwt.Claims{
		Issuer: issuer, Audience: []string{"countersign:revocations"}, IssuedAt: now, ExpiresAt: now.Add(90 * time.Second), MaxBytes: 1 << 20,
		Extra: map[string]any{"since": 0, "size": 8, "entries": wireEntries(8, keys...)},
	}
}

func signFeed(t testing.TB, k *jwt.Key, c jwt.Claims) string {
	t.Helper()
	s, err := jwt.Sign(k, "revocations+jwt", c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// feedKey is a key of the server: not that of its tokens.
var feedKey = sync.OnceValue(func() *jwt.Key {
	k, err := jwt.GenerateKey(jwt.ES256, jwt.KeyOptions{ID: "k1"})
	if err != nil {
		panic(err)
	}
	return k
})

type feedClock struct{ nanos atomic.Int64 }

func newFeedClock() *feedClock {
	c := &feedClock{}
	c.nanos.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *feedClock) now() time.Time          { return time.Unix(0, c.nanos.Load()) }
func (c *feedClock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

func newFeed(t testing.TB, url string, cfg bearer.FeedConfig) *bearer.Feed {
	t.Helper()
	cfg.Issuer = issuer
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	f, err := bearer.NewFeed(url, jwt.StaticKeys{feedKey().Public()}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func poll(t testing.TB, f *bearer.Feed) {
	t.Helper()
	if err := f.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// held returns a verified token of a session and an epoch, as services get it.
func held(t testing.TB, session, epoch string, at time.Time) *jwt.Token {
	t.Helper()
	tok, err := verifier(t, nil).Verify(context.Background(), token(t, "alice", of(session, epoch, at)))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// of makes a token one of a session.
func of(session, epoch string, at time.Time) func(*jwt.Claims) {
	return func(c *jwt.Claims) {
		c.IssuedAt, c.Extra = at, map[string]any{}
		if session != "" {
			c.Extra["sid"] = session
		}
		if epoch != "" {
			c.Extra["epoch"] = epoch
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func hexBytes(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// forge returns a token of exactly this header and payload, signed by HMAC with SHA-256.
func forge(secret []byte, header, payload string) string {
	enc := base64.RawURLEncoding
	signed := enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString([]byte(payload))
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(signed))
	return signed + "." + enc.EncodeToString(mac.Sum(nil))
}
