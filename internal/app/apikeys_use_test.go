package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/apikey"
	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/testkit"
)

func TestAPIKeysAreBounded(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	token := s.SignUpAndLogIn(t, "mike@example.com")
	var wg sync.WaitGroup
	for range 2 * apikey.MaxPerUser {
		wg.Go(func() {
			res := by(t, s, token, http.MethodPost, "/user/keys", `{"name":"x"}`)
			if res.Status != http.StatusOK && (res.Status != http.StatusConflict || res.Code() != "too_many_keys") {
				t.Errorf("%d %s", res.Status, res.Body)
			}
		})
	}
	wg.Wait()
	for { // of those that were made at once too many may have given way
		n := len(apiKeysOf(t, s, token))
		if n > apikey.MaxPerUser {
			t.Fatalf("%d keys", n)
		}
		if n == apikey.MaxPerUser {
			break
		}
		makeKey(t, s, token, `{"name":"x"}`)
	}
	if res := by(t, s, token, http.MethodPost, "/user/keys", `{"name":"x"}`); res.Status != http.StatusConflict || res.Code() != "too_many_keys" {
		t.Errorf("one more: %d %s", res.Status, res.Body)
	}
	if res := by(t, s, token, http.MethodDelete, "/user/keys/"+apiKeysOf(t, s, token)[7].ID, ""); res.Status != http.StatusNoContent {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	makeKey(t, s, token, `{"name":"x"}`)
}

// TestLastUseOfAPIKeys counts the writes by the version of the record.
func TestLastUseOfAPIKeys(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	token := s.SignUpAndLogIn(t, "mike@example.com")
	k := makeKey(t, s, token, `{"name":"x"}`)
	ask := guarded(t, s)
	used := func() time.Time {
		t.Helper()
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if status, body := ask("X-API-Key: " + k.APIKey); status != 200 {
					t.Errorf("%d %s", status, body)
				}
			})
		}
		wg.Wait()
		now := s.Clock.Now().UTC().Truncate(time.Second)
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			if list := apiKeysOf(t, s, token); list[0].LastUsedAt != nil && now.Sub(*list[0].LastUsedAt) < time.Minute {
				return *list[0].LastUsedAt
			}
		}
		t.Fatal("the use is not there")
		return time.Time{}
	}
	first := used()
	s.Clock.Advance(30 * time.Second)
	if again := used(); again != first {
		t.Errorf("it was written after half a minute, %v and then %v", first, again)
	}
	s.Clock.Advance(31 * time.Second)
	if again := used(); again.Sub(first) < time.Minute {
		t.Errorf("after a minute: %v and then %v", first, again)
	}
	if res := by(t, s, token, http.MethodDelete, "/user/keys/"+k.Key.ID, ""); res.Status != http.StatusNoContent {
		t.Errorf("a key that was used: %d", res.Status)
	}
}

// TestFloodOfBadAPIKeys demands that however many there are, they are a line or two of the audit log.
func TestFloodOfBadAPIKeys(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	ask := guarded(t, s)
	for i := range 500 {
		if status, _ := ask(fmt.Sprintf("X-API-Key: csk_%d", i)); status != 401 {
			t.Fatalf("%d", status)
		}
	}
	if got := events(t, s, "apikey"); len(got) != 0 {
		t.Errorf("before the minute ends there are %v", got)
	}
	if n := strings.Count(s.Log(), `"kind":"apikey"`); n != 0 {
		t.Errorf("%d lines of the log", n)
	}
	if err := s.App.Audit.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, err := s.App.Store.ListEvents(t.Context(), "", 10)
	if err != nil || len(all) != 1 || all[0].Result != audit.Refused || all[0].Reason != "invalid_api_key" || all[0].Count != 500 {
		t.Errorf("%+v (%v)", all, err)
	}
}
