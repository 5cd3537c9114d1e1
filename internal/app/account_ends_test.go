package app_test

import (
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/session"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/testkit"
)

func TestDeletingOneselfAsksForAFreshLogin(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	id := s.SignUp(t, "mike@example.com")
	other, p := logIn(t, s, "mike@example.com"), logIn(t, s, "mike@example.com")
	s.SignUp(t, "jane@example.com")
	jane := logIn(t, s, "jane@example.com")

	s.Clock.Advance(time.Hour)
	p = refreshed(t, s, p.refresh) // new tokens, and the login of an hour ago
	res := by(t, s, p.access, http.MethodDelete, "/user", "")
	const want = `Bearer realm="countersign", error="insufficient_user_authentication", error_description="This needs a login of a short while ago. Log in again.", max_age="600"`
	if res.Status != http.StatusForbidden || res.Code() != "reauthenticate" || res.Header.Get("WWW-Authenticate") != want {
		t.Errorf("an hour later: %d %v %s", res.Status, res.Header, res.Body)
	}
	fresh := logIn(t, s, "mike@example.com")
	if res := by(t, s, fresh.access, http.MethodDelete, "/user", "", "Sec-Fetch-Site: cross-site"); res.Status != http.StatusForbidden || res.Code() != "cross_origin" {
		t.Errorf("cross-site: %d %s", res.Status, res.Body)
	}
	s.Clock.Advance(10*time.Minute - time.Second)
	if res := by(t, s, fresh.access, http.MethodDelete, "/user", ""); res.Status != http.StatusNoContent || res.Body != "" {
		t.Fatalf("10 minutes later: %d %s", res.Status, res.Body)
	}
	for name, p := range map[string]pair{"that deleted": fresh, "refreshed": p, "that had expired": other} {
		wantDead(t, s, p, name)
	}
	for _, c := range []struct{ method, path, body string }{
		{http.MethodPatch, "/user", `{"data":{}}`}, {http.MethodDelete, "/user", ""}, {http.MethodPost, "/logout", ""},
		{http.MethodPost, "/user/password", `{"current_password":"` + testkit.Password + `","new_password":"x` + testkit.Password + `"}`},
		{http.MethodDelete, "/user/sessions/0198c0de-0000-7000-8000-000000000000", ""},
	} {
		if res := by(t, s, fresh.access, c.method, c.path, c.body); res.Status != http.StatusUnauthorized {
			t.Errorf("%s %s: %d %s", c.method, c.path, res.Status, res.Body)
		}
	}
	if res := s.Form(t, "/login", "email", "mike@example.com", "password", testkit.Password); res.Status != http.StatusUnauthorized {
		t.Errorf("login: %d", res.Status)
	}
	refreshed(t, s, jane.refresh)
	if got := events(t, s, "user_deleted"); !slices.Equal(got, []string{"ok"}) {
		t.Errorf("events %v", got)
	}

	// The address is free at once, for somebody else.
	if again := s.SignUp(t, "mike@example.com"); again == id {
		t.Error("a new user has the id of the old one")
	}
	anew := logIn(t, s, "mike@example.com")
	if a := accountOf(t, by(t, s, anew.access, http.MethodGet, "/user", "")); a.Sessions != 1 {
		t.Errorf("%+v", a)
	}
	wantDead(t, s, fresh, "the old user's token after the new one")
}

func TestParallelDeletions(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.SignUp(t, "mike@example.com")
	p := logIn(t, s, "mike@example.com")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if res := by(t, s, p.access, http.MethodDelete, "/user", ""); res.Status != http.StatusNoContent && res.Status != http.StatusUnauthorized {
				t.Errorf("%d %s", res.Status, res.Body)
			}
		})
	}
	wg.Wait()
	if got := events(t, s, "user_deleted"); len(got) != 1 {
		t.Errorf("events %v", got)
	}
}

func TestDisabledUsersAreOutAtOnce(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	id := s.SignUp(t, "mike@example.com")
	p := logIn(t, s, "mike@example.com")
	if _, err := s.App.Sessions.EndAll(t.Context(), id, func(u *store.User) error { u.DisabledAt = s.Clock.Now(); return nil }); err != nil {
		t.Fatal(err)
	}
	wantDead(t, s, p, "a disabled user")
	change(t, s, id, func(u *store.User) { u.DisabledAt = time.Time{} })
	wantDead(t, s, p, "an enabled user's old session")
	wantAlive(t, s, logIn(t, s, "mike@example.com"), "a new login")
}

// TestNoSessionForAStaleLogin opens a session as a login does that has read the user before they were disabled, logged out
// everywhere or deleted.
func TestNoSessionForAStaleLogin(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	for name, c := range map[string]struct {
		meanwhile func(id string) error
		want      error
	}{
		"disabled": {func(id string) error {
			_, err := s.App.Sessions.EndAll(t.Context(), id, func(u *store.User) error { u.DisabledAt = s.Clock.Now(); return nil })
			return err
		}, store.ErrConflict},
		"ended": {func(id string) error {
			_, err := s.App.Sessions.EndAll(t.Context(), id, nil)
			return err
		}, store.ErrConflict},
		"deleted": {func(id string) error { return s.App.Store.DeleteUser(t.Context(), id, s.Clock.Now()) }, store.ErrNotFound},
	} {
		id := s.SignUp(t, name+"@example.com")
		read, err := s.App.Store.User(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.meanwhile(id); err != nil {
			t.Fatal(err)
		}
		opened, err := s.App.Sessions.Open(t.Context(), session.Login{User: read})
		if !errors.Is(err, c.want) || opened.Tokens.Refresh != "" || opened.Tokens.Access.Token != "" {
			t.Errorf("%s: tokens %v, error %v", name, opened.Tokens.Refresh != "", err)
		}
		if list, err := s.App.Store.ListSessions(t.Context(), id); err != nil || len(list) != 0 {
			t.Errorf("%s: %d sessions (%v)", name, len(list), err)
		}
	}
}
