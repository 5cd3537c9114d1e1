package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

func user(n int) (store.User, store.Credential) {
	id, key := fmt.Sprintf("id-%03d", n), fmt.Sprintf("user%d@example.com", n)
	u := store.User{
		ID: id, Email: "User" + key[4:], EmailKey: key, Roles: []string{"editor", "viewer"}, Data: []byte(`{"a":1}`), AdminData: []byte(`{}`),
		Epoch: "epoch of " + id, CreatedAt: day, UpdatedAt: day, Version: 1,
	}
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

func roundTrip(t *testing.T, s store.Store) {
	ctx := t.Context()
	u, c := user(1)
	u.ID, c.UserID = "65a1f0e2b7c4d1a2b3c4d5e6", "65a1f0e2b7c4d1a2b3c4d5e6" // an imported ObjectId stays what it is
	u.Email = "Ünï\u0301 <'\";--\U0001F600@example.com"
	u.Roles = []string{"", `"`, "\u00dc\x00,[]"}
	u.Data, u.AdminData = []byte("no JSON \x00\xff"), []byte{0}
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

func bareUser(t *testing.T, s store.Store) {
	u := store.User{ID: "id", EmailKey: "key"}
	for _, empty := range []store.User{u, {ID: "id2", EmailKey: "key2", Roles: []string{}, Data: []byte{}, AdminData: []byte{}}} {
		if err := s.CreateUser(t.Context(), empty, store.Credential{Method: "m", Key: empty.ID, Data: []byte{}}); err != nil {
			t.Fatal(err)
		}
		got, err := s.User(t.Context(), empty.ID)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Roles)+len(got.Data)+len(got.AdminData) != 0 || got.Epoch != "" || !got.CreatedAt.IsZero() || got.Disabled() {
			t.Errorf("nothing came back as %+v", got)
		}
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
	u.Roles, u.Data, u.AdminData, u.Epoch = []string{"admin"}, nil, []byte(`{"b":2}`), "another"
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

func updateUserRevoking(t *testing.T, s store.Store) {
	ctx := t.Context()
	u, _ := create(t, s, 1)
	create(t, s, 2)
	old := store.Revocation{Key: u.Epoch, ExpiresAt: day.Add(time.Hour)}
	u.Epoch = "another"
	if err := s.UpdateUser(ctx, u, old, revocation("x", day)); err != nil {
		t.Fatal(err)
	}
	written := []store.Revocation{old, revocation("x", day)}
	revoked(t, s, written...)
	want(t, s.UpdateUser(ctx, u, old), store.ErrConflict)
	u.Version++
	u.EmailKey = "user2@example.com"
	want(t, s.UpdateUser(ctx, u, old), store.ErrExists)
	u.ID = "nobody"
	want(t, s.UpdateUser(ctx, u, old), store.ErrNotFound)
	revoked(t, s, written...)
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
	if err := s.DeleteUser(ctx, u.ID, day); err != nil {
		t.Fatal(err)
	}
	want(t, s.DeleteUser(ctx, u.ID, day), store.ErrNotFound)
	_, err := s.User(ctx, u.ID)
	want(t, err, store.ErrNotFound)
	_, err = s.Credential(ctx, c.Method, c.Key)
	want(t, err, store.ErrNotFound)
	if _, err = s.User(ctx, "id-002"); err != nil {
		t.Errorf("the other user: %v", err)
	}
	create(t, s, 1)
}

func deleteUserRevoking(t *testing.T, s store.Store) {
	ctx := t.Context()
	u, _ := create(t, s, 1)
	create(t, s, 2)
	gone, other := login(t, s, session(1, 1)), login(t, s, session(2, 2))
	if err := s.DeleteUser(ctx, u.ID, day); err != nil {
		t.Fatal(err)
	}
	revoked(t, s, revocation(u.Epoch, day))
	_, _, err := s.Session(ctx, gone.ID)
	want(t, err, store.ErrNotFound)
	same(t, len(sessions(t, s, u.ID)), 0)
	same(t, sessions(t, s, other.UserID), []store.Session{other})
	want(t, s.DeleteUser(ctx, u.ID, day), store.ErrNotFound)
	revoked(t, s, revocation(u.Epoch, day))
	create(t, s, 1)
	same(t, len(sessions(t, s, u.ID)), 0)
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
