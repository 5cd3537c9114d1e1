package token_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/seal"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/store/sqlstore"
	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/internal/token"
	"github.com/countersign-auth/countersign/jwt"
)

const issuer = "https://auth.example"

var secret = []byte("0123456789abcdef0123456789abcdef")

func newClock() *testkit.Clock { return testkit.ClockAt(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)) }

func box(t testing.TB, fill byte) *seal.Box {
	t.Helper()
	b, err := seal.New(bytes.Repeat([]byte{fill}, seal.Size))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// openStore opens the database at path, as one node does.
func openStore(t testing.TB, path string) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func newStore(t testing.TB) *sqlstore.Store {
	t.Helper()
	return openStore(t, filepath.Join(t.TempDir(), "c.db"))
}

func config(t testing.TB, now func() time.Time) token.Config {
	return token.Config{Issuer: issuer, Audience: "https://api.example", TTL: 15 * time.Minute, Box: box(t, 1), Now: now}
}

func open(t testing.TB, keys store.Keys, cfg token.Config) *token.Service {
	t.Helper()
	s, err := token.Open(t.Context(), keys, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run has s follow the keys until the test ends, and returns what ends it before.
func run(t testing.TB, s *token.Service) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return stop
}

func logTo(b *testkit.Log) *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

func grant() token.Grant {
	return token.Grant{
		User:    store.User{ID: "01998877-0000-7000-8000-000000000000", Email: "mike@example.com", Epoch: "e1"},
		Session: "01998877-0000-7000-8000-000000000001",
	}
}

func mint(t testing.TB, s *token.Service) string {
	t.Helper()
	a, err := s.Mint(grant())
	if err != nil {
		t.Fatal(err)
	}
	return a.Token
}

// good verifies a token that must be good.
func good(t testing.TB, s *token.Service, text string) *jwt.Token {
	t.Helper()
	tok, err := s.Verify(t.Context(), text)
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	return tok
}

// keyOf returns the kid of a token.
func keyOf(t testing.TB, text string) string {
	t.Helper()
	u, err := jwt.DecodeUnverified(text)
	if err != nil {
		t.Fatal(err)
	}
	return u.Header.KeyID
}

// readKeys has s read the keys again.
func readKeys(t testing.TB, s *token.Service) {
	t.Helper()
	if _, err := s.Verify(t.Context(), forge(t, "unknown")); !errors.Is(err, jwt.ErrUnknownKey) {
		t.Fatal(err)
	}
}

// eventually waits for what follows on its own, however busy the machine is.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for range 1500 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("not so within 15 s: %s", what)
}

func states(s *token.Service) string {
	var list []string
	for _, k := range s.Keys() {
		list = append(list, string(k.State))
	}
	return strings.Join(list, " ")
}
