package app

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/token"
)

// Nodes and commands with whatever settings start, run and stop for a year: the record always covers every token that is
// out, and is seldom written.
func TestRecordCoversAllTokens(t *testing.T) {
	t.Parallel()
	settings := []time.Duration{time.Minute, 15 * time.Minute, 4 * time.Hour, 24 * time.Hour}
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func() time.Duration { return settings[rnd.IntN(len(settings))] }
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var record lifetime
	var nodes [3]time.Duration // 0 is one that does not run
	writes, changes := 0, 0
	last := map[time.Duration]time.Time{} // when tokens of that life were last made
	process := func(ttl time.Duration, starts bool) {
		next := record.next(ttl, starts, now, now)
		if next != record {
			writes++
		}
		record, last[ttl] = next, now
	}
	const step = 10 * time.Second
	for range 365 * 24 * time.Hour / step {
		now = now.Add(step)
		for i := range nodes {
			if rnd.IntN(20_000) == 0 {
				changes++
				if nodes[i] = 0; rnd.IntN(3) > 0 {
					nodes[i] = pick()
					process(nodes[i], true)
				}
			}
			if nodes[i] > 0 {
				process(nodes[i], false)
			}
		}
		if rnd.IntN(100_000) == 0 {
			changes++
			process(pick(), false)
		}
		for ttl, made := range last {
			if now.Sub(made) < token.Lifetime(ttl) && record.longest(now) < ttl {
				t.Fatalf("at %v, tokens of %v are out since %v: %+v", now, ttl, made, record)
			}
		}
	}
	t.Logf("%d starts, stops and commands, %d writes", changes, writes)
	if writes > 5*changes {
		t.Errorf("%d writes", writes)
	}
}
