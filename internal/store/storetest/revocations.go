package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

func revocation(key string, expires time.Time) store.Revocation {
	return store.Revocation{Key: key, ExpiresAt: expires}
}

// listRevocations returns all revocations, and demands that their positions grow.
func listRevocations(t *testing.T, s store.Store) []store.Revocation {
	t.Helper()
	all, err := s.Revocations(t.Context(), 0, 1000)
	if err != nil {
		t.Fatalf("Revocations: %v", err)
	}
	last := int64(0)
	for _, r := range all {
		if r.Position <= last {
			t.Fatalf("position %d follows %d", r.Position, last)
		}
		last = r.Position
	}
	return all
}

// revoked demands that these revocations are written, in this order, whatever their positions, and no others.
func revoked(t *testing.T, s store.Store, all ...store.Revocation) {
	t.Helper()
	got := listRevocations(t, s)
	for i := range got {
		got[i].Position = 0
	}
	same(t, len(got), len(all))
	for i := range all {
		same(t, got[i], all[i])
	}
}

// revoke writes revocations as a change of the user with the number 1 does.
func revoke(t *testing.T, s store.Store, all ...store.Revocation) {
	t.Helper()
	u, err := s.User(t.Context(), "id-001")
	if err == nil {
		err = s.UpdateUser(t.Context(), u, all...)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func revocations(t *testing.T, s store.Store) {
	create(t, s, 1)
	revoked(t, s)
	const odd = "\u00dcn\u00ef\u0301 <'\";--\U0001F600"
	revoke(t, s, revocation(odd, day), store.Revocation{Position: 1, Key: "", ExpiresAt: day.Add(time.Microsecond)}, revocation(odd, day))
	revoke(t, s, revocation("d", day), revocation("e", day))
	revoked(t, s, revocation(odd, day), revocation("", day.Add(time.Microsecond)), revocation(odd, day), revocation("d", day), revocation("e", day))
	all := listRevocations(t, s)
	if all[0].ExpiresAt.Location() != time.UTC {
		t.Errorf("times come back in %v, want UTC", all[0].ExpiresAt.Location())
	}
	var paged []store.Revocation
	for after := int64(0); ; {
		page, err := s.Revocations(t.Context(), after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		if len(page) > 2 {
			t.Fatalf("a page of 2 has %d", len(page))
		}
		paged = append(paged, page...)
		after = page[len(page)-1].Position
	}
	same(t, paged, all)
	far, err := s.Revocations(t.Context(), all[4].Position+1000, 2) // after need not be there
	if err != nil || len(far) != 0 {
		t.Errorf("far away there are %v (%v)", far, err)
	}
}

// followers is about a reader that asks for what comes after the last that it has seen, while others write.
func followers(t *testing.T, s store.Store) {
	const writers, each = 8, 20
	ctx, cancel := context.WithCancel(t.Context())
	var reading, writing sync.WaitGroup
	for i := range writers {
		create(t, s, i)
	}
	for range 2 {
		reading.Go(func() {
			seen, last := map[string]bool{}, int64(0)
			for done := false; !done; {
				done = ctx.Err() != nil // and then once more
				page, err := s.Revocations(t.Context(), last, 7)
				if err != nil {
					t.Error(err)
					return
				}
				for _, r := range page {
					seen[r.Key], last, done = true, r.Position, false
				}
			}
			if len(seen) != writers*each {
				t.Errorf("a reader has seen %d of %d revocations", len(seen), writers*each)
			}
		})
	}
	for i := range writers {
		writing.Go(func() {
			u, _ := user(i)
			for n := range each {
				if err := s.UpdateUser(t.Context(), u, revocation(fmt.Sprint(i, n), day)); err != nil {
					t.Error(err)
					return
				}
				u.Version++
			}
		})
	}
	writing.Wait()
	cancel()
	reading.Wait()
}

// positions is about what a follower asks for when there was nothing for long, and after a restart.
func positions(t *testing.T, s store.Store, another func() store.Store) {
	create(t, s, 1)
	last := int64(0)
	for range 3 {
		for _, node := range []store.Store{s, another()} {
			revoke(t, node, revocation("a", day), revocation("b", day))
			page, err := s.Revocations(t.Context(), last, 10)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) != 2 || page[0].Position <= last || page[1].Position <= page[0].Position {
				t.Fatalf("after %d come %+v", last, page)
			}
			last = page[1].Position
			if more, err := node.DeleteExpired(t.Context(), day, 10); err != nil || more {
				t.Fatalf("more is %t (%v)", more, err)
			}
			revoked(t, s)
		}
	}
}
