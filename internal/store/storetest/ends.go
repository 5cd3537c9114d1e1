package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

func endSessions(t *testing.T, s store.Store) {
	create(t, s, 1)
	create(t, s, 2)
	id := func(n int) string { return session(n, 1).ID }
	end := func(want int, user string, which store.Which) {
		t.Helper()
		n, err := s.EndSessions(t.Context(), user, which, until)
		if err != nil {
			t.Fatal(err)
		}
		same(t, n, want)
	}
	for n := range 6 {
		login(t, s, session(n, 1))
	}
	login(t, s, session(9, 2))
	end(0, "id-001", store.Which{Only: id(9)}) // somebody else's
	end(0, "id-001", store.Which{Only: "nobody"})
	end(0, "id-001", store.Which{Only: id(3), Except: id(3)})
	end(0, "nobody", store.Which{})
	live(t, s, "id-001", 5, 4, 3, 2, 1, 0)
	end(1, "id-001", store.Which{Only: id(3)})
	end(0, "id-001", store.Which{Only: id(3)})
	end(1, "id-001", store.Which{Only: id(4), Except: id(5)})
	live(t, s, "id-001", 5, 2, 1, 0)
	end(3, "id-001", store.Which{Except: id(1)})
	end(0, "id-001", store.Which{Except: id(1)})
	live(t, s, "id-001", 1)
	login(t, s, session(2, 1))
	end(2, "id-001", store.Which{Except: id(9)})
	live(t, s, "id-001")
	login(t, s, session(3, 1))
	login(t, s, session(4, 1))
	end(2, "id-001", store.Which{})
	live(t, s, "id-001")
	live(t, s, "id-002", 9)
	ended(t, s, []int{3}, []int{4}, []int{0, 2, 5}, []int{1, 2}, []int{3, 4})
}

func changeCredential(t *testing.T, s store.Store) {
	ctx := t.Context()
	_, c := create(t, s, 1)
	create(t, s, 2)
	for n := range 3 {
		login(t, s, session(n, 1))
	}
	login(t, s, session(9, 2))
	stale, foreign, nobody := c, c, c
	stale.Version, foreign.UserID, nobody.Key = 2, "id-002", "nobody"
	want(t, s.ChangeCredential(ctx, stale, "", until), store.ErrConflict)
	want(t, s.ChangeCredential(ctx, foreign, "", until), store.ErrConflict)
	want(t, s.ChangeCredential(ctx, nobody, "", until), store.ErrNotFound)
	live(t, s, "id-001", 2, 1, 0)
	live(t, s, "id-002", 9)
	revoked(t, s)

	change := func(keep string) {
		t.Helper()
		c.Data, c.UpdatedAt = []byte("of version "+fmt.Sprint(c.Version+1)), day.Add(time.Hour)
		if err := s.ChangeCredential(ctx, c, keep, until); err != nil {
			t.Fatal(err)
		}
		c.Version++
		got, err := s.Credential(ctx, c.Method, c.Key)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, c)
	}
	change(session(1, 1).ID)
	live(t, s, "id-001", 1)
	change(session(9, 2).ID) // somebody else's
	live(t, s, "id-001")
	login(t, s, session(3, 1))
	change("")
	live(t, s, "id-001")
	change("")
	live(t, s, "id-002", 9)
	ended(t, s, []int{0, 2}, []int{1}, []int{3})
}

// loginsAndChange is about logins by a password that is being changed: none of them has a session when both are done.
func loginsAndChange(t *testing.T, s store.Store) {
	_, c := create(t, s, 1)
	for round := range 50 {
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				x := session(4*round+i, 1)
				err := open(t.Context(), s, x, store.Proof{Method: c.Method, Key: c.Key, Version: c.Version}, 0, until)
				if err != nil && !errors.Is(err, store.ErrConflict) {
					t.Errorf("CreateSession: %v", err)
				}
			})
		}
		wg.Go(func() {
			if err := s.ChangeCredential(t.Context(), c, "", until); err != nil {
				t.Errorf("ChangeCredential: %v", err)
			}
		})
		wg.Wait()
		live(t, s, c.UserID)
		c.Version++
	}
}

// rotationsAndEnd is about a refresh and a logout at once: after the logout the session is gone, whoever was first.
func rotationsAndEnd(t *testing.T, s store.Store) {
	u, _ := create(t, s, 1)
	for round := range 50 {
		x := login(t, s, session(round, 1))
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				next := x
				next.Generation += int64(i%2) + 1
				err := s.RotateSession(t.Context(), next)
				if err != nil && !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrNotFound) {
					t.Errorf("RotateSession: %v", err)
				}
			})
		}
		wg.Go(func() {
			if n, err := s.EndSessions(t.Context(), u.ID, store.Which{Only: x.ID}, until); err != nil || n != 1 {
				t.Errorf("EndSessions: %d, %v", n, err)
			}
		})
		wg.Wait()
		live(t, s, u.ID)
		_, _, err := s.Session(t.Context(), x.ID)
		want(t, err, store.ErrNotFound)
	}
}
