// Package storetest is the contract of package store as tests. Every store runs all of it.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign-auth/countersign/internal/store"
)

// Run runs the suite. Open returns a fresh, empty store that the test closes by itself.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, tt := range []struct {
		name string
		test func(*testing.T, store.Store)
	}{
		{"round trip", roundTrip},
		{"unique", unique},
		{"one of many creators wins", creators},
		{"create is whole or not at all", wholeOrNot},
		{"update user by version", updateUser},
		{"update credential by version", updateCredential},
		{"one of many updaters wins", updaters},
		{"delete", deleteUser},
		{"list", list},
		{"first key", firstKey},
		{"counters: round trip", counterRoundTrip},
		{"counters: expiry", counterExpiry},
		{"counters: swap in order", swapInOrder},
		{"counters: one of many swappers wins each version", swappers},
		{"counters: one of many makers of an absent one wins", counterMakers},
		{"counters: all who retry are counted", retriers},
		{"counters: delete the expired", deleteExpired},
		{"events: round trip", eventRoundTrip},
		{"events: all or none", eventsAllOrNone},
		{"events: list", listEvents},
		{"first secret", firstSecret},
		{"cancellation", cancellation},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.test(t, open(t))
		})
	}
}

// Times are kept to the microsecond, in whatever zone they came.
var day = time.Date(2026, 2, 28, 23, 59, 59, 999_999_000, time.FixedZone("", 5*3600+45*60))

func user(n int) (store.User, store.Credential) {
	id, key := fmt.Sprintf("id-%03d", n), fmt.Sprintf("user%d@example.com", n)
	u := store.User{ID: id, Email: "User" + key[4:], EmailKey: key, CreatedAt: day, UpdatedAt: day, Version: 1}
	c := store.Credential{UserID: id, Method: "password", Key: key, Data: []byte{0, 'h', 0xff}, CreatedAt: day, UpdatedAt: day, Version: 1}
	return u, c
}

func create(t *testing.T, s store.Store, n int) (store.User, store.Credential) {
	t.Helper()
	u, c := user(n)
	if err := s.CreateUser(t.Context(), u, c); err != nil {
		t.Fatalf("CreateUser: %v", err)
	}
	return u, c
}

func want(t *testing.T, err, sentinel error) {
	t.Helper()
	if !errors.Is(err, sentinel) {
		t.Fatalf("got error %v, want %v", err, sentinel)
	}
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
}

func roundTrip(t *testing.T, s store.Store) {
	ctx := t.Context()
	u, c := user(1)
	u.ID, c.UserID = "65a1f0e2b7c4d1a2b3c4d5e6", "65a1f0e2b7c4d1a2b3c4d5e6" // an imported ObjectId stays what it is
	u.Email = "Ünï\u0301 <'\";--\U0001F600@example.com"
	u.DisabledAt = day
	if err := s.CreateUser(ctx, u, c); err != nil {
		t.Fatal(err)
	}
	got, err := s.User(ctx, u.ID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, u)
	if got.CreatedAt.Location() != time.UTC {
		t.Errorf("times come back in %v, want UTC", got.CreatedAt.Location())
	}
	if got, err = s.UserByEmail(ctx, u.EmailKey); err != nil {
		t.Fatal(err)
	}
	same(t, got, u)
	gotC, err := s.Credential(ctx, c.Method, c.Key)
	if err != nil {
		t.Fatal(err)
	}
	same(t, gotC, c)

	_, err = s.User(ctx, "ID-001")
	want(t, err, store.ErrNotFound)
	_, err = s.UserByEmail(ctx, "USER1@example.com") // the store compares bytes; what is the same address is not its business
	want(t, err, store.ErrNotFound)
	_, err = s.Credential(ctx, "other", c.Key)
	want(t, err, store.ErrNotFound)
	if err := s.Ping(ctx); err != nil {
		t.Errorf("Ping: %v", err)
	}
}

