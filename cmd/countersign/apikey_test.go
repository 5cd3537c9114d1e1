package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/internal/app"
	"github.com/countersign-auth/countersign/internal/config"
	"github.com/countersign-auth/countersign/passport"
)

// TestAPIKeyCommands has a server that runs already meet what the commands do to keys, on each database.
func TestAPIKeyCommands(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, d database) {
		env := append([]string{"COUNTERSIGN_DATA=" + t.TempDir(), "COUNTERSIGN_PASSWORD_BCRYPT_COST=4"}, d.settings...)
		output := func(args ...string) string {
			t.Helper()
			var out, log bytes.Buffer
			if code := run(context.Background(), world{args: args, env: env, stdin: strings.NewReader("correct-horse\n"), stdout: &out, stderr: &log}); code != exitOK {
				t.Fatalf("%v: %d\n%s", args, code, &log)
			}
			return out.String()
		}
		output("user", "create", "mike@example.com")
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
		guard := a.APIKeys.Guard().Require(passport.RequireScope("admin"))
		check := func(when, key string, want passport.Kind) {
			t.Helper()
			r := httptest.NewRequest(http.MethodGet, "/", nil).WithContext(t.Context())
			r.Header.Set("X-API-Key", key)
			if res, err := guard.Check(r); err != nil || res.Kind != want {
				t.Errorf("%s: %v %+v (%v), want %v", when, res.Kind, res.Problem, err, want)
			}
		}
		key := strings.TrimSuffix(output("apikey", "create", "mike@example.com", "--name", "back end", "--scope", "admin"), "\n")
		other := strings.TrimSuffix(output("apikey", "create", "mike@example.com", "--name", "other"), "\n")
		check("made", key, passport.Succeeded)
		check("without the scope", other, passport.Failed)
		if list := output("apikey", "list", "mike@example.com"); strings.Count(list, "\n") != 3 || !strings.Contains(list, key[4:20]) || strings.Contains(list, "csk_") {
			t.Errorf("the list is %s", list)
		}
		output("user", "disable", "mike@example.com")
		check("disabled", key, passport.Failed)
		output("user", "enable", "mike@example.com")
		check("enabled", key, passport.Succeeded)
		output("apikey", "revoke", "mike@example.com", other[4:20])
		check("after the other was revoked", key, passport.Succeeded)
		output("apikey", "revoke", "mike@example.com", "--all")
		check("revoked", key, passport.Failed)
	})
}
