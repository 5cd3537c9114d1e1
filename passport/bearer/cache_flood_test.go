package bearer_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport/bearer"
)

// tokenOf is a token for the verifier subjects, of that length at least.
func tokenOf(subject string, n, length int) string {
	end := fmt.Sprintf(".%s.%d", subject, n) // what differs is at the end, as signatures are
	return subject + "." + strings.Repeat("x", max(0, length-len(subject)-len(end))) + end
}

// residents are tokens of people who use them.
func residents(t *testing.T, s *bearer.Strategy[*user], name string, n int) (tokens []string) {
	t.Helper()
	for i := range n {
		tokens = append(tokens, tokenOf(fmt.Sprintf("%s-%d", name, i), i, 600))
		comes(t, s, tokens[i])
		comes(t, s, tokens[i])
	}
	return tokens
}

// hits sends each token once and says how many were found.
func hits(t *testing.T, s *bearer.Strategy[*user], c *bearer.Cache[*user], tokens []string) int {
	t.Helper()
	before := c.Stats().Hits
	for _, tok := range tokens {
		comes(t, s, tok)
	}
	return int(c.Stats().Hits - before)
}

// TestCacheIsNotFloodedByOne: who gets token after token, as by refreshing all the time, has a share and no more.
func TestCacheIsNotFloodedByOne(t *testing.T) {
	t.Parallel()
	now := time.Now().Truncate(time.Minute)
	s, c := cached(t, subjects{}, bearer.CacheConfig[*user]{Entries: 1024, PerSubject: 16, Now: func() time.Time { return now }})
	tokens := residents(t, s, "resident", 100)
	held := c.Stats().Entries
	for i := range 9000 {
		comes(t, s, tokenOf("mallory", i/3, 0))
	}
	if more := c.Stats().Entries - held; more < 12 || more > 16 { // fewer where residents are counted in the same cell
		t.Errorf("mallory has %d entries", more)
	}
	if got := hits(t, s, c, tokens); got != len(tokens) {
		t.Errorf("%d of %d are remembered", got, len(tokens))
	}
	now = now.Add(time.Minute)
	comes(t, s, "mallory.new")
	comes(t, s, "mallory.new")
	if stats := c.Stats(); stats.Refused < 8000 || hits(t, s, c, []string{"mallory.new"}) != 1 {
		t.Errorf("a minute later nothing new is taken: %+v", stats)
	}
}

// TestCacheIsNotFloodedByMany: many who come once put out nobody, and take nobody's place; nor do those who come twice put
// out anybody, and the memory stays bounded.
func TestCacheIsNotFloodedByMany(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	for name, cfg := range map[string]bearer.CacheConfig[*user]{
		"by entries": {Entries: 2048, PerSubject: -1},
		"by bytes":   {Entries: 1 << 14, Bytes: limit, PerSubject: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := cached(t, subjects{}, cfg)
			tokens := residents(t, s, "resident", 100)
			flood := func(times int) {
				for i := range 8000 {
					for range times {
						comes(t, s, tokenOf(fmt.Sprintf("%d-%d", times, i), i, i%4000))
					}
					if stats := c.Stats(); stats.Entries > 1<<14 || cfg.Bytes == limit && stats.Bytes > limit {
						t.Fatalf("%+v", stats)
					}
				}
			}
			flood(1)
			if stats := c.Stats(); stats.Entries != 100 {
				t.Errorf("who came once has a place: %+v", stats)
			}
			late := residents(t, s, "late", 50)
			flood(2)
			for _, tokens := range [][]string{tokens, late} {
				if got := hits(t, s, c, tokens); got < len(tokens)-1 { // one may have found its set in use
					t.Errorf("%d of %d are remembered; %+v", got, len(tokens), c.Stats())
				}
			}
			if c.Stats().Refused == 0 {
				t.Error("nobody was refused")
			}
		})
	}
}

