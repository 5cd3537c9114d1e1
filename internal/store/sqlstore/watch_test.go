package sqlstore

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

// Two stores have connections of their own, as two processes have.
func TestWatchSeesWhatOthersWrite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	here, there := openThere(t, path), openThere(t, path)
	if _, err := there.FirstSecret(t.Context(), "s", []byte("1")); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	seen, ended := make(chan struct{}, 100), make(chan struct{})
	go func() {
		defer close(ended)
		here.Watch(ctx, func() { seen <- struct{}{} }, slog.New(slog.DiscardHandler))
	}()
	time.Sleep(3 * watchEvery) // the first look has no news
	for _, tt := range []struct {
		name string
		do   func() error
		news bool
	}{
		{"a user", func() error {
			return there.CreateUser(ctx, store.User{ID: "u", EmailKey: "u"}, store.Credential{Data: []byte("d")})
		}, false},
		{"a counter", func() error {
			_, err := there.SwapCounters(ctx, time.Now(), store.Counter{Key: "c", ExpiresAt: time.Now().Add(time.Hour)})
			return err
		}, false},
		{"a revocation", func() error { return there.Revoke(ctx, store.Revocation{Key: "k", ExpiresAt: time.Now()}) }, true},
		{"a key", func() error { return there.AddKey(ctx, store.SigningKey{ID: "k", Private: []byte("p")}, "") }, true},
		{"a key sealed anew", func() error { return there.ReplaceKey(ctx, "k", []byte("p"), []byte("q")) }, true},
		{"no key", func() error { return there.DeleteKey(ctx, "k") }, true},
		{"a secret", func() error { return there.ReplaceSecret(ctx, "s", []byte("1"), []byte("2")) }, true},
	} {
		if err := tt.do(); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		wait := 10 * time.Second
		if !tt.news {
			wait = 3 * watchEvery
		}
		select {
		case <-seen:
			if !tt.news {
				t.Errorf("%s is taken for news", tt.name)
			}
		case <-time.After(wait):
			if tt.news {
				t.Errorf("%s is not seen", tt.name)
			}
		}
	}
	stop()
	<-ended
}

func openThere(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// BenchmarkWatch is what a look costs when nothing has happened, which is what there are ten of a second.
func BenchmarkWatch(b *testing.B) {
	s := openHere(b)
	w := watcher{path: s.path}
	defer w.forget()
	for b.Loop() {
		if fresh, err := w.look(b.Context()); fresh || err != nil {
			b.Fatal(fresh, err)
		}
	}
}
