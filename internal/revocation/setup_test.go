package revocation_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/revocation"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/store/sqlstore"
	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/jwt"
)

const issuer = "https://auth.example"

var (
	secret = []byte("0123456789abcdef0123456789abcdef")
	start  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

func newClock() *testkit.Clock { return testkit.ClockAt(start) }

// database is a real store in a file, whose connection can be cut.
type database struct {
	*sqlstore.Store
	cut atomic.Bool
}

func (d *database) Revocations(ctx context.Context, after int64, limit int) ([]store.Revocation, error) {
	if d.cut.Load() {
		return nil, errors.New("no route to the database")
	}
	return d.Store.Revocations(ctx, after, limit)
}

func open(t testing.TB) *database { return openAt(t, filepath.Join(t.TempDir(), "c.db")) }

func openAt(t testing.TB, path string) *database {
	t.Helper()
	s, err := sqlstore.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &database{Store: s}
}

// user makes a user of that id and epoch.
func user(t testing.TB, s store.Store, id, epoch string) {
	t.Helper()
	u := store.User{ID: id, Email: id + "@example.com", EmailKey: id + "@example.com", Epoch: epoch, CreatedAt: start, UpdatedAt: start}
	if err := s.CreateUser(t.Context(), u, store.Credential{UserID: id, Method: "password", Key: id, Data: []byte("x"), CreatedAt: start, UpdatedAt: start}); err != nil {
		t.Fatal(err)
	}
}

// session opens a session of a user.
func session(t testing.TB, s store.Store, user, id string) {
	t.Helper()
	x := store.Session{ID: id, UserID: user, Epoch: "e-" + user, Generation: 1, AuthAt: start, CreatedAt: start, LastUsedAt: start, ExpiresAt: start.AddDate(1, 0, 0)}
	if _, err := s.CreateSession(t.Context(), store.Opening{Session: x}); err != nil {
		t.Fatal(err)
	}
}

// end ends a session and has its revocation live until then.
func end(t testing.TB, s store.Store, user, id string, until time.Time) {
	t.Helper()
	if n, err := s.EndSessions(t.Context(), user, store.Which{Only: id}, until); err != nil || n != 1 {
		t.Fatalf("%d sessions ended: %v", n, err)
	}
}

func newSet(t testing.TB, s store.Revocations, cfg revocation.Config) *revocation.Set {
	t.Helper()
	set, err := revocation.New(s, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func load(t testing.TB, s *revocation.Set) {
	t.Helper()
	if err := s.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func revoked(n int, until time.Time) []store.Revocation {
	all := make([]store.Revocation, n)
	for i := range all {
		all[i] = store.Revocation{Key: fmt.Sprintf("01949f6e-0000-7000-8000-%012x", i), ExpiresAt: until}
	}
	return all
}

func signKey(t testing.TB) *jwt.Key {
	t.Helper()
	k, err := jwt.GenerateKey(jwt.ES256, jwt.KeyOptions{ID: "k1"})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func signer(k *jwt.Key) revocation.Sign {
	return func(typ string, c jwt.Claims) (string, error) { return jwt.Sign(k, typ, c) }
}

func newFeed(t testing.TB, set *revocation.Set, sign revocation.Sign, cfg revocation.FeedConfig) *revocation.Feed {
	t.Helper()
	cfg.Issuer, cfg.Key = issuer, secret
	f, err := revocation.NewFeed(set, sign, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
