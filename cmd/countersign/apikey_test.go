package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/internal/app"
	"github.com/countersign-auth/countersign/passport"
)

// TestAPIKeyCommands has a server that runs already meet what the commands do to keys, on each database.
func TestAPIKeyCommands(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, d database) {
		env := append([]string{"COUNTERSIGN_DATA=" + t.TempDir(), "COUNTERSIGN_PASSWORD_BCRYPT_COST=4"}, d.settings...)
		output := func(args ...string) string {
			t.Helper()
			return countersign(t, env, "correct-horse\n", args...)
		}
		output("user", "create", "mike@example.com")
		opened(t, env, func(a *app.App) {
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
	})
}
