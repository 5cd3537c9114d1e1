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

// TestWhatCommandsEndStaysEnded holds that a command, which may not know how long the tokens that are out live, makes
// revocations that outlive any of them.
func TestWhatCommandsEndStaysEnded(t *testing.T) {
	t.Parallel()
	for name, sign := range map[string]func(t *testing.T, env []string){
		"by a server": func(t *testing.T, env []string) { serveOnce(t, env) },
		"by a command": func(t *testing.T, env []string) {
			countersign(t, env, "", "token", "sign", "mike@example.com")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := []string{"COUNTERSIGN_DATA=" + filepath.Join(t.TempDir(), "data"), "COUNTERSIGN_PASSWORD_BCRYPT_COST=4"}
			countersign(t, env, "correct-horse\n", "user", "create", "mike@example.com")
			short := append(env[:len(env):len(env)], "COUNTERSIGN_JWT_ACCESS_TTL=5m")
			serveOnce(t, short)
			sign(t, append(env[:len(env):len(env)], "COUNTERSIGN_JWT_ACCESS_TTL=6h"))
			serveOnce(t, short) // those tokens are out still
			checkRevocations(t, env)
		})
	}
}

// countersign runs a command, which must do well.
func countersign(t *testing.T, env []string, stdin string, args ...string) (output string) {
	t.Helper()
	var out, log bytes.Buffer
	if code := run(context.Background(), world{args: args, env: env, stdin: strings.NewReader(stdin), stdout: &out, stderr: &log}); code != exitOK {
		t.Fatalf("%v: %d\n%s%s", args, code, &out, &log)
	}
	return out.String()
}

// opened has use work with an App of these settings, and closes it.
func opened(t *testing.T, env []string, use func(*app.App)) {
	t.Helper()
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
	use(a)
}

// checkRevocations has three commands end tokens that live for six hours.
func checkRevocations(t *testing.T, env []string) {
	t.Helper()
	countersign(t, env, "", "user", "sessions", "mike@example.com", "--end-all")
	countersign(t, env, "", "user", "disable", "mike@example.com")
	countersign(t, env, "", "user", "delete", "mike@example.com", "--yes")

	opened(t, env, func(a *app.App) {
		revoked, err := a.Store.Revocations(t.Context(), 0, 100)
		if err != nil || len(revoked) != 3 {
			t.Fatalf("%v (%v)", revoked, err)
		}
		for _, r := range revoked {
			if left := time.Until(r.ExpiresAt); left < 6*time.Hour || left > 7*time.Hour {
				t.Errorf("a revocation ends at %v", r.ExpiresAt)
			}
		}
	})
}

// serveOnce makes a server with these settings ready, and ends it.
func serveOnce(t *testing.T, env []string) {
	t.Helper()
	opened(t, env, func(a *app.App) {
		if _, err := a.Server(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