// TestCacheFillsUp: where more are in use than there is room for, as many as there is room for are found.
func TestCacheFillsUp(t *testing.T) {
	t.Parallel()
	s, c := cached(t, subjects{}, bearer.CacheConfig[*user]{Entries: 512})
	tokens := make([]string, 4096)
	for i := range tokens {
		tokens[i] = tokenOf(fmt.Sprint("u", i), i, 0)
	}
	for range 5 {
		hits(t, s, c, tokens)
	}
	if got := hits(t, s, c, tokens); got < 400 {
		t.Errorf("%d are remembered of %d", got, 512)
	}
	if stats := c.Stats(); stats.Entries > 512 || stats.Refused == 0 {
		t.Errorf("%+v", stats)
	}
}

// TestCacheFreesTheExpired: what has expired makes room without being asked for.
func TestCacheFreesTheExpired(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s, c := cached(t, subjects{}, bearer.CacheConfig[*user]{Entries: 1 << 12, Bytes: 1 << 20, Now: func() time.Time { return now }})
	residents(t, s, "first", 500) // of some 3 KiB each: more than there is room for
	if stats := c.Stats(); stats.Bytes > 1<<20 || stats.Bytes < 900<<10 {
		t.Errorf("%+v", stats)
	}
	now = now.Add(2 * time.Minute)
	second := residents(t, s, "second", 300)
	for range 20 {
		hits(t, s, c, second)
	}
	if got := hits(t, s, c, second); got < 290 {
		t.Errorf("%d of %d are remembered; %+v", got, len(second), c.Stats())
	}
}

// TestCacheDoesNotKeepLongTokens: what no verifier takes by default is not even looked for.
func TestCacheDoesNotKeepLongTokens(t *testing.T) {
	t.Parallel()
	s, c := cached(t, subjects{}, bearer.CacheConfig[*user]{})
	for range 3 {
		comes(t, s, "alice."+strings.Repeat("x", jwt.DefaultMaxBytes))
	}
	if stats := c.Stats(); stats.Entries != 0 || stats.Hits != 0 {
		t.Errorf("%+v", stats)
	}
}

// TestCacheUnderLoad has everything at once, for the race detector: when a session has ended, no request that begins
// after that is let in.
func TestCacheUnderLoad(t *testing.T) {
	t.Parallel()
	const sessions = 256
	var ended [sessions]atomic.Bool
	alive := func(subject string) bool {
		var n int
		_, err := fmt.Sscanf(subject, "s%d", &n)
		return err == nil && !ended[n].Load()
	}
	c, err := bearer.NewCache(subjects{}, func(_ context.Context, tok *jwt.Token) (*user, bool, error) {
		return &user{tok.Subject}, alive(tok.Subject), nil
	}, bearer.CacheConfig[*user]{Entries: 64, PerSubject: -1, MaxAge: time.Second, Live: func(_ *jwt.Token, u *user) bool { return alive(u.ID) }})
	if err != nil {
		t.Fatal(err)
	}
	s, err := bearer.NewCached(c, bearer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const workers, requests = 8, 5000
	var all sync.WaitGroup
	for g := range workers {
		all.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(g)))
			for i := range requests {
				n := int(random.ExpFloat64()*20) % sessions // some come often, others seldom
				over := ended[n].Load()
				o, err := s.Authenticate(with(fmt.Sprintf("s%d.x", n)))
				if u, ok := o.User(); err != nil || ok && (over || u.ID != fmt.Sprintf("s%d", n)) {
					t.Errorf("s%d, over %v: %v %v", n, over, u, err)
				}
				if i%50 == g {
					ended[random.IntN(sessions)].Store(true)
				}
				if i%500 == 0 {
					_ = c.String()
				}
			}
		})
	}
	all.Wait()
	stats := c.Stats()
	if stats.Hits+stats.Misses != workers*requests || stats.Entries > 64 || stats.Hits == 0 {
		t.Errorf("%+v", stats)
	}
}
