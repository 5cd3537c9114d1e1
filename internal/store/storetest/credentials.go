package storetest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/countersign-auth/countersign/internal/store"
)

// apiKey returns the key-th credential that the n-th user has of a method of which a user may have many.
func apiKey(n, key int) store.Credential {
	u, _ := user(n)
	return store.Credential{
		UserID: u.ID, Method: "apikey", Key: fmt.Sprintf("key-%d-of-%d", key, n), Data: []byte{0, byte(key)}, CreatedAt: day, UpdatedAt: day, Version: 1,
	}
}

func addKeys(t *testing.T, s store.Store, keys ...store.Credential) {
	t.Helper()
	for _, c := range keys {
		if err := s.AddCredential(t.Context(), c); err != nil {
			t.Fatalf("AddCredential: %v", err)
		}
	}
}

func keysOf(t *testing.T, s store.Store, userID string) []store.Credential {
	t.Helper()
	got, err := s.ListCredentials(t.Context(), userID, "apikey")
	if err != nil {
		t.Fatalf("ListCredentials: %v", err)
	}
	return got
}

func listCredentials(t *testing.T, s store.Store) {
	u, c := create(t, s, 1)
	create(t, s, 2)
	same(t, len(keysOf(t, s, u.ID)), 0)
	addKeys(t, s, apiKey(1, 3), apiKey(2, 9), apiKey(1, 1), apiKey(1, 2))
	same(t, keysOf(t, s, u.ID), []store.Credential{apiKey(1, 1), apiKey(1, 2), apiKey(1, 3)})
	same(t, keysOf(t, s, "id-002"), []store.Credential{apiKey(2, 9)})
	passwords, err := s.ListCredentials(t.Context(), u.ID, c.Method)
	if err != nil {
		t.Fatal(err)
	}
	same(t, passwords, []store.Credential{c})
	for _, nobody := range []string{"", "id-003", "nobody\x00\xff"} {
		same(t, len(keysOf(t, s, nobody)), 0)
	}
	if err := s.DeleteUser(t.Context(), u.ID, until); err != nil {
		t.Fatal(err)
	}
	same(t, len(keysOf(t, s, u.ID)), 0)
}

func deleteCredential(t *testing.T, s store.Store) {
	ctx := t.Context()
	u, c := create(t, s, 1)
	create(t, s, 2)
	x := login(t, s, session(1, 1))
	addKeys(t, s, apiKey(1, 1), apiKey(1, 2))
	others := apiKey(1, 1)
	others.UserID = "id-002"
	want(t, s.DeleteCredential(ctx, others), store.ErrNotFound)
	others.UserID = "id-003"
	want(t, s.DeleteCredential(ctx, others), store.ErrNotFound)
	otherMethod := apiKey(1, 1)
	otherMethod.Method = c.Method
	want(t, s.DeleteCredential(ctx, otherMethod), store.ErrNotFound)
	same(t, keysOf(t, s, u.ID), []store.Credential{apiKey(1, 1), apiKey(1, 2)})

	gone := apiKey(1, 1)
	gone.Version = 7 // whatever its version
	if err := s.DeleteCredential(ctx, gone); err != nil {
		t.Fatal(err)
	}
	want(t, s.DeleteCredential(ctx, gone), store.ErrNotFound)
	_, err := s.Credential(ctx, gone.Method, gone.Key)
	want(t, err, store.ErrNotFound)
	found, err := s.Candidate(ctx, gone.Method, gone.Key, day)
	if err != nil {
		t.Fatal(err)
	}
	same(t, found, store.Candidate{})
	want(t, s.UpdateCredential(ctx, apiKey(1, 1)), store.ErrNotFound)
	same(t, keysOf(t, s, u.ID), []store.Credential{apiKey(1, 2)})
	same(t, sessions(t, s, u.ID), []store.Session{x})
	revoked(t, s)

	taken := apiKey(1, 1)
	taken.UserID = "id-002" // its method and key are free for anybody
	addKeys(t, s, taken)
	same(t, keysOf(t, s, "id-002"), []store.Credential{taken})
	if err := s.DeleteCredential(ctx, c); err != nil { // the one that the user was made with
		t.Fatal(err)
	}
	want(t, open(ctx, s, session(2, 1), store.Proof{Method: c.Method, Key: c.Key, Version: c.Version}, 1, until), store.ErrConflict)
}

func deleters(t *testing.T, s store.Store) {
	create(t, s, 1)
	for key := range 5 {
		addKeys(t, s, apiKey(1, key))
		var wg sync.WaitGroup
		errs := make([]error, 10)
		for i := range errs {
			wg.Go(func() { errs[i] = s.DeleteCredential(t.Context(), apiKey(1, key)) })
		}
		wg.Wait()
		onlyWinner(t, errs, store.ErrNotFound)
	}
	same(t, len(keysOf(t, s, "id-001")), 0)
}
