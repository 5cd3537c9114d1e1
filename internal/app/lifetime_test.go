package app_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/app"
	"github.com/countersign-auth/countersign/internal/config"
	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/internal/token"
)

// A shorter jwt.access_ttl is not that of the tokens that are out.
func TestLifetimeOutlivesTheSetting(t *testing.T) {
	t.Parallel()
	data, clock := t.TempDir(), testkit.NewClock()
	restart := func(ttl string) time.Duration {
		t.Helper()
		cfg, _, err := config.Load(config.Sources{Environ: []string{"COUNTERSIGN_DATA=" + data, "COUNTERSIGN_JWT_ACCESS_TTL=" + ttl}})
		if err != nil {
			t.Fatal(err)
		}
		a, err := app.Open(t.Context(), cfg, cfg.Listen, slog.New(slog.DiscardHandler), clock.Now)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		}()
		if _, err := a.Server(t.Context()); err != nil {
			t.Fatal(err)
		}
		return a.Tokens.Lifetime()
	}
	for i, step := range []struct {
		after    time.Duration
		ttl      string
		lifetime time.Duration
	}{
		{0, "15m", 15 * time.Minute},
		{0, "4h", 4 * time.Hour},
		{time.Hour, "10m", 4 * time.Hour},
		{3 * time.Hour, "5m", 4 * time.Hour}, // twice the four hours, for nodes that are restarted later
		{6 * time.Hour, "5m", 5 * time.Minute},
		{time.Hour, "20m", 20 * time.Minute},
		{time.Minute, "5m", 20 * time.Minute},
		{time.Minute, "20m", 20 * time.Minute},
		{time.Hour, "5m", 20 * time.Minute}, // which began anew
	} {
		clock.Advance(step.after)
		if got, want := restart(step.ttl), token.Lifetime(step.lifetime); got != want {
			t.Errorf("step %d: %v, want %v", i, got, want)
		}
	}
}
