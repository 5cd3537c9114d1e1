package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

// key returns the n-th key. All are of one time.
func key(n int) store.SigningKey {
	return store.SigningKey{
		ID: fmt.Sprintf("k%d", n), Algorithm: "ES256", Private: []byte{0, byte(n), 0xff}, CreatedAt: day, SignsAt: day.Add(time.Duration(n) * time.Hour),
	}
}

// hasKeys demands that the store has these keys, in this order.
func hasKeys(t *testing.T, s store.Store, want ...store.SigningKey) {
	t.Helper()
	got, err := s.SigningKeys(t.Context())
	if err != nil {
		t.Fatalf("SigningKeys: %v", err)
	}
	same(t, got, want)
}

func add(t *testing.T, s store.Store, k store.SigningKey, newest string) {
	t.Helper()
	if err := s.AddKey(t.Context(), k, newest); err != nil {
		t.Fatalf("AddKey: %v", err)
	}
}

func addKey(t *testing.T, s store.Store) {
	ctx := t.Context()
	want(t, s.AddKey(ctx, key(5), "k4"), store.ErrConflict)
	hasKeys(t, s)
	add(t, s, key(5), "")
	want(t, s.AddKey(ctx, key(6), ""), store.ErrConflict)
	want(t, s.AddKey(ctx, key(6), "K5"), store.ErrConflict)
	want(t, s.AddKey(ctx, key(5), "k5"), store.ErrExists)
	hasKeys(t, s, key(5))
	bare := store.SigningKey{ID: "bare", Private: []byte{0}} // written later, though of an earlier time
	add(t, s, bare, "k5")
	add(t, s, key(4), "bare")
	want(t, s.AddKey(ctx, key(6), "k5"), store.ErrConflict)
	want(t, s.AddKey(ctx, key(6), "bare"), store.ErrConflict)
	want(t, s.AddKey(ctx, bare, "k4"), store.ErrExists)
	hasKeys(t, s, key(4), bare, key(5))
	got, err := s.SigningKeys(ctx)
	if err != nil || got[0].SignsAt.Location() != time.UTC {
		t.Errorf("times come back in %v, want UTC (%v)", got[0].SignsAt.Location(), err)
	}
}

func firstKey(t *testing.T, s store.Store) {
	errs := make([]error, 10)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = s.AddKey(t.Context(), key(i), "") })
	}
	wg.Wait()
	hasKeys(t, s, key(onlyWinner(t, errs, store.ErrConflict)))
}

// keyMakers is about two nodes that rotate at once.
func keyMakers(t *testing.T, s store.Store, another func() store.Store) {
	nodes := []store.Store{s, another()}
	var made []store.SigningKey
	newest := ""
	for round := range 20 {
		errs := make([]error, 10)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { errs[i] = nodes[i%2].AddKey(t.Context(), key(10*round+i), newest) })
		}
		wg.Wait()
		winner := key(10*round + onlyWinner(t, errs, store.ErrConflict))
		made = slices.Insert(made, 0, winner)
		newest = winner.ID
		for _, node := range nodes {
			hasKeys(t, node, made...)
		}
	}
}

func replaceKey(t *testing.T, s store.Store) {
	ctx := t.Context()
	add(t, s, key(1), "")
	add(t, s, key(2), "k1")
	sealed := key(1)
	sealed.Private = []byte("sealed")
	if err := s.ReplaceKey(ctx, "k1", key(1).Private, sealed.Private); err != nil {
		t.Fatal(err)
	}
	hasKeys(t, s, key(2), sealed)
	want(t, s.ReplaceKey(ctx, "k1", key(1).Private, []byte("x")), store.ErrConflict)
	want(t, s.ReplaceKey(ctx, "k2", nil, []byte("x")), store.ErrConflict)
	want(t, s.ReplaceKey(ctx, "k3", key(1).Private, []byte("x")), store.ErrNotFound)
	hasKeys(t, s, key(2), sealed)

	errs := make([]error, 10)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = s.ReplaceKey(ctx, "k1", sealed.Private, []byte{byte(i)}) })
	}
	wg.Wait()
	sealed.Private = []byte{byte(onlyWinner(t, errs, store.ErrConflict))}
	hasKeys(t, s, key(2), sealed)
}

func deleteKey(t *testing.T, s store.Store) {
	ctx := t.Context()
	add(t, s, key(1), "")
	add(t, s, key(2), "k1")
	add(t, s, key(3), "k2")
	if err := s.DeleteKey(ctx, "k1"); err != nil {
		t.Fatal(err)
	}
	want(t, s.DeleteKey(ctx, "k1"), store.ErrNotFound)
	hasKeys(t, s, key(3), key(2))
	if err := s.DeleteKey(ctx, "k3"); err != nil {
		t.Fatal(err)
	}
	want(t, s.AddKey(ctx, key(4), "k3"), store.ErrConflict)
	add(t, s, key(1), "k2")
	add(t, s, key(3), "k1")
	hasKeys(t, s, key(3), key(1), key(2))
	for n := range 3 {
		if err := s.DeleteKey(ctx, key(n+1).ID); err != nil {
			t.Fatal(err)
		}
	}
	hasKeys(t, s)
	add(t, s, key(4), "")
}

func firstSecret(t *testing.T, s store.Store) {
	for _, name := range []string{"a", "A"} {
		_, err := s.Secret(t.Context(), name)
		want(t, err, store.ErrNotFound)
		got, made := make([][]byte, 10), make([][]byte, 10)
		var wg sync.WaitGroup
		for i := range got {
			made[i] = []byte{0, name[0], byte(i), 0xff}
			wg.Go(func() {
				var err error
				if got[i], err = s.FirstSecret(t.Context(), name, made[i]); err != nil {
					t.Errorf("FirstSecret: %v", err)
				}
			})
		}
		wg.Wait()
		winner := -1
		for i := range got {
			if !bytes.Equal(got[i], got[0]) {
				t.Errorf("two callers got %v and %v", got[0], got[i])
			}
			if bytes.Equal(made[i], got[0]) {
				winner = i
			}
		}
		if winner < 0 {
			t.Errorf("nobody brought %v", got[0])
		}
		later, err := s.FirstSecret(t.Context(), name, []byte("later"))
		if err != nil {
			t.Fatal(err)
		}
		same(t, later, got[0])
		hasSecret(t, s, name, got[0])
	}
}

func hasSecret(t *testing.T, s store.Store, name string, want []byte) {
	t.Helper()
	got, err := s.Secret(t.Context(), name)
	if err != nil {
		t.Fatalf("Secret: %v", err)
	}
	same(t, got, want)
}

func replaceSecret(t *testing.T, s store.Store) {
	ctx := t.Context()
	for _, name := range []string{"a", "b"} {
		if _, err := s.FirstSecret(ctx, name, []byte("old")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.ReplaceSecret(ctx, "a", []byte("old"), []byte("new")); err != nil {
		t.Fatal(err)
	}
	want(t, s.ReplaceSecret(ctx, "a", []byte("old"), []byte("newer")), store.ErrConflict)
	want(t, s.ReplaceSecret(ctx, "c", []byte("old"), []byte("newer")), store.ErrNotFound)
	hasSecret(t, s, "a", []byte("new"))
	hasSecret(t, s, "b", []byte("old"))
}
