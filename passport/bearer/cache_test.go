package bearer_test

import (
	"testing"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport/bearer"
)

// cached returns a strategy with a cache in which everything lives unless cfg says otherwise.
func cached(t testing.TB, v bearer.Verifier, cfg bearer.CacheConfig[*user]) (*bearer.Strategy[*user], *bearer.Cache[*user]) {
	t.Helper()
	if cfg.Live == nil {
		cfg.Live = func(*jwt.Token, *user) bool { return true }
	}
	c, err := bearer.NewCache(v, load, cfg)
	if err != nil {
		t.Fatal(err)
	}
	s, err := bearer.NewCached(c, bearer.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}
