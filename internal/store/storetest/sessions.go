package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

// until is when the revocations of the sessions that a test ends expire.
var until = day.Add(15 * time.Minute)

// session returns the n-th session, which is used n minutes after day, as one of a user.
func session(n, user int) store.Session {
	used := day.Add(time.Duration(n) * time.Minute)
	return store.Session{
		ID: fmt.Sprintf("session-%03d", n), UserID: fmt.Sprintf("id-%03d", user), Epoch: fmt.Sprintf("epoch of id-%03d", user), Generation: 1, Chain: []byte{0, byte(n), 0xff},
		Methods: []string{"pwd"}, Device: "curl", Client: "192.0.2.1", AuthAt: day, CreatedAt: day, LastUsedAt: used, ExpiresAt: used.Add(time.Hour),
	}
}

// open creates a session.
func open(ctx context.Context, s store.Store, x store.Session, p store.Proof, limit int, until time.Time) error {
	_, err := s.CreateSession(ctx, store.Opening{Session: x, Proof: p, Limit: limit, Until: until})
	return err
}

// login creates a session without a proof and a limit.
func login(t *testing.T, s store.Store, x store.Session) store.Session {
	t.Helper()
	if err := open(t.Context(), s, x, store.Proof{}, 0, until); err != nil {
		t.Fatalf("CreateSession: %v", err)
	}
	return x
}

func sessions(t *testing.T, s store.Store, user string) []store.Session {
	t.Helper()
	got, err := s.ListSessions(t.Context(), user)
	if err != nil {
		t.Fatalf("ListSessions: %v", err)
	}
	return got
}

// live demands that a user has the sessions of these numbers, in this order, and no other.
func live(t *testing.T, s store.Store, user string, numbers ...int) {
	t.Helper()
	var got, want []string
	for _, x := range sessions(t, s, user) {
		got = append(got, x.ID)
	}
	for _, n := range numbers {
		want = append(want, session(n, 1).ID)
	}
	same(t, got, want)
}

// ended demands that revocations of the sessions of these numbers are written, in any order within one verb, and no others.
func ended(t *testing.T, s store.Store, verbs ...[]int) {
	t.Helper()
	all := listRevocations(t, s)
	for _, numbers := range verbs {
		var got, want []string
		for range numbers {
			if len(all) == 0 {
				t.Fatalf("no revocation is left for one of %v", numbers)
			}
			if !all[0].ExpiresAt.Equal(until) {
				t.Errorf("a revocation expires at %v, want %v", all[0].ExpiresAt, until)
			}
			got, all = append(got, all[0].Key), all[1:]
		}
		for _, n := range numbers {
			want = append(want, session(n, 1).ID)
		}
		slices.Sort(got)
		slices.Sort(want)
		same(t, got, want)
	}
	same(t, len(all), 0)
}

func sessionRoundTrip(t *testing.T, s store.Store) {
	const odd = "\u00dcn\u00ef\u0301 <'\";--\U0001F600"
	u, c := user(1)
	u.Epoch = odd
	if err := s.CreateUser(t.Context(), u, c); err != nil {
		t.Fatal(err)
	}
	full := store.Session{
		ID: odd, UserID: u.ID, Epoch: odd, Generation: 1 << 62, Chain: []byte{0, 'h', 0xff}, Methods: []string{"pwd", odd, ""}, Brief: true,
		Device: strings.Repeat(odd, 50), Client: "2001:db8::/64", AuthAt: day, CreatedAt: day.Add(time.Microsecond),
		LastUsedAt: day.Add(2 * time.Microsecond), ExpiresAt: day.Add(3 * time.Microsecond),
	}
	bare := store.Session{ID: "bare", UserID: u.ID, Epoch: odd}
	empty := store.Session{ID: "empty", UserID: u.ID, Epoch: odd, Chain: []byte{}, Methods: []string{}, CreatedAt: day}
	login(t, s, full)
	login(t, s, bare)
	login(t, s, empty)
	got, of, err := s.Session(t.Context(), full.ID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, full)
	same(t, of, u)
	if got.ExpiresAt.Location() != time.UTC {
		t.Errorf("times come back in %v, want UTC", got.ExpiresAt.Location())
	}
	same(t, sessions(t, s, u.ID)[0], full)
	for _, nothing := range []store.Session{bare, empty} {
		got, of, err := s.Session(t.Context(), nothing.ID)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Chain)+len(got.Methods) != 0 {
			t.Errorf("nothing came back as %v, %v", got.Chain, got.Methods)
		}
		got.Chain, got.Methods, nothing.Chain, nothing.Methods = nil, nil, nil, nil
		same(t, got, nothing)
		same(t, of, u)
	}
	_, _, err = s.Session(t.Context(), "BARE")
	want(t, err, store.ErrNotFound)
}

