package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

// deleteExpired deletes time after time, and demands what each says about there being more.
func deleteExpired(t *testing.T, s store.Store, now time.Time, limit int, more ...bool) {
	t.Helper()
	for i, want := range more {
		got, err := s.DeleteExpired(t.Context(), now, limit)
		if err != nil {
			t.Fatalf("DeleteExpired: %v", err)
		}
		if got != want {
			t.Fatalf("time %d: more is %t, want %t", i, got, want)
		}
	}
}

func expiredCounters(t *testing.T, s store.Store) {
	for i := range 5 {
		swap(t, s, day, 1, counter(fmt.Sprintf("c%d", i), 1, day.Add(time.Duration(i)*time.Minute)))
	}
	deleteExpired(t, s, day.Add(time.Hour+3*time.Minute), 3, true, false, false) // c3 expires then, c4 later
	left := counters(t, s, day, "c0", "c3", "c4")                                // at a time at which all would live
	if left[0].Version != 0 || left[1].Version != 0 || left[2].Version != 1 {
		t.Errorf("left are %v", left)
	}
}

func expiredSessions(t *testing.T, s store.Store) {
	create(t, s, 1)
	create(t, s, 2)
	for n := range 5 {
		login(t, s, session(n, 1+n%2))
	}
	kept := session(1, 1)
	kept.ID, kept.Generation = "session-000", 2 // its expiry is moved to that of 1
	if err := s.RotateSession(t.Context(), kept); err != nil {
		t.Fatal(err)
	}
	deleteExpired(t, s, day.Add(time.Hour), 2, false)
	live(t, s, "id-001", 4, 2, 0)
	deleteExpired(t, s, day.Add(time.Hour+3*time.Minute), 2, true, true, false, false) // 3 expires then, 4 later
	live(t, s, "id-001", 4)
	live(t, s, "id-002")
	revoked(t, s) // whose session has expired, of that no token lives
}

func expiredRevocations(t *testing.T, s store.Store) {
	create(t, s, 1)
	var all []store.Revocation
	for i := range 5 {
		all = append(all, revocation(fmt.Sprint(i), day.Add(time.Duration(4-i)*time.Minute)))
	}
	revoke(t, s, all...)
	deleteExpired(t, s, day.Add(2*time.Minute), 3, true, false, false) // 2 expires then, 1 and 0 later
	revoked(t, s, all[:2]...)
}

func expiredOfAllKinds(t *testing.T, s store.Store) {
	create(t, s, 1)
	for n := range 3 {
		login(t, s, session(n, 1))
		swap(t, s, day, 1, counter(fmt.Sprintf("c%d", n), 1, day))
		revoke(t, s, revocation(fmt.Sprint(n), day))
	}
	left := func() (n int) {
		n = len(sessions(t, s, "id-001")) + len(listRevocations(t, s))
		for _, c := range counters(t, s, day, "c0", "c1", "c2") {
			n += int(c.Version)
		}
		return n
	}
	late := day.Add(24 * time.Hour)
	same(t, left(), 9)
	deleteExpired(t, s, day.Add(-time.Microsecond), 2, false)
	same(t, left(), 9)
	deleteExpired(t, s, late, 2, true)
	same(t, left(), 3)
	deleteExpired(t, s, late, 2, false)
	same(t, left(), 0)
}
