package ratelimit

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/store"
)

var t0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestBackoffWaits(t *testing.T) {
	t.Parallel()
	account := Policy{}.withDefaults().Account
	for _, tt := range []struct {
		name    string
		count   int64
		since   time.Duration // the last failure
		want    time.Duration
		stopped bool
	}{
		{"nothing", 0, 0, 0, false},
		{"the last free one", 9, 0, 0, false},
		{"the first wait", 10, 0, time.Second, false},
		{"part of it over", 10, 400 * time.Millisecond, 600 * time.Millisecond, false},
		{"over to the nanosecond", 10, time.Second, 0, false},
		{"doubled", 11, 0, 2 * time.Second, false},
		{"the last doubling", 19, 0, 512 * time.Second, false},
		{"the longest", 20, 0, 15 * time.Minute, false},
		{"far beyond any shift", 99, time.Minute, 14 * time.Minute, false},
		{"exhausted", 100, 0, 30 * day, true},
		{"exhausted for long", 5000, 30*day - time.Second, time.Second, true},
		{"forgotten", 100, 30 * day, 0, false},
		{"a node whose clock is behind", 10, -30 * time.Second, 31 * time.Second, false},
		{"the clock was set back", 10, -1000 * day, time.Second, false},
		{"exhausted, the clock was set back", 100, -1000 * day, 30 * day, true},
	} {
		c := store.Counter{Count: tt.count, LastAt: t0.Add(-tt.since)}
		if got, stopped := account.wait(c, t0); got != tt.want || stopped != tt.stopped {
			t.Errorf("%s: %v %v, want %v %v", tt.name, got, stopped, tt.want, tt.stopped)
		}
	}
	if got, _ := account.wait(store.Counter{}, t0); got != 0 {
		t.Errorf("an absent counter waits %v", got)
	}
}

