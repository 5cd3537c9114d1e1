package mongostore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/store/mongostore"
	"github.com/countersign-auth/countersign/internal/testkit/mongotest"
)

var (
	day   = time.Date(2026, 2, 28, 23, 59, 59, 999_999_000, time.UTC)
	until = day.Add(15 * time.Minute)
)

// user returns the n-th user, its credential and an event that tells of it.
func user(n int) (store.User, store.Credential, store.Event) {
	id, key := fmt.Sprintf("id-%03d", n), fmt.Sprintf("user%d@example.com", n)
	return store.User{ID: id, Email: key, EmailKey: key, Epoch: "epoch of " + id, CreatedAt: day, UpdatedAt: day, Version: 1},
		store.Credential{UserID: id, Method: "password", Key: key, Data: []byte("hash"), CreatedAt: day, UpdatedAt: day, Version: 1},
		store.Event{ID: fmt.Sprintf("event-%03d", n), At: day, Kind: "signup", Result: "ok", UserID: id, Count: 1}
}

// session returns the i-th session of the n-th user.
func session(n, i int) store.Session {
	u, _, _ := user(n)
	return store.Session{
		ID: fmt.Sprintf("session-%03d-%d", n, i), UserID: u.ID, Epoch: u.Epoch, Generation: 1, AuthAt: day, CreatedAt: day,
		LastUsedAt: day.Add(time.Duration(i) * time.Minute), ExpiresAt: day.Add(time.Hour),
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// scene is what a test is about to happen to: one user with three sessions.
type scene struct {
	*testing.T
	n          int
	user       store.User
	credential store.Credential
	event      store.Event
	store      *mongostore.Store
}

func (t scene) sessions() (numbers []int) {
	t.Helper()
	all, err := t.store.ListSessions(t.Context(), t.user.ID)
	must(t.T, err)
	for i := range 10 {
		if slices.ContainsFunc(all, func(x store.Session) bool { return x.ID == session(t.n, i).ID }) {
			numbers = append(numbers, i)
		}
		_, _, err := t.store.Session(t.Context(), session(t.n, i).ID)
		if listed := len(numbers) > 0 && numbers[len(numbers)-1] == i; listed != (err == nil) {
			t.Fatalf("session %d: listed is %t, and alone it is %v", i, listed, err)
		}
	}
	return numbers
}

// revoked returns how often a key is revoked.
func (t scene) revoked(key string) (n int) {
	t.Helper()
	all, err := t.store.Revocations(t.Context(), 0, 10_000)
	must(t.T, err)
	for _, r := range all {
		if r.Key == key {
			n++
		}
	}
	return n
}

// hasSessions demands that of the sessions 0 to 2 these are alive and the others revoked, once each.
func (t scene) hasSessions(alive ...int) {
	t.Helper()
	for _, when := range []string{"at first", "after a look for revocations"} {
		if diff := cmp.Diff(alive, t.sessions()); diff != "" {
			t.Fatalf("%s: sessions (-want +got):\n%s", when, diff)
		}
		for i := range 3 {
			want := 1
			if slices.Contains(alive, i) {
				want = 0
			}
			if got := t.revoked(session(t.n, i).ID); got != want {
				t.Errorf("session %d is revoked %d times, want %d", i, got, want)
			}
		}
	}
}

// there reports whether the user is there, and demands that everything of it is or nothing.
func (t scene) there() bool {
	t.Helper()
	_, err := t.store.User(t.Context(), t.user.ID)
	_, mailErr := t.store.UserByEmail(t.Context(), t.user.EmailKey)
	_, credentialErr := t.store.Credential(t.Context(), t.credential.Method, t.credential.Key)
	candidate, candidateErr := t.store.Candidate(t.Context(), t.credential.Method, t.credential.Key, day)
	must(t.T, candidateErr)
	accounts, listErr := t.store.Accounts(t.Context(), t.user.ID[:len(t.user.ID)-1], 1000)
	must(t.T, listErr)
	listed := slices.ContainsFunc(accounts, func(a store.Account) bool { return a.User.ID == t.user.ID && len(a.Credentials) == 1 })
	for name, there := range map[string]bool{
		"address": !errors.Is(mailErr, store.ErrNotFound), "credential": !errors.Is(credentialErr, store.ErrNotFound),
		"candidate": candidate.User.ID != "", "account": listed,
	} {
		if there != !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the user: %v; %s: there is %t", err, name, there)
		}
	}
	return err == nil
}

// TestKilledBetweenAnyTwoCommands has each verb that writes more than one document stop after each of its commands in turn, and
// another node look at what is there then: what was before, or what should be after.
func TestKilledBetweenAnyTwoCommands(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	for name, tt := range map[string]struct {
		bare  bool // without the user and its sessions
		verb  func(ctx context.Context, s store.Store, on scene) error
		check func(on scene, done bool) (changed bool)
	}{
		"create user": {
			bare: true,
			verb: func(ctx context.Context, s store.Store, on scene) error {
				return s.CreateUser(ctx, on.user, on.credential, on.event)
			},
			check: checkCreated,
		},
		"add account": {
			bare: true,
			verb: func(ctx context.Context, s store.Store, on scene) error { return addAccount(ctx, s, on) },
			check: func(on scene, done bool) bool {
				there := on.there()
				if err := addAccount(on.Context(), on.store, on); there != errors.Is(err, store.ErrExists) {
					on.Fatalf("there was %t; again: %v", there, err)
				}
				on.hasSessions(0, 1, 2)
				return there
			},
		},
		"delete user": {
			verb: func(ctx context.Context, s store.Store, on scene) error { return s.DeleteUser(ctx, on.user.ID, until) },
			check: func(on scene, done bool) bool {
				if on.there() {
					on.hasSessions(0, 1, 2)
					return false
				}
				if alive := on.sessions(); len(alive) > 0 {
					on.Errorf("sessions %v are alive", alive)
				}
				if n := on.revoked(on.user.Epoch); n != 1 {
					on.Errorf("the epoch is revoked %d times", n)
				}
				must(on.T, on.store.CreateUser(on.Context(), on.user, on.credential))
				return true
			},
		},
		"end sessions": {
			verb: func(ctx context.Context, s store.Store, on scene) error {
				_, err := s.EndSessions(ctx, on.user.ID, store.Which{Except: session(on.n, 1).ID}, until)
				return err
			},
			check: func(on scene, done bool) bool {
				changed := len(on.sessions()) == 1
				if changed {
					on.hasSessions(1)
				} else {
					on.hasSessions(0, 1, 2)
				}
				return changed
			},
		},
		"end one session": {
			verb: func(ctx context.Context, s store.Store, on scene) error {
				_, err := s.EndSessions(ctx, on.user.ID, store.Which{Only: session(on.n, 1).ID}, until)
				return err
			},
			check: func(on scene, done bool) bool {
				changed := len(on.sessions()) == 2
				if changed {
					on.hasSessions(0, 2)
				} else {
					on.hasSessions(0, 1, 2)
				}
				return changed
			},
		},
		"change credential": {
			verb: func(ctx context.Context, s store.Store, on scene) error {
				c := on.credential
				c.Data = []byte("new")
				return s.ChangeCredential(ctx, c, session(on.n, 2).ID, until)
			},
			check: func(on scene, done bool) bool {
				c, err := on.store.Credential(on.Context(), on.credential.Method, on.credential.Key)
				must(on.T, err)
				if string(c.Data) == "new" {
					on.hasSessions(2)
					return true
				}
				on.hasSessions(0, 1, 2)
				return false
			},
		},
		"update user with revocations": {
			verb: func(ctx context.Context, s store.Store, on scene) error {
				u := on.user
				u.Epoch = "another"
				return s.UpdateUser(ctx, u, store.Revocation{Key: on.user.Epoch, ExpiresAt: until}, store.Revocation{Key: on.user.ID, ExpiresAt: until})
			},
			check: func(on scene, done bool) bool {
				u, err := on.store.User(on.Context(), on.user.ID)
				must(on.T, err)
				changed := u.Epoch == "another"
				for _, key := range []string{on.user.Epoch, on.user.ID} {
					if n := on.revoked(key); n != 0 && !changed || n != 1 && changed {
						on.Errorf("%s is revoked %d times; the user is changed: %t", key, n, changed)
					}
				}
				return changed
			},
		},
		"revoke": {
			verb: func(ctx context.Context, s store.Store, on scene) error {
				return s.Revoke(ctx, store.Revocation{Key: on.user.ID + "a", ExpiresAt: until}, store.Revocation{Key: on.user.ID + "b", ExpiresAt: until})
			},
			check: func(on scene, done bool) bool {
				a, b := on.revoked(on.user.ID+"a"), on.revoked(on.user.ID+"b")
				if a != b || a > 1 {
					on.Errorf("one is revoked %d times, the other %d", a, b)
				}
				return a == 1
			},
		},
		"add credential": {verb: addKey, check: checkAdded},
		"delete credential": {
			verb: func(ctx context.Context, s store.Store, on scene) error {
				return s.DeleteCredential(ctx, on.credential)
			},
			check: func(on scene, done bool) bool {
				_, err := on.store.Credential(on.Context(), on.credential.Method, on.credential.Key)
				listed, listErr := on.store.ListCredentials(on.Context(), on.user.ID, on.credential.Method)
				must(on.T, listErr)
				if (err == nil) != (len(listed) == 1) {
					on.Errorf("the credential: %v; %d are listed", err, len(listed))
				}
				on.hasSessions(0, 1, 2)
				if err == nil {
					return false
				}
				other, otherC, _ := user(on.n + 500) // whoever comes next may have its method and key
				otherC.Key = on.credential.Key
				must(on.T, on.store.CreateUser(on.Context(), other, otherC))
				return true
			},
		},
		"create session": {
			verb: func(ctx context.Context, s store.Store, on scene) error {
				_, err := s.CreateSession(ctx, store.Opening{
					Session: session(on.n, 3), Limit: 2, Until: until, Now: day, Events: []store.Event{on.event},
					Counters: []store.Counter{{Key: on.user.ID, Count: 1, ExpiresAt: until}},
				})
				return err
			},
			check: func(on scene, done bool) bool {
				switch alive := on.sessions(); {
				case slices.Equal(alive, []int{0, 1, 2}):
					on.hasSessions(0, 1, 2)
					return false
				case slices.Equal(alive, []int{0, 1, 2, 3}) && !done: // and nobody has its tokens
					on.hasSessions(0, 1, 2, 3)
				default:
					on.hasSessions(2, 3)
				}
				return true
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := server.URL(t.Name())
			whole := openAt(t, url)
			var unchanged int
			for n := 0; ; n++ {
				on := scene{T: t, n: n, store: whole}
				on.user, on.credential, on.event = user(n)
				if !tt.bare {
					must(t, whole.CreateUser(t.Context(), on.user, on.credential))
					for i := range 3 {
						_, err := whole.CreateSession(t.Context(), store.Opening{Session: session(n, i)})
						must(t, err)
					}
				}
				tap := server.Tap(t)
				victim := openAt(t, tap.URL(t.Name()))
				tap.Cut(n)
				err := tt.verb(t.Context(), victim, on)
				if err != nil && !errors.Is(err, store.ErrUnavailable) {
					t.Fatalf("after %d commands: %v, want %v", n, err, store.ErrUnavailable)
				}
				changed := tt.check(on, err == nil)
				if t.Failed() {
					t.Fatalf("after %d commands", n)
				}
				if !changed {
					unchanged++
				}
				if err == nil {
					if !changed {
						t.Error("done, and nothing is changed")
					}
					t.Logf("%d commands; the change is there from %d on", n, unchanged)
					return
				}
			}
		})
	}
}

// checkCreated is about a user who is made, and if not, about who comes next with the same address and key.
func checkCreated(on scene, done bool) bool {
	there := on.there()
	events, err := on.store.ListEvents(on.Context(), "", 1000)
	must(on.T, err)
	if told := slices.ContainsFunc(events, func(e store.Event) bool { return e.ID == on.event.ID }); told != there {
		on.Errorf("the user is there: %t; the event: %t", there, told)
	}
	again, c := on.user, on.credential
	again.ID += " again"
	c.UserID = again.ID
	if there {
		again.CreatedAt = day.Add(time.Hour)
		if err := on.store.CreateUser(on.Context(), again, c); !errors.Is(err, store.ErrExists) {
			on.Errorf("again: %v", err)
		}
		return true
	}
	written := on.n > 1 // the first command is a look at the events
	again.CreatedAt = day.Add(29 * time.Second)
	if err := on.store.CreateUser(on.Context(), again, c); written && !errors.Is(err, store.ErrBusy) { // it is not taken yet
		on.Errorf("one who is not much younger: %v", err)
	}
	if written {
		again.CreatedAt = day.Add(30 * time.Second)
		must(on.T, on.store.CreateUser(on.Context(), again, c))
	}
	on.user = again
	if !on.there() {
		on.Error("the next one is not there")
	}
	return false
}

func addAccount(ctx context.Context, s store.Store, on scene) error {
	errs, err := s.AddAccounts(ctx, store.Account{
		User: on.user, Credentials: []store.Credential{on.credential}, Sessions: []store.Session{session(on.n, 0), session(on.n, 1), session(on.n, 2)},
	})
	if err != nil {
		return err
	}
	return errs[0]
}

func passkey(on scene) store.Credential {
	return store.Credential{UserID: on.user.ID, Method: "passkey", Key: on.user.ID, CreatedAt: day, Version: 1}
}

func addKey(ctx context.Context, s store.Store, on scene) error {
	return s.AddCredential(ctx, passkey(on))
}

// checkAdded is about a credential that is added, and if not, about who comes next with the same method and key.
func checkAdded(on scene, done bool) bool {
	c, err := on.store.Credential(on.Context(), "passkey", on.user.ID)
	if err == nil {
		if c.UserID != on.user.ID {
			on.Errorf("it is one of %s", c.UserID)
		}
		return true
	}
	if !errors.Is(err, store.ErrNotFound) {
		on.Fatal(err)
	}
	other, otherC, _ := user(on.n + 500)
	must(on.T, on.store.CreateUser(on.Context(), other, otherC))
	next := passkey(on)
	next.UserID, next.CreatedAt = other.ID, day.Add(time.Minute)
	must(on.T, on.store.AddCredential(on.Context(), next))
	if err := addKey(on.Context(), on.store, on); !errors.Is(err, store.ErrExists) {
		on.Errorf("the first one again: %v", err)
	}
	return false
}
