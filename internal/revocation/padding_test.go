package revocation_test

import (
	"slices"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/revocation"
	"github.com/countersign-auth/countersign/internal/store"
)

// TestPadding has what an outsider may see of the number: its step, and nothing that stays or goes by itself.
func TestPadding(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{0: 64, 1: 64, 64: 64, 65: 128, 200: 256, 500: 512, 512: 512, 513: 640, 1000: 1024, 1100: 1280, 50_000: 57_344, 65_536: 65_536} {
		if got := revocation.Padded(n); got != want {
			t.Errorf("%d entries are padded to %d, want %d", n, got, want)
		}
	}
	for n, last := 0, 0; n < 70_000; n++ {
		got := revocation.Padded(n)
		if got < n || got < last || n > 256 && got > n+n/4+1 {
			t.Fatalf("%d entries are padded to %d after %d", n, got, last)
		}
		last = got
	}
	clock := newClock()
	set := newSet(t, open(t), revocation.Config{Now: clock.Now})
	key := signKey(t)
	nodes := []*revocation.Feed{
		newFeed(t, set, signer(key), revocation.FeedConfig{Now: clock.Now}), newFeed(t, set, signer(key), revocation.FeedConfig{Now: clock.Now}),
	}
	shows := func(node int) []uint64 {
		t.Helper()
		load(t, set)
		return read(t, ask(nodes[node], "").Body.String()).hashes
	}
	first := shows(0)
	if !slices.Equal(first, shows(1)) {
		t.Error("two nodes pad differently")
	}
	set.Add(store.Revocation{Key: "s1", ExpiresAt: clock.Now().Add(16 * time.Minute)})
	if then := shows(0); len(then) != len(first) || common(first, then) != len(first)-1 {
		t.Errorf("a session ends: %d of %d entries stay, in %d", common(first, then), len(first), len(then))
	}
	goes := map[int]int{} // how many entries a document no longer has, by its number
	before := shows(0)
	for i := range 17 * 2 {
		clock.Advance(30 * time.Second)
		now := shows(0)
		goes[i] = len(before) - common(before, now)
		before = now
	}
	if n := common(first, before); n != 0 {
		t.Errorf("after the life of a revocation, %d entries are still there: they can only be padding", n)
	}
	for i, n := range goes {
		if n < 1 || n > 4 { // 64 in 34 documents
			t.Errorf("document %d has %d other entries than the one before", i, n)
		}
	}
}

func common(a, b []uint64) (n int) {
	for _, x := range a {
		if _, ok := slices.BinarySearch(b, x); ok {
			n++
		}
	}
	return n
}
