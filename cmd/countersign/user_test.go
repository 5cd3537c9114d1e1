package main

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/app"
	"github.com/countersign-auth/countersign/internal/config"
)

// TestWhatCommandsEndStaysEnded holds that a command, which may not know how long the tokens of the server live, makes
// revocations that outlive any token there may be.
func TestWhatCommandsEndStaysEnded(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	env := []string{"COUNTERSIGN_DATA=" + data, "COUNTERSIGN_PASSWORD_BCRYPT_COST=4"}
	command := func(stdin string, args ...string) {
		t.Helper()
		var out bytes.Buffer
		if code := run(context.Background(), world{args: args, env: env, stdin: strings.NewReader(stdin), stdout: &out, stderr: &out}); code != exitOK {
			t.Fatalf("%v: %d\n%s", args, code, &out)
		}
	}
	command("correct-horse\n", "user", "create", "mike@example.com")
	serveOnce(t, append(env, "COUNTERSIGN_JWT_ACCESS_TTL=6h"))
	serveOnce(t, append(env, "COUNTERSIGN_JWT_ACCESS_TTL=5m")) // the tokens of before are out still
	command("", "user", "sessions", "mike@example.com", "--end-all")
	command("", "user", "disable", "mike@example.com")
	command("", "user", "delete", "mike@example.com", "--yes")

	cfg, _, err := config.Load(config.Sources{Environ: env})
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.Open(t.Context(), cfg, cfg.Listen, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	revoked, err := a.Store.Revocations(t.Context(), 0, 100)
	if err != nil || len(revoked) != 3 {
		t.Fatalf("%v (%v)", revoked, err)
	}
	for _, r := range revoked {
		if left := time.Until(r.ExpiresAt); left < 6*time.Hour || left > 7*time.Hour {
			t.Errorf("a revocation ends at %v", r.ExpiresAt)
		}
	}
}

// serveOnce makes a server with these settings ready, and ends it.
func serveOnce(t *testing.T, env []string) {
	t.Helper()
	cfg, _, err := config.Load(config.Sources{Environ: env})
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.Open(t.Context(), cfg, cfg.Listen, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Server(t.Context()); err != nil {
		t.Error(err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}
