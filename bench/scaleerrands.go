package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/countersign-auth/countersign/internal/store"
)

// perUser is how many sessions a user may have; none of those here has so many.
const perUser = 20

// warmAt reads what the errands read.
func warmAt(ctx context.Context, s store.Store, r resident) error {
	_, err := s.Candidate(ctx, "password", r.email, time.Now())
	if err == nil {
		_, _, err = s.Session(ctx, r.session)
	}
	if err == nil {
		err = searchAt(ctx, s, r)
	}
	return err
}

// logInAt does what a login with the right password does: it counts the attempt
// before, and opens a session with the counters and the event of a success.
func logInAt(ctx context.Context, s store.Store, r resident) error {
	now := time.Now()
	until := now.Add(time.Hour)
	keys := []string{"account:" + r.id, "client:192.0.2.1"}
	c, err := s.Candidate(ctx, "password", r.email, now, keys...)
	if err != nil {
		return err
	}
	if c.User.ID != r.id || c.Credential.UserID != r.id {
		return fmt.Errorf("%s has the user %q", r.email, c.User.ID)
	}
	attempt := c.Counters
	for i := range attempt {
		attempt[i].Count, attempt[i].LastAt, attempt[i].ExpiresAt = attempt[i].Count+1, now, until
	}
	if _, err := s.SwapCounters(ctx, now, attempt...); err != nil {
		return err
	}
	for i := range attempt {
		attempt[i].Count, attempt[i].KnownAt, attempt[i].Version = 0, now, attempt[i].Version+1
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	opened, err := s.CreateSession(ctx, store.Opening{
		Session: r.newSession(r.loginSession()), Proof: store.Proof{Method: "password", Key: r.email, Version: c.Credential.Version},
		Limit: perUser, Until: until, Counters: attempt, Now: now,
		Events: []store.Event{{
			ID: id.String(), At: now, Kind: "login", Result: "ok", UserID: r.id, Subject: r.id, Method: "password",
			Client: "192.0.2.1", RequestID: r.id, Count: 1,
		}},
	})
	if err == nil && !(opened.Swapped[0] && opened.Swapped[1]) {
		err = fmt.Errorf("the counters were changed by others: %v", opened.Swapped)
	}
	return err
}

func logOutAt(ctx context.Context, s store.Store, r resident) error {
	_, err := s.EndSessions(ctx, r.id, store.Which{Only: r.loginSession()}, time.Now())
	return err
}

func refreshAt(ctx context.Context, s store.Store, r resident) error {
	session, _, err := s.Session(ctx, r.session)
	if err != nil {
		return err
	}
	session.Generation++
	session.LastUsedAt = time.Now()
	return s.RotateSession(ctx, session)
}

// searchAt looks for what somebody types who looks for one user: as much of an
// address as few share.
func searchAt(ctx context.Context, s store.Store, r resident) error {
	found, err := s.SearchUsers(ctx, r.email[:8], "", 20)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("nobody has an address that begins with %s", r.email[:8])
	}
	return err
}
