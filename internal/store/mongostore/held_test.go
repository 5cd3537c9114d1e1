package mongostore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/testkit/mongotest"
)

// whileHeld runs a verb on a store that is held up after n commands, has meanwhile happen, and returns what the verb came to.
func whileHeld(t *testing.T, tap *mongotest.Tap, name string, n int, verb func(context.Context, store.Store) error, meanwhile func()) error {
	t.Helper()
	slow := openAt(t, tap.URL(name))
	held, release := tap.Hold(n)
	result := make(chan error, 1)
	go func() { result <- verb(t.Context(), slow) }()
	select {
	case <-held:
	case err := <-result:
		t.Fatalf("it was done within %d commands: %v", n, err)
	}
	meanwhile()
	release()
	return <-result
}

// TestOvertakenCreator is about somebody who makes a user so slowly that others take them for dead: they leave nothing.
func TestOvertakenCreator(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	for n := 1; n <= 2; n++ { // before the reservation, and before the write that decides
		for _, address := range []string{"user1@example.com", "another@example.com"} {
			t.Run(fmt.Sprint(n, address), func(t *testing.T) {
				t.Parallel()
				s := openAt(t, server.URL(t.Name()))
				slow, next := scene{T: t, store: s}, scene{T: t, store: s}
				slow.user, slow.credential, slow.event = user(1)
				next.user, next.credential, next.event = user(2)
				next.credential.Key, next.credential.CreatedAt = slow.credential.Key, day.Add(time.Minute)
				next.user.EmailKey, next.user.CreatedAt = address, day.Add(time.Minute)
				err := whileHeld(t, server.Tap(t), t.Name(), n, func(ctx context.Context, s store.Store) error {
					return s.CreateUser(ctx, slow.user, slow.credential, slow.event)
				}, func() { must(t, s.CreateUser(t.Context(), next.user, next.credential, next.event)) })
				if !errors.Is(err, store.ErrExists) {
					t.Errorf("the slow one got %v, want %v", err, store.ErrExists)
				}
				if !next.there() {
					t.Error("the next one is not there")
				}
				if _, err := s.User(t.Context(), slow.user.ID); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("the slow one's user: %v", err)
				}
				events, err := s.ListEvents(t.Context(), "", 10)
				if err != nil || len(events) != 1 || events[0].ID != next.event.ID {
					t.Errorf("events %v (%v)", events, err)
				}
			})
		}
	}
}

// TestHeldLogin is about a login that is under way while the user's sessions end, or the user: its session is not there then, unless
// it came first.
func TestHeldLogin(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	for name, meanwhile := range map[string]func(on scene) error{
		"end sessions": func(on scene) error {
			_, err := on.store.EndSessions(on.Context(), on.user.ID, store.Which{}, until)
			return err
		},
		"change credential": func(on scene) error { return on.store.ChangeCredential(on.Context(), on.credential, "", until) },
		"update credential": func(on scene) error { return on.store.UpdateCredential(on.Context(), on.credential) },
		"disable": func(on scene) error {
			on.user.DisabledAt = day
			return on.store.UpdateUser(on.Context(), on.user)
		},
		"delete and come again": func(on scene) error {
			if err := on.store.DeleteUser(on.Context(), on.user.ID, until); err != nil {
				return err
			}
			return on.store.CreateUser(on.Context(), on.user, on.credential)
		},
	} {
		for n := 1; n <= 2; n++ { // before and after the session is written
			t.Run(fmt.Sprint(name, n), func(t *testing.T) {
				t.Parallel()
				on := inhabited(t, server, 1)
				err := whileHeld(t, server.Tap(t), t.Name(), n, func(ctx context.Context, s store.Store) error {
					_, err := s.CreateSession(ctx, store.Opening{
						Session: session(1, 1), Proof: store.Proof{Method: on.credential.Method, Key: on.credential.Key, Version: 1},
					})
					return err
				}, func() { must(t, meanwhile(on)) })
				if !errors.Is(err, store.ErrConflict) {
					t.Errorf("the login got %v, want %v", err, store.ErrConflict)
				}
				if slices.Contains(on.sessions(), 1) {
					t.Error("its session is there")
				}
			})
		}
	}
}

