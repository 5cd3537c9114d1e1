package storetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

// staleLogin is about logins of a user that is no longer as it was read: disabled, or logged out everywhere.
func staleLogin(t *testing.T, s store.Store) {
	u, c := create(t, s, 1)
	create(t, s, 2)
	held := store.Proof{Method: c.Method, Key: c.Key, Version: c.Version}
	refused := func(why string, x store.Session) {
		t.Helper()
		for _, p := range []store.Proof{{}, held} {
			if err := open(t.Context(), s, x, p, 1, until); !errors.Is(err, store.ErrConflict) {
				t.Errorf("%s, proof %v: %v, want %v", why, p, err, store.ErrConflict)
			}
		}
		live(t, s, u.ID, 1)
	}
	update := func() {
		t.Helper()
		if err := s.UpdateUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		u.Version++
	}
	before := login(t, s, session(1, 1))
	stale := session(2, 1)
	for _, epoch := range []string{"", "another", session(2, 2).Epoch, stale.Epoch + " "} {
		x := stale
		x.Epoch = epoch
		refused("epoch "+epoch, x)
	}
	u.DisabledAt = day
	update()
	refused("a disabled user", stale)
	u.DisabledAt, u.Epoch = time.Time{}, "another"
	update()
	refused("the epoch of before", stale)
	stale.Epoch = u.Epoch
	login(t, s, stale)
	live(t, s, u.ID, 2, 1)
	same(t, sessions(t, s, u.ID)[1], before)
	if err := s.DeleteUser(t.Context(), u.ID, until); err != nil {
		t.Fatal(err)
	}
	want(t, open(t.Context(), s, stale, store.Proof{}, 1, until), store.ErrNotFound)
}

// loginsAndDisabling is about logins of a user who is being disabled: none of them opens a session after that.
func loginsAndDisabling(t *testing.T, s store.Store) {
	u, _ := create(t, s, 1)
	disable := func(at time.Time) {
		u.DisabledAt = at
		if err := s.UpdateUser(t.Context(), u); err != nil {
			t.Errorf("UpdateUser: %v", err)
		}
		u.Version++
	}
	for round := range 20 {
		var disabled atomic.Bool
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				for n := range 10 {
					x, late := session(round*100+i*10+n, 1), disabled.Load()
					err := open(t.Context(), s, x, store.Proof{}, 0, until)
					if err == nil && late || err != nil && !errors.Is(err, store.ErrConflict) {
						t.Errorf("CreateSession: %v; the user was disabled before: %t", err, late)
					}
				}
			})
		}
		disable(day)
		disabled.Store(true)
		wg.Wait()
		disable(time.Time{})
	}
}
