package admin_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/internal/testkit/mongotest"
	"github.com/countersign-auth/countersign/internal/testkit/pgtest"
)

// onEachDatabase runs a test on each kind of database, a fresh one each.
func onEachDatabase(t *testing.T, test func(t *testing.T, s, routes *testkit.Server)) {
	t.Helper()
	const shared = "master_key=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	for name, settings := range map[string]func(*testing.T) []string{
		"SQLite":     func(*testing.T) []string { return nil },
		"PostgreSQL": func(t *testing.T) []string { return []string{"database=" + pgtest.Database(t), shared} },
		"MongoDB":    func(t *testing.T) []string { return []string{"database=" + mongotest.Start(t).URL("admin"), shared} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, routes := start(t, settings(t)...)
			test(t, s, routes)
		})
	}
}

func TestAUsersLifeOnEachDatabase(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, life)
}

// TestPatchesAtOnce: without a version each counts; with one, one does.
func TestPatchesAtOnce(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, s, routes *testkit.Server) {
		id := s.SignUp(t, "mike@example.com")
		path := users + "/" + id
		const n = 8
		statuses := make([]int, 2*n)
		var patching sync.WaitGroup
		for i := range n {
			for j, body := range []string{fmt.Sprintf(`{"roles":["r%d"]}`, i), fmt.Sprintf(`{"admin_data":{"n":%d}}`, i)} {
				patching.Go(func() { statuses[2*i+j] = do(t, routes, "PATCH", path, body).Status })
			}
		}
		patching.Wait()
		if slices.ContainsFunc(statuses, func(status int) bool { return status != http.StatusOK }) {
			t.Errorf("without a version: %v", statuses)
		}
		u, err := s.App.Store.User(t.Context(), id)
		if err != nil || u.Version != 1+2*n || len(u.Roles) != 1 || !strings.HasPrefix(string(u.AdminData), `{"n":`) {
			t.Errorf("%+v (%v)", u, err)
		}
		for i := range statuses {
			patching.Go(func() {
				body := fmt.Sprintf(`{"disabled":%t,"roles":["v%d"],"version":%d}`, i%2 == 0, i, u.Version)
				statuses[i] = do(t, routes, "PATCH", path, body).Status
			})
		}
		patching.Wait()
		slices.Sort(statuses)
		if statuses[0] != http.StatusOK || slices.ContainsFunc(statuses[1:], func(status int) bool { return status != http.StatusConflict }) {
			t.Errorf("with a version: %v", statuses)
		}
	})
}

// TestPatchWhileDeleted: a user who is deleted meanwhile is not made again by a change.
func TestPatchWhileDeleted(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, s, routes *testkit.Server) {
		path := users + "/" + s.SignUp(t, "mike@example.com")
		var patching sync.WaitGroup
		for i := range 6 {
			patching.Go(func() {
				for n := 0; ; n++ {
					res := do(t, routes, "PATCH", path, fmt.Sprintf(`{"disabled":%t,"admin_data":{"n":%d}}`, i%2 == 0, n))
					if res.Status == http.StatusNotFound {
						return
					}
					if res.Status != http.StatusOK || n > 200 {
						t.Errorf("%d %s", res.Status, res.Body)
						return
					}
				}
			})
		}
		patching.Go(func() {
			if res := do(t, routes, "DELETE", path, ""); res.Status != http.StatusNoContent {
				t.Errorf("%d %s", res.Status, res.Body)
			}
		})
		patching.Wait()
		if res := do(t, routes, "GET", path, ""); res.Status != http.StatusNotFound {
			t.Errorf("%d %s", res.Status, res.Body)
		}
		s.SignUp(t, "mike@example.com")
	})
}

// TestDisabledWhileLoggingIn: whatever a login that is under way gets, it opens nothing once the user is disabled.
func TestDisabledWhileLoggingIn(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, func(t *testing.T, s, routes *testkit.Server) {
		path := users + "/" + s.SignUp(t, "mike@example.com")
		var mu sync.Mutex
		var tokens []string
		var logins sync.WaitGroup
		for range 6 {
			logins.Go(func() {
				for range 200 {
					res := s.Form(t, "/login", "email", "mike@example.com", "password", testkit.Password)
					if res.Status != http.StatusOK {
						return
					}
					mu.Lock()
					tokens = append(tokens, res.Get("token"))
					mu.Unlock()
				}
				t.Error("nobody disabled the user")
			})
		}
		if res := do(t, routes, "PATCH", path, `{"disabled":true}`); res.Status != http.StatusOK {
			t.Errorf("%d %s", res.Status, res.Body)
		}
		logins.Wait()
		for _, token := range tokens {
			if res := s.Profile(t, token); res.Status != http.StatusUnauthorized {
				t.Errorf("a token of a disabled user: %d", res.Status)
			}
		}
		if res := do(t, routes, "GET", path, ""); !strings.Contains(res.Body, `"sessions":0`) {
			t.Errorf("%d %s", res.Status, res.Body)
		}
	})
}