func unique(t *testing.T, s store.Store) {
	create(t, s, 1)
	sameID, freshC := user(2)
	sameID.ID = "id-001"
	want(t, s.CreateUser(t.Context(), sameID, freshC), store.ErrExists)
	sameEmail, freshC := user(3)
	sameEmail.EmailKey = "user1@example.com"
	want(t, s.CreateUser(t.Context(), sameEmail, freshC), store.ErrExists)
	fresh, sameKey := user(4)
	sameKey.Key = "user1@example.com"
	want(t, s.CreateUser(t.Context(), fresh, sameKey), store.ErrExists)
	otherMethod, c := user(5)
	c.Method, c.Key = "other", "user1@example.com"
	if err := s.CreateUser(t.Context(), otherMethod, c); err != nil {
		t.Errorf("the same key under another method: %v", err)
	}
}

func creators(t *testing.T, s store.Store) {
	var wg sync.WaitGroup
	errs := make([]error, 30)
	for i := range errs {
		wg.Go(func() {
			u, c := user(1)
			u.ID = fmt.Sprintf("id-%d", i)
			c.UserID = u.ID
			errs[i] = s.CreateUser(t.Context(), u, c)
		})
	}
	wg.Wait()
	winner := onlyWinner(t, errs, store.ErrExists)
	u, err := s.UserByEmail(t.Context(), "user1@example.com")
	if err != nil || u.ID != fmt.Sprintf("id-%d", winner) {
		t.Errorf("the user is %q (%v), the winner was %d", u.ID, err, winner)
	}
}

func onlyWinner(t *testing.T, errs []error, losers error) int {
	t.Helper()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			t.Fatalf("%d and %d both won", winner, i)
		case err == nil:
			winner = i
		default:
			want(t, err, losers)
		}
	}
	if winner < 0 {
		t.Fatal("nobody won")
	}
	return winner
}

func wholeOrNot(t *testing.T, s store.Store) {
	create(t, s, 1)
	u, c := user(2)
	c.Key = "user1@example.com"
	want(t, s.CreateUser(t.Context(), u, c), store.ErrExists)
	_, err := s.User(t.Context(), u.ID)
	want(t, err, store.ErrNotFound)
	_, err = s.UserByEmail(t.Context(), u.EmailKey)
	want(t, err, store.ErrNotFound)
	create(t, s, 2)
}

func updateUser(t *testing.T, s store.Store) {
	ctx := t.Context()
	u, _ := create(t, s, 1)
	create(t, s, 2)
	u.Email, u.EmailKey, u.DisabledAt, u.UpdatedAt = "New@example.com", "new@example.com", day.Add(time.Hour), day.Add(2*time.Hour)
	if err := s.UpdateUser(ctx, u); err != nil {
		t.Fatal(err)
	}
	want(t, s.UpdateUser(ctx, u), store.ErrConflict)
	u.Version++
	got, err := s.User(ctx, u.ID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, u)
	u.EmailKey = "user2@example.com"
	want(t, s.UpdateUser(ctx, u), store.ErrExists)
	u.ID = "nobody"
	want(t, s.UpdateUser(ctx, u), store.ErrNotFound)
}

func updateCredential(t *testing.T, s store.Store) {
	ctx := t.Context()
	_, c := create(t, s, 1)
	c.Data, c.UpdatedAt = []byte("new"), day.Add(time.Hour)
	if err := s.UpdateCredential(ctx, c); err != nil {
		t.Fatal(err)
	}
	want(t, s.UpdateCredential(ctx, c), store.ErrConflict)
	c.Version++
	got, err := s.Credential(ctx, c.Method, c.Key)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, c)
	other := c
	other.UserID = "id-002"
	want(t, s.UpdateCredential(ctx, other), store.ErrConflict)
	c.Key = "nobody"
	want(t, s.UpdateCredential(ctx, c), store.ErrNotFound)
}