func createSession(t *testing.T, s store.Store) {
	create(t, s, 1)
	create(t, s, 2)
	x := login(t, s, session(1, 1))
	taken := session(1, 2)
	want(t, open(t.Context(), s, taken, store.Proof{}, 1, until), store.ErrExists)
	want(t, open(t.Context(), s, session(2, 3), store.Proof{}, 1, until), store.ErrNotFound)
	want(t, open(t.Context(), s, session(2, 3), store.Proof{Method: "password", Key: "user1@example.com", Version: 1}, 1, until), store.ErrNotFound)
	same(t, sessions(t, s, x.UserID), []store.Session{x})
	same(t, len(sessions(t, s, taken.UserID)), 0)
	revoked(t, s)
}

func proof(t *testing.T, s store.Store) {
	_, c := create(t, s, 1)
	create(t, s, 2)
	holds := store.Proof{Method: c.Method, Key: c.Key, Version: 1}
	for name, wrong := range map[string]store.Proof{
		"another version": {Method: c.Method, Key: c.Key, Version: 2},
		"no version":      {Method: c.Method, Key: c.Key},
		"another method":  {Method: "other", Key: c.Key, Version: 1},
		"another key":     {Method: c.Method, Key: "nobody", Version: 1},
		"another user's":  {Method: c.Method, Key: "user2@example.com", Version: 1},
	} {
		if err := open(t.Context(), s, session(1, 1), wrong, 1, until); err == nil {
			t.Errorf("%s: created", name)
		} else {
			want(t, err, store.ErrConflict)
		}
	}
	same(t, len(sessions(t, s, c.UserID)), 0)
	for n, p := range []store.Proof{holds, {}, {Key: "of no method", Version: 9}} {
		if err := open(t.Context(), s, session(n, 1), p, 0, until); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	}
	if err := s.UpdateCredential(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	want(t, open(t.Context(), s, session(4, 1), holds, 0, until), store.ErrConflict)
	holds.Version = 2
	if err := open(t.Context(), s, session(4, 1), holds, 0, until); err != nil {
		t.Error(err)
	}
	live(t, s, c.UserID, 4, 2, 1, 0)
}

func sessionLimit(t *testing.T, s store.Store) {
	u, _ := create(t, s, 1)
	create(t, s, 2)
	login(t, s, session(99, 2))
	limited := func(n, limit int) {
		t.Helper()
		if err := open(t.Context(), s, session(n, 1), store.Proof{}, limit, until); err != nil {
			t.Fatal(err)
		}
	}
	limited(4, 3)
	limited(2, 3)
	limited(5, 3)
	revoked(t, s)
	limited(6, 3) // 2 was used the longest ago, though it was made after 4
	live(t, s, u.ID, 6, 5, 4)
	limited(1, 3) // the new one is never ended, even by a clock that is behind
	live(t, s, u.ID, 6, 5, 1)
	limited(7, 0)
	limited(8, 0)
	live(t, s, u.ID, 8, 7, 6, 5, 1)
	limited(9, 2)
	live(t, s, u.ID, 9, 8)
	limited(3, 1)
	live(t, s, u.ID, 3)
	limited(10, 2)
	x := session(3, 1)
	x.Generation, x.LastUsedAt = 2, day.Add(time.Hour)
	if err := s.RotateSession(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	limited(11, 2)
	live(t, s, u.ID, 3, 11)
	live(t, s, "id-002", 99)
	ended(t, s, []int{2}, []int{4}, []int{1, 5, 6, 7}, []int{8, 9}, []int{10})
}

// loginsAtLimit is about many logins of one user at once: the limit holds, and each session is live or revoked.
func loginsAtLimit(t *testing.T, s store.Store, another func() store.Store) {
	u, _ := create(t, s, 1)
	nodes := []store.Store{s, another()}
	var wg sync.WaitGroup
	for n := range 40 {
		wg.Go(func() {
			if err := open(t.Context(), nodes[n%2], session(n, 1), store.Proof{}, 3, until); err != nil {
				t.Errorf("CreateSession: %v", err)
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, x := range sessions(t, s, u.ID) {
		seen[x.ID] = true
	}
	same(t, len(seen), 3)
	for _, r := range listRevocations(t, s) {
		seen[r.Key] = true
	}
	same(t, len(seen), 40)
}

func rotateSession(t *testing.T, s store.Store) {
	create(t, s, 1)
	x := login(t, s, session(1, 1))
	other := login(t, s, session(2, 1))
	next := store.Session{
		ID: x.ID, UserID: "id-002", Epoch: "another", Generation: 2, Chain: []byte("next"), Methods: []string{"otp"}, Brief: true, Device: "d",
		Client: "c", AuthAt: until, CreatedAt: until, LastUsedAt: day.Add(3 * time.Minute), ExpiresAt: day.Add(2 * time.Hour),
	}
	if err := s.RotateSession(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	x.Generation, x.Chain, x.Device, x.Client, x.LastUsedAt, x.ExpiresAt = 2, next.Chain, "d", "c", next.LastUsedAt, next.ExpiresAt
	for _, generation := range []int64{-1, 0, 1, 2, 4} {
		next.Generation, next.Chain = generation, []byte("wrong")
		want(t, s.RotateSession(t.Context(), next), store.ErrConflict)
	}
	same(t, sessions(t, s, x.UserID), []store.Session{x, other})
	next.Generation, next.Chain = 3, nil
	if err := s.RotateSession(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	x.Generation, x.Chain = 3, nil
	same(t, sessions(t, s, x.UserID), []store.Session{x, other})
	next.ID = "nobody"
	want(t, s.RotateSession(t.Context(), next), store.ErrNotFound)
}

// rotators is about fifty refreshes of one token on two nodes at once.
func rotators(t *testing.T, s store.Store, another func() store.Store) {
	create(t, s, 1)
	x := login(t, s, session(1, 1))
	nodes := []store.Store{s, another()}
	for round := range 200 {
		errs := make([]error, 50)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				mine := x
				mine.Generation, mine.Chain = x.Generation+1, []byte(fmt.Sprint(round, i))
				errs[i] = nodes[i%2].RotateSession(t.Context(), mine)
			})
		}
		wg.Wait()
		winner := onlyWinner(t, errs, store.ErrConflict)
		x.Generation, x.Chain = x.Generation+1, []byte(fmt.Sprint(round, winner))
		for _, node := range nodes {
			got, _, err := node.Session(t.Context(), x.ID)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, x)
		}
	}
}

func listSessions(t *testing.T, s store.Store) {
	u, _ := create(t, s, 1)
	create(t, s, 2)
	same(t, len(sessions(t, s, u.ID)), 0)
	same(t, len(sessions(t, s, "nobody")), 0)
	for _, n := range []int{3, 1, 5, 2, 4} {
		login(t, s, session(n, 1))
	}
	login(t, s, session(6, 2))
	live(t, s, u.ID, 5, 4, 3, 2, 1)
	x := session(2, 1)
	x.Generation, x.LastUsedAt = 2, day.Add(time.Hour)
	if err := s.RotateSession(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	live(t, s, u.ID, 2, 5, 4, 3, 1)
}
