package sqlstore_test

import (
	"errors"
	"fmt"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/testkit/faultproxy"
	"github.com/countersign-auth/countersign/internal/testkit/pgtest"
)

// throughProxy returns the URL of a database through a proxy of the test's own.
func throughProxy(t *testing.T, database string) (string, *faultproxy.Proxy) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	p := faultproxy.Start(t, u.Host)
	u.Host = p.Addr()
	return u.String(), p
}

var day = time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC)

// person is the n-th user with what belongs to it, each name of which is its own.
func person(n int) (store.User, store.Credential, store.Session) {
	id := fmt.Sprintf("user-%05d", n)
	u := store.User{ID: id, Email: id + "@x", EmailKey: id + "@x", Epoch: "epoch", CreatedAt: day, UpdatedAt: day, Version: 1}
	c := store.Credential{UserID: id, Method: "password", Key: id, Data: []byte("hash"), CreatedAt: day, UpdatedAt: day, Version: 1}
	x := store.Session{
		ID: "session of " + id, UserID: id, Epoch: u.Epoch, Generation: 1, Chain: []byte("chain"), Methods: []string{"pwd"},
		AuthAt: day, CreatedAt: day, LastUsedAt: day, ExpiresAt: day.Add(time.Hour),
	}
	return u, c, x
}

func eventOf(n int, name string) store.Event {
	return store.Event{ID: fmt.Sprintf("%s of %05d", name, n), At: day, Kind: "login", Result: "ok", Count: 1}
}

