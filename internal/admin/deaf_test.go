package admin_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/countersign-auth/countersign/internal/admin"
	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/session"
	"github.com/countersign-auth/countersign/internal/store"
)

// deaf is a node that cannot learn what has ended.
type deaf struct{ session.Revoked }

var errDeaf = errors.New("the database is away")

func (deaf) Load(context.Context) error { return errDeaf }

// TestWhatWasDoneIsRecorded: a node that cannot learn what it has ended says so, and the audit log has it all the same.
func TestWhatWasDoneIsRecorded(t *testing.T) {
	t.Parallel()
	s, _ := start(t)
	cfg := s.App.Sessions.Config
	cfg.Revoked = deaf{cfg.Revoked}
	sessions, err := session.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	service := admin.New(admin.Config{Users: s.App.Store, Sessions: sessions, Passwords: s.App.Passwords, Logins: s.App.Logins, Audit: s.App.Audit, Now: s.Clock.Now})
	id := s.SignUp(t, "mike@example.com")
	s.LogIn(t, "mike@example.com")
	u, err := s.App.Store.User(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.App.Sessions.List(t.Context(), u)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	by, disabled := audit.By{Actor: audit.CLI}, true
	for _, c := range []struct {
		kind, event string
		do          func() error
	}{
		{"session", "ok operator cli " + id, func() error { return service.EndSession(t.Context(), by, id, list[0].ID) }},
		{"session", "ok operator_all cli " + id, func() error { return service.EndSessions(t.Context(), by, id) }},
		{"user_disabled", "ok  cli " + id, func() error {
			_, err := service.Change(t.Context(), by, id, admin.Change{Disabled: &disabled})
			return err
		}},
		{"user_deleted", "ok operator cli " + id, func() error { return service.Delete(t.Context(), by, id) }},
	} {
		if err := c.do(); !errors.Is(err, errDeaf) {
			t.Errorf("%s: %v", c.event, err)
		}
		if got := events(t, s, c.kind); !slices.Contains(got, c.event) {
			t.Errorf("%s is not among %q", c.event, got)
		}
	}
	before := len(events(t, s, "user_deleted")) + len(events(t, s, "session"))
	for _, err := range []error{service.Delete(t.Context(), by, id), service.EndSessions(t.Context(), by, id), service.EndSession(t.Context(), by, id, list[0].ID)} {
		if !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
	}
	if after := len(events(t, s, "user_deleted")) + len(events(t, s, "session")); after != before {
		t.Errorf("%d events of what was not done", after-before)
	}
}