// inhabited returns a scene with a user who has so many sessions.
func inhabited(t *testing.T, server *mongotest.Server, sessions int) scene {
	t.Helper()
	on := scene{T: t, n: 1, store: openAt(t, server.URL(t.Name()))}
	on.user, on.credential, _ = user(1)
	must(t, on.store.CreateUser(t.Context(), on.user, on.credential))
	for i := range sessions {
		_, err := on.store.CreateSession(t.Context(), store.Opening{Session: session(1, i)})
		must(t, err)
	}
	return on
}

// TestHeldRotation is about a refresh that is under way while its session ends: it fails, or it came first.
func TestHeldRotation(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	for n := range 2 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			on := inhabited(t, server, 3)
			err := whileHeld(t, server.Tap(t), t.Name(), n, func(ctx context.Context, s store.Store) error {
				x := session(1, 1)
				x.Generation++
				return s.RotateSession(ctx, x)
			}, func() {
				_, err := on.store.EndSessions(t.Context(), on.user.ID, store.Which{Only: session(1, 1).ID}, until)
				must(t, err)
			})
			if came := n == 1; came != (err == nil) || !came && !errors.Is(err, store.ErrNotFound) {
				t.Errorf("it came first: %t; the rotation got %v", came, err)
			}
			on.hasSessions(0, 2)
		})
	}
}

// TestHeldDecision is about somebody who ends sessions so slowly that others finish it for them, and end and open more: what was
// decided is done once, and nothing beyond it.
func TestHeldDecision(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	for n := range 9 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			on := inhabited(t, server, 3)
			ended, came := 0, false
			err := whileHeld(t, server.Tap(t), t.Name(), n, func(ctx context.Context, s store.Store) (err error) {
				ended, err = s.EndSessions(ctx, on.user.ID, store.Which{Except: session(1, 2).ID}, until)
				return err
			}, func() {
				n, err := on.store.EndSessions(t.Context(), on.user.ID, store.Which{Only: session(1, 1).ID}, until)
				must(t, err)
				came = n == 0 // the slow one, and has ended that one
				_, err = on.store.CreateSession(t.Context(), store.Opening{Session: session(1, 3)})
				must(t, err)
			})
			must(t, err)
			if came {
				on.hasSessions(2, 3)
			} else {
				on.hasSessions(2)
			}
			if ended != 2 { // 0 and 1, or 0 and 3
				t.Errorf("it ended %d, want 2", ended)
			}
			want := 1
			if came {
				want = 0
			}
			if got := on.revoked(session(1, 3).ID); got != want {
				t.Errorf("the new session is revoked %d times, want %d", got, want)
			}
		})
	}
}

// TestHeldEndOfADecision is about somebody who is so slow to note that a decision is carried out that there is another one by then,
// whose maker is killed: that one is carried out too.
func TestHeldEndOfADecision(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	const noted = 8 // commands come before the one that notes it
	for n := range 12 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			on := inhabited(t, server, 3)
			tap := server.Tap(t)
			victim := openAt(t, tap.URL(t.Name()))
			err := whileHeld(t, server.Tap(t), t.Name(), noted, func(ctx context.Context, s store.Store) error {
				_, err := s.EndSessions(ctx, on.user.ID, store.Which{Only: session(1, 0).ID}, until)
				return err
			}, func() {
				tap.Cut(n)
				_, err := victim.EndSessions(t.Context(), on.user.ID, store.Which{Except: session(1, 2).ID}, until)
				if err != nil && !errors.Is(err, store.ErrUnavailable) {
					t.Error(err)
				}
			})
			must(t, err)
			if slices.Contains(on.sessions(), 1) {
				on.hasSessions(1, 2)
			} else {
				on.hasSessions(2)
			}
		})
	}
}