// TestNoLostAnswerMisleads has each verb lose the answer to the first, to the second… of what it sends, and demands that it says
// the truth all the same, and that all is as if nothing had been lost.
func TestNoLostAnswerMisleads(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	direct := openPostgres(t, database)
	for name, verb := range map[string]func(t *testing.T, n int) (do func(store.Store) error, check func() error){
		"CreateUser": func(t *testing.T, n int) (func(store.Store) error, func() error) {
			u, c, _ := person(n)
			e := eventOf(n, "signup")
			return func(s store.Store) error { return s.CreateUser(t.Context(), u, c, e) }, func() error { return hasUser(t, direct, u) }
		},
		"UpdateUser": func(t *testing.T, n int) (func(store.Store) error, func() error) {
			u, _, _ := there(t, direct, n)
			u.Email, u.Roles = "other", []string{"admin"}
			return func(s store.Store) error {
					return s.UpdateUser(t.Context(), u, store.Revocation{Key: u.ID, ExpiresAt: day})
				}, func() error {
					u.Version++
					return hasUser(t, direct, u)
				}
		},
		"DeleteUser": func(t *testing.T, n int) (func(store.Store) error, func() error) {
			u, _, _ := there(t, direct, n)
			return func(s store.Store) error { return s.DeleteUser(t.Context(), u.ID, day) }, func() error {
				if _, err := direct.User(t.Context(), u.ID); !errors.Is(err, store.ErrNotFound) {
					return fmt.Errorf("the user is there: %v", err)
				}
				return nil
			}
		},
		"AddCredential": func(t *testing.T, n int) (func(store.Store) error, func() error) {
			_, c, _ := there(t, direct, n)
			c.Method = "passkey"
			return func(s store.Store) error { return s.AddCredential(t.Context(), c) }, func() error { return hasCredential(t, direct, c) }
		},
		"UpdateCredential": func(t *testing.T, n int) (func(store.Store) error, func() error) {
			_, c, _ := there(t, direct, n)
			c.Data = []byte("another")
			return func(s store.Store) error { return s.UpdateCredential(t.Context(), c) }, func() error {
				c.Version++
				return hasCredential(t, direct, c)
			}
		},
		"DeleteCredential": func(t *testing.T, n int) (func(store.Store) error, func() error) {
			_, c, _ := there(t, direct, n)
			return func(s store.Store) error { return s.DeleteCredential(t.Context(), c) }, func() error {
				if _, err := direct.Credential(t.Context(), c.Method, c.Key); !errors.Is(err, store.ErrNotFound) {
					return fmt.Errorf("the credential is there: %v", err)
				}
				return nil
			}
		},
		"ChangeCredential": func(t *testing.T, n int) (func(store.Store) error, func() error) {
			u, c, _ := there(t, direct, n)
			c.Data = []byte("another")
			return func(s store.Store) error { return s.ChangeCredential(t.Context(), c, "", day) }, func() error {
				c.Version++
				return errors.Join(hasCredential(t, direct, c), hasSessions(t, direct, u.ID))
			}
		},
		"CreateSession": func(t *testing.T, n int) (func(store.Store) error, func() error) {
			u, c, old := there(t, direct, n)
			x := old
			x.ID = "new " + old.ID
			counter := store.Counter{Key: u.ID, Count: 1, LastAt: day, ExpiresAt: day.Add(time.Hour)}
			finer := x
			finer.AuthAt = x.AuthAt.Add(500 * time.Nanosecond) // as a clock shows it; nothing so fine is kept
			o := store.Opening{
				Session: finer, Proof: store.Proof{Method: c.Method, Key: c.Key, Version: 1}, Limit: 1, Until: day, Now: day,
				Counters: []store.Counter{counter}, Events: []store.Event{eventOf(n, "login")},
			}
			return func(s store.Store) error {
				done, err := s.CreateSession(t.Context(), o)
				if err == nil && !cmp.Equal(done.Swapped, []bool{true}) {
					return fmt.Errorf("swapped is %v", done.Swapped)
				}
				return err
			}, func() error { return errors.Join(hasSessions(t, direct, u.ID, x), hasCounter(t, direct, counter)) }
		},
		"RotateSession": func(t *testing.T, n int) (func(store.Store) error, func() error) {
			u, _, x := there(t, direct, n)
			x.Generation, x.Chain = 2, []byte("next")
			return func(s store.Store) error { return s.RotateSession(t.Context(), x) }, func() error { return hasSessions(t, direct, u.ID, x) }
		},
		"EndSessions": func(t *testing.T, n int) (func(store.Store) error, func() error) {
			u, _, x := there(t, direct, n)
			return func(s store.Store) error {
				ended, err := s.EndSessions(t.Context(), u.ID, store.Which{Only: x.ID}, day)
				if err == nil && ended != 1 {
					return fmt.Errorf("%d sessions are ended", ended)
				}
				return err
			}, func() error { return hasSessions(t, direct, u.ID) }
		},
		"SwapCounters": func(t *testing.T, n int) (func(store.Store) error, func() error) {
			counter := store.Counter{Key: fmt.Sprint("counter ", n), Count: 3, LastAt: day, ExpiresAt: day.Add(time.Hour)}
			return func(s store.Store) error {
				swapped, err := s.SwapCounters(t.Context(), day, counter)
				if err == nil && !swapped[0] {
					return errors.New("it is said not to be swapped")
				}
				return err
			}, func() error { return hasCounter(t, direct, counter) }
		},
		"AppendEvents": func(t *testing.T, n int) (func(store.Store) error, func() error) {
			a, b := eventOf(n, "one"), eventOf(n, "two")
			return func(s store.Store) error { return s.AppendEvents(t.Context(), a, b) }, func() error { return nil }
		},
		"AddAccounts": func(t *testing.T, n int) (func(store.Store) error, func() error) {
			u, c, x := person(n)
			return func(s store.Store) error {
					errs, err := s.AddAccounts(t.Context(), store.Account{User: u, Credentials: []store.Credential{c}, Sessions: []store.Session{x}})
					return errors.Join(append(errs, err)...)
				}, func() error {
					return errors.Join(hasUser(t, direct, u), hasCredential(t, direct, c), hasSessions(t, direct, u.ID, x))
				}
		},
		"AddKey": func(t *testing.T, n int) (func(store.Store) error, func() error) {
			newest := ""
			if keys, err := direct.SigningKeys(t.Context()); err != nil {
				t.Fatal(err)
			} else if len(keys) > 0 {
				newest = keys[0].ID
			}
			k := store.SigningKey{ID: fmt.Sprint("key ", n), Algorithm: "ES256", Private: []byte("sealed")}
			return func(s store.Store) error { return s.AddKey(t.Context(), k, newest) }, func() error { return nil }
		},
		"ReplaceSecret": func(t *testing.T, n int) (func(store.Store) error, func() error) {
			name := fmt.Sprint("secret ", n)
			if _, err := direct.FirstSecret(t.Context(), name, []byte("old")); err != nil {
				t.Fatal(err)
			}
			return func(s store.Store) error { return s.ReplaceSecret(t.Context(), name, []byte("old"), []byte("new")) }, func() error {
				if v, err := direct.Secret(t.Context(), name); err != nil || string(v) != "new" {
					return fmt.Errorf("it is %q (%v)", v, err)
				}
				return nil
			}
		},
		"FirstSecret": func(t *testing.T, n int) (func(store.Store) error, func() error) {
			return func(s store.Store) error {
				v, err := s.FirstSecret(t.Context(), fmt.Sprint("first ", n), []byte("mine"))
				if err == nil && string(v) != "mine" {
					return fmt.Errorf("it is %q", v)
				}
				return err
			}, func() error { return nil }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			loseEach(t, database, name, verb)
		})
	}
}

