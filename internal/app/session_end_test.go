package app_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign-auth/countersign/internal/session"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/internal/token"
)

func TestReplaysOfAnOldTokenAtOnce(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "limits.insecure_disabled=true")
	s.SignUp(t, "mike@example.com")
	for range 5 {
		first := logIn(t, s, "mike@example.com")
		p := first
		for range 3 {
			p = refreshed(t, s, p.refresh)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() { wantNoTokens(t, s, first.refresh, "old") })
		}
		wg.Wait()
	}
	if n := strings.Count(s.Log(), `"reason":"reused"`); n != 5 {
		t.Errorf("%d events of 5 reuses", n)
	}
	if stats := s.App.Sessions.Stats(); stats.Reused != 5 || stats.Refused != 35 {
		t.Errorf("%+v", stats)
	}
}

// An old refresh token ends its own session, here as at /token/refresh, and no other.
func TestOldRefreshTokenLogsNobodyElseOut(t *testing.T) {
	t.Parallel()
	for _, scope := range []string{"this", "others", "all"} {
		s := testkit.Start(t)
		s.SignUp(t, "mike@example.com")
		other, first := logIn(t, s, "mike@example.com"), logIn(t, s, "mike@example.com")
		p := first
		for range 4 {
			p = refreshed(t, s, p.refresh)
		}
		if res := s.Form(t, "/logout", "refresh_token", first.refresh, "scope", scope); res.Status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", scope, res.Status, res.Body)
		}
		wantNoTokens(t, s, p.refresh, "the session itself")
		refreshed(t, s, other.refresh)
		if !strings.Contains(s.Log(), `"reason":"reused"`) {
			t.Errorf("%s: no event", scope)
		}
	}
}

// A logout ends the token that asks for it, even if the store has no session of it.
func TestLogoutWithoutARecord(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "session.idle=15m", "session.brief=15m")
	id := s.SignUp(t, "mike@example.com")
	user, err := s.App.Store.User(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.App.Tokens.Mint(token.Grant{User: user, Session: uuid.NewString()})
	if err != nil {
		t.Fatal(err)
	}
	p := refreshed(t, s, logIn(t, s, "mike@example.com").refresh)
	if _, err := s.App.Store.DeleteExpired(t.Context(), s.Clock.Now().Add(16*time.Minute), 10); err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"of a command": signed.Token, "of a session that was swept": p.access} {
		if res := s.Do(t, s.Request(t, http.MethodPost, "/logout", "", "Authorization: Bearer "+text)); res.Status != http.StatusNoContent {
			t.Errorf("%s: %d %s", what, res.Status, res.Body)
		}
		if res := s.Profile(t, text); res.Status != http.StatusUnauthorized {
			t.Errorf("%s: lives on: %d", what, res.Status)
		}
	}
}

func TestRepeatedAnswerDoesNotOutliveTheSession(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "session.idle=15m", "session.brief=15m")
	s.SignUp(t, "mike@example.com")
	first := logIn(t, s, "mike@example.com")
	refreshed(t, s, first.refresh)
	s.Clock.Advance(14 * time.Minute)
	if again := refresh(t, s, first.refresh); !strings.Contains(again.Body, `"expires_in":59,`) && !strings.Contains(again.Body, `"expires_in":60,`) {
		t.Errorf("%s", again.Body)
	}
}

func TestSessionsThatMakeRoomEndAtOnce(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "session.per_user=1", "limits.insecure_disabled=true")
	s.SignUp(t, "mike@example.com")
	before := logIn(t, s, "mike@example.com")
	for range 10 {
		p := logIn(t, s, "mike@example.com")
		if res := s.Profile(t, before.access); res.Status != http.StatusUnauthorized {
			t.Fatalf("the token of the session that had to go: %d", res.Status)
		}
		before = p
	}
}

// Where no secret is shared nobody else mints tokens, so a user whom the store does not know is none.
func TestTokensWithoutAnEpoch(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		settings []string
		want     int
	}{
		"own keys":      {nil, http.StatusUnauthorized},
		"shared secret": {[]string{"jwt.secret=" + testkit.Secret}, http.StatusOK},
	} {
		s := testkit.Start(t, tt.settings...)
		id := s.SignUp(t, "mike@example.com")
		user, err := s.App.Store.User(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		user.Epoch = "" // as an earlier version made tokens
		old, err := s.App.Tokens.Mint(token.Grant{User: user, Session: uuid.NewString()})
		if err != nil {
			t.Fatal(err)
		}
		if res := s.Profile(t, old.Token); res.Status != http.StatusOK {
			t.Errorf("%s: of a user who is there: %d", name, res.Status)
		}
		if err := s.App.Sessions.Delete(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if res := s.Profile(t, old.Token); res.Status != tt.want {
			t.Errorf("%s: of a user who is gone: %d, want %d", name, res.Status, tt.want)
		}
	}
}

// TestSessionsOfAnotherEpochHaveEnded: whoever changes a user's epoch need not find their sessions, and may be ended before
// that: what is left of them is worth nothing.
func TestSessionsOfAnotherEpochHaveEnded(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	id := s.SignUp(t, "mike@example.com")
	old := logIn(t, s, "mike@example.com")
	change(t, s, id, func(u *store.User) { u.Epoch = session.NewEpoch() })
	young := logIn(t, s, "mike@example.com")
	if kept, err := s.App.Store.ListSessions(t.Context(), id); err != nil || len(kept) != 2 {
		t.Fatalf("%d sessions, %v", len(kept), err)
	}
	wantNoTokens(t, s, old.refresh, "a session of the epoch before")
	if res := by(t, s, old.access, http.MethodGet, "/user", ""); res.Status != http.StatusUnauthorized {
		t.Errorf("what reads the user takes a token of the epoch before: %d %s", res.Status, res.Body)
	}
	if list := sessionsOf(t, by(t, s, young.access, http.MethodGet, "/user/sessions", "")); len(list) != 1 || !list[0].Current {
		t.Errorf("%+v", list)
	}
	refreshed(t, s, young.refresh)
}