func TestBackoffRaises(t *testing.T) {
	t.Parallel()
	b := Backoff{Free: 5, MaxWait: time.Minute, Keep: time.Hour}
	for _, tt := range []struct {
		name   string
		before store.Counter
		want   store.Counter
	}{
		{"absent", store.Counter{Key: "k"}, store.Counter{Key: "k", Count: 1, LastAt: t0, ExpiresAt: t0.Add(time.Hour)}},
		{"one more", store.Counter{Count: 3, LastAt: t0.Add(-time.Minute), Version: 3}, store.Counter{Count: 4, LastAt: t0, ExpiresAt: t0.Add(time.Hour), Version: 3}},
		{"what is forgotten", store.Counter{Count: 3, LastAt: t0.Add(-time.Hour)}, store.Counter{Count: 1, LastAt: t0, ExpiresAt: t0.Add(time.Hour)}},
		{"written by a clock ahead", store.Counter{Count: 3, LastAt: t0.Add(time.Second)}, store.Counter{Count: 4, LastAt: t0.Add(time.Second), ExpiresAt: t0.Add(time.Hour + time.Second)}},
		{"the clock was set back", store.Counter{Count: 3, LastAt: t0.Add(time.Hour)}, store.Counter{Count: 4, LastAt: t0, ExpiresAt: t0.Add(time.Hour)}},
	} {
		if diff := cmp.Diff(tt.want, b.raise(tt.before, t0, 1)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestBucket(t *testing.T) {
	t.Parallel()
	b := Bucket{Size: 3, Leak: 10 * time.Second, MaxWait: 30 * time.Second}
	var c store.Counter
	for i := range 3 {
		if wait, _ := b.wait(c, t0); wait != 0 {
			t.Fatalf("failure %d waits %v", i, wait)
		}
		c = b.raise(c, t0, 1)
	}
	for _, tt := range []struct {
		name  string
		c     store.Counter
		since time.Duration
		want  time.Duration
	}{
		{"full", c, 0, 10 * time.Second},
		{"leaking", c, 4 * time.Second, 6 * time.Second},
		{"leaked one", c, 10 * time.Second, 0},
		{"overfilled", b.raise(c, t0, 2), 0, 30 * time.Second},
		{"overfilled, the longest wait over", b.raise(c, t0, 2), 30 * time.Second, 0},
		{"the clock was set back", c, -time.Hour, 10 * time.Second},
		{"one taken back", b.lower(c), 0, 0},
		{"all taken back, and more", b.lower(b.lower(b.lower(b.lower(c)))), 0, 0},
	} {
		if got, _ := b.wait(tt.c, t0.Add(tt.since)); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	if c = b.raise(c, t0, 1<<62); b.level(c, t0) != 60*time.Second {
		t.Errorf("a bucket of 3 holds %v", b.level(c, t0))
	}
	// What comes at a slower rate than it leaks never waits, at the fraction of a second or not.
	c = store.Counter{}
	for now := t0; now.Before(t0.Add(time.Hour)); now = now.Add(10001 * time.Millisecond) {
		if wait, _ := b.wait(c, now); wait != 0 {
			t.Fatalf("after %v: waits %v", now.Sub(t0), wait)
		}
		c = b.raise(c, now, 1)
	}
	// And what comes faster does, in the end.
	for now := t0; ; now = now.Add(9990 * time.Millisecond) {
		if wait, _ := b.wait(c, now); wait > 0 {
			break
		}
		if c = b.raise(c, now, 1); now.After(t0.Add(day)) {
			t.Fatal("a fraction leaks for nothing")
		}
	}
}

func TestHealedEnds(t *testing.T) {
	t.Parallel()
	b := Policy{}.withDefaults().Account
	c := store.Counter{Count: 15, LastAt: t0.Add(1000 * day), KnownAt: t0.Add(1000 * day), ExpiresAt: t0.Add(1030 * day)}
	if !ahead(c, t0) {
		t.Fatal("not ahead")
	}
	c = healed(c, t0)
	if diff := cmp.Diff(store.Counter{Count: 15, LastAt: t0, KnownAt: t0, ExpiresAt: t0.Add(30 * day)}, c); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if wait, _ := b.wait(c, t0.Add(31*time.Second)); wait != time.Second {
		t.Errorf("waits %v", wait)
	}
}

func TestWhoIsHeldUpByWhat(t *testing.T) {
	t.Parallel()
	p := Policy{}.withDefaults()
	n := names{account: "account", pair: "pair", address: "address", network: "network", device: "device"}
	yesterday := t0.Add(-day)
	for _, tt := range []struct {
		name   string
		device bool
		counts map[string]store.Counter
		want   []string // charged, those that gate first letter up
	}{
		{"stranger", false, nil, []string{"Account", "Pair", "Address", "Network"}},
		{"known pair", false, map[string]store.Counter{"pair": {KnownAt: yesterday}}, []string{"Pair", "Address", "Network"}},
		{"known for too long", false, map[string]store.Counter{"pair": {KnownAt: t0.Add(-90 * day)}}, []string{"Account", "Pair", "Address", "Network"}},
		{"known pair, its own used", false, map[string]store.Counter{"pair": {KnownAt: yesterday, Count: 20, LastAt: yesterday}}, []string{"Account", "Pair", "Address", "Network"}},
		{"and a month later", false, map[string]store.Counter{"pair": {KnownAt: t0.Add(-40 * day), Count: 20, LastAt: t0.Add(-30 * day)}}, []string{"Account", "Pair", "Address", "Network"}},
		{"device", true, map[string]store.Counter{"pair": {KnownAt: yesterday}}, []string{"Device", "address", "network"}},
		{"device, its own used", true, map[string]store.Counter{"device": {Count: 20, LastAt: yesterday}}, []string{"Account", "Pair", "Address", "Network"}},
		{"device, its own used, known pair", true, map[string]store.Counter{"device": {Count: 20, LastAt: yesterday}, "pair": {KnownAt: yesterday}}, []string{"Pair", "Address", "Network"}},
	} {
		n := n
		if !tt.device {
			n.device = ""
		}
		var seen []store.Counter
		for _, key := range n.list() {
			c := tt.counts[key]
			c.Key = key
			seen = append(seen, c)
		}
		var got []string
		for _, c := range p.charges(n, seen, t0) {
			key := []byte(c.before.Key)
			if c.gates {
				key[0] -= 'a' - 'A'
			}
			got = append(got, string(key))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][2]string{
		"192.0.2.1":            {"192.0.2.1", ""},
		"::ffff:192.0.2.1":     {"192.0.2.1", ""},
		"64:ff9b::192.0.2.1":   {"192.0.2.1", ""},
		"2001:db8:1:2:3:4:5:6": {"2001:db8:1:2::/64", "2001:db8:1::/48"},
		"fe80::1%eth0":         {"fe80::/64", "fe80::/48"},
	} {
		a := netip.MustParseAddr(in)
		if got := [2]string{api.Source(a), api.Site(a)}; got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
	if api.Source(netip.Addr{}) == "" || api.Site(netip.Addr{}) != "" {
		t.Error("no address at all")
	}
}

func TestKeysTellSubjectsApart(t *testing.T) {
	t.Parallel()
	k := keyer{make([]byte, 32)}
	keys := map[string]bool{}
	for _, parts := range [][]string{{"a", "b"}, {"ab", ""}, {"", "ab"}, {"ab"}, {"a", "b", ""}} {
		keys[k.of("s", parts...)] = true
	}
	keys[k.of("t", "ab")] = true
	if len(keys) != 6 {
		t.Errorf("%d keys of 6", len(keys))
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	m := newMemory()
	for i := range 3 * memorySize {
		m.remember(string(rune(i)), &Refusal{RetryAfter: time.Hour, at: t0})
		if len(m.refusals) > memorySize {
			t.Fatalf("%d refusals", len(m.refusals))
		}
	}
	m.remember("k", &Refusal{RetryAfter: time.Minute, Reason: ReasonPair, at: t0})
	for _, tt := range []struct {
		after time.Duration
		want  time.Duration // 0 for none
	}{
		{0, time.Minute}, {999 * time.Millisecond, 59001 * time.Millisecond}, {time.Second, 0}, {0, 0},
	} {
		r := m.refusal(t0.Add(tt.after), "other", "k")
		if (r == nil) != (tt.want == 0) || r != nil && r.RetryAfter != tt.want {
			t.Errorf("after %v: %v", tt.after, r)
		}
	}
	m.remember("k", &Refusal{RetryAfter: time.Minute, at: t0})
	if r := m.refusal(t0.Add(-time.Hour), "k"); r != nil {
		t.Errorf("the clock was set back: %v", r)
	}
}