// number gives each round of a test a number of its own.
var number atomic.Int64

func loseEach(t *testing.T, database, name string, verb func(*testing.T, int) (func(store.Store) error, func() error)) {
	through, proxy := throughProxy(t, database)
	node := openPostgres(t, through)
	warm, _ := verb(t, int(number.Add(1)))
	if err := warm(node); err != nil { // from now on all statements are prepared
		t.Fatal(err)
	}
	for k := range 40 {
		do, check := verb(t, int(number.Add(1)))
		sent, lost := 0, false
		proxy.Lose(func([]byte) bool {
			sent++
			lost = lost || sent == k+1
			return sent == k+1
		})
		err := do(node)
		proxy.Heal()
		if err != nil {
			t.Errorf("the answer to request %d is lost: %v", k+1, err)
		}
		if err := check(); err != nil {
			t.Errorf("the answer to request %d is lost: %v", k+1, err)
		}
		if !lost {
			t.Logf("%s sends %d", name, sent)
			if k == 0 {
				t.Error("nothing was lost")
			}
			return
		}
	}
	t.Error("there is no end of requests")
}

// there makes the n-th user with what belongs to it.
func there(t *testing.T, s store.Store, n int) (store.User, store.Credential, store.Session) {
	t.Helper()
	u, c, x := person(n)
	if err := s.CreateUser(t.Context(), u, c); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateSession(t.Context(), store.Opening{Session: x}); err != nil {
		t.Fatal(err)
	}
	return u, c, x
}

func hasUser(t *testing.T, s store.Store, want store.User) error {
	got, err := s.User(t.Context(), want.ID)
	return differs(got, want, err)
}

func hasCredential(t *testing.T, s store.Store, want store.Credential) error {
	got, err := s.Credential(t.Context(), want.Method, want.Key)
	return differs(got, want, err)
}

func hasSessions(t *testing.T, s store.Store, user string, want ...store.Session) error {
	got, err := s.ListSessions(t.Context(), user)
	return differs(got, want, err)
}

func hasCounter(t *testing.T, s store.Store, want store.Counter) error {
	got, err := s.Counters(t.Context(), day, want.Key)
	want.Version++
	return differs(got, []store.Counter{want}, err)
}

func differs(got, want any, err error) error {
	if diff := cmp.Diff(want, got); err == nil && diff != "" {
		err = fmt.Errorf("(-want +got):\n%s", diff)
	}
	return err
}