func updaters(t *testing.T, s store.Store) {
	_, c := create(t, s, 1)
	var wg sync.WaitGroup
	errs := make([]error, 30)
	for i := range errs {
		wg.Go(func() {
			mine := c
			mine.Data = []byte{byte(i)}
			errs[i] = s.UpdateCredential(t.Context(), mine)
		})
	}
	wg.Wait()
	winner := onlyWinner(t, errs, store.ErrConflict)
	got, err := s.Credential(t.Context(), c.Method, c.Key)
	if err != nil || !slices.Equal(got.Data, []byte{byte(winner)}) {
		t.Errorf("data %v (%v), the winner was %d", got.Data, err, winner)
	}
}

func deleteUser(t *testing.T, s store.Store) {
	ctx := t.Context()
	u, c := create(t, s, 1)
	create(t, s, 2)
	if err := s.DeleteUser(ctx, u.ID); err != nil {
		t.Fatal(err)
	}
	want(t, s.DeleteUser(ctx, u.ID), store.ErrNotFound)
	_, err := s.User(ctx, u.ID)
	want(t, err, store.ErrNotFound)
	_, err = s.Credential(ctx, c.Method, c.Key)
	want(t, err, store.ErrNotFound)
	if _, err = s.User(ctx, "id-002"); err != nil {
		t.Errorf("the other user: %v", err)
	}
	create(t, s, 1)
}

func list(t *testing.T, s store.Store) {
	for _, n := range []int{3, 1, 5, 2, 4} {
		create(t, s, n)
	}
	var ids []string
	for after := ""; ; {
		page, err := s.ListUsers(t.Context(), after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, u := range page {
			ids = append(ids, u.ID)
		}
		after = page[len(page)-1].ID
	}
	same(t, ids, []string{"id-001", "id-002", "id-003", "id-004", "id-005"})
}

func firstKey(t *testing.T, s store.Store) {
	keys, err := s.SigningKeys(t.Context())
	if err != nil || len(keys) != 0 {
		t.Fatalf("a new store has keys %v (%v)", keys, err)
	}
	var wg sync.WaitGroup
	errs := make([]error, 10)
	made := make([]store.SigningKey, len(errs))
	for i := range errs {
		made[i] = store.SigningKey{ID: fmt.Sprintf("k%d", i), Algorithm: "ES256", Private: []byte{0, byte(i), 0xff}, CreatedAt: day}
		wg.Go(func() { errs[i] = s.AddKey(t.Context(), made[i], "") })
	}
	wg.Wait()
	winner := onlyWinner(t, errs, store.ErrConflict)
	keys, err = s.SigningKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	same(t, keys, []store.SigningKey{made[winner]})
}

func cancellation(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	u, c := user(1)
	if err := s.CreateUser(ctx, u, c); err == nil {
		t.Error("CreateUser went on after its context ended")
	}
	_, err := s.User(t.Context(), u.ID)
	want(t, err, store.ErrNotFound)
	c1 := counter("c", 1, day)
	_, swapErr := s.SwapCounters(ctx, day, c1)
	_, deleteErr := s.DeleteExpired(ctx, day, 1)
	_, secretErr := s.FirstSecret(ctx, "name", []byte("value"))
	_, readErr := s.Credential(ctx, "password", "x")
	_, countersErr := s.Counters(ctx, day, "c")
	_, eventsErr := s.ListEvents(ctx, "", 1)
	for name, err := range map[string]error{
		"SwapCounters": swapErr, "DeleteExpired": deleteErr, "FirstSecret": secretErr, "Credential": readErr,
		"Counters": countersErr, "ListEvents": eventsErr, "AppendEvents": s.AppendEvents(ctx, event(1)),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want the context's error", name, err)
		}
	}
	same(t, counters(t, s, day, "c"), []store.Counter{{Key: "c"}})
	same(t, len(events(t, s, "", 1)), 0)
}
