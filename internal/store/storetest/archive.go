package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/countersign-auth/countersign/internal/store"
)

// account returns the n-th user with what belongs to it, of which nothing is as a new one has it.
func account(n int) store.Account {
	u, c := user(n)
	u.Version, u.DisabledAt, u.Roles = 7, day, []string{"a", ""}
	c.Version = 9
	other := store.Credential{UserID: u.ID, Method: "passkey", Key: "key of " + u.ID, Data: []byte{0xff, 0}, CreatedAt: day, UpdatedAt: day, Version: 3}
	x, y := session(2*n, n), session(2*n+1, n)
	x.Generation, x.Epoch, y.Brief = 12, "an epoch that has ended", true
	return store.Account{User: u, Credentials: []store.Credential{other, c}, Sessions: []store.Session{x, y}}
}

func addAccounts(t *testing.T, s store.Store, accounts ...store.Account) []error {
	t.Helper()
	errs, err := s.AddAccounts(t.Context(), accounts...)
	if err != nil {
		t.Fatalf("AddAccounts: %v", err)
	}
	if len(errs) != len(accounts) {
		t.Fatalf("%d accounts, %d outcomes", len(accounts), len(errs))
	}
	return errs
}

func accounts(t *testing.T, s store.Store, after string, limit int) []store.Account {
	t.Helper()
	got, err := s.Accounts(t.Context(), after, limit)
	if err != nil {
		t.Fatalf("Accounts: %v", err)
	}
	return got
}

func accountRoundTrip(t *testing.T, s store.Store) {
	same(t, addAccounts(t, s), []error{})
	same(t, len(accounts(t, s, "", 10)), 0)
	bare, _ := user(4)
	all := []store.Account{account(1), account(2), account(3), {User: bare}}
	for _, err := range addAccounts(t, s, all[2], all[0], all[3], all[1]) {
		if err != nil {
			t.Fatal(err)
		}
	}
	same(t, accounts(t, s, "", 10), all)
	same(t, accounts(t, s, "", 2), all[:2])
	same(t, accounts(t, s, "id-002", 2), all[2:])
	same(t, len(accounts(t, s, "id-004", 2)), 0)

	// What came as a whole is there for every verb.
	c, err := s.Credential(t.Context(), "passkey", "key of id-002")
	if err != nil {
		t.Fatal(err)
	}
	same(t, c, all[1].Credentials[0])
	same(t, get(t, s, all[1].Sessions[0].ID), all[1].Sessions[0])
	u := all[1].User
	u.Email = "other"
	if err := s.UpdateUser(t.Context(), u); err != nil {
		t.Errorf("a user of version 7: %v", err)
	}
	x := all[2].Sessions[0]
	x.Generation++
	if err := s.RotateSession(t.Context(), x); err != nil {
		t.Errorf("a session of generation 12: %v", err)
	}
	if n, err := s.EndSessions(t.Context(), "id-001", store.Which{}, until); err != nil || n != 2 {
		t.Errorf("%d sessions ended: %v", n, err)
	}
	if err := open(t.Context(), s, session(50, 4), store.Proof{}, 1, until); err != nil {
		t.Errorf("a user without a credential: %v", err)
	}
}

// get returns a session.
func get(t *testing.T, s store.Store, id string) store.Session {
	t.Helper()
	x, _, err := s.Session(t.Context(), id)
	if err != nil {
		t.Fatalf("Session: %v", err)
	}
	return x
}

func takenAccounts(t *testing.T, s store.Store) {
	create(t, s, 1)
	sameID, sameAddress, sameCredential, sameSession := account(1), account(2), account(3), account(4)
	sameID.User.EmailKey, sameID.Credentials, sameID.Sessions = "free@example.com", nil, nil
	sameAddress.User.EmailKey = "user1@example.com"
	sameCredential.Credentials[1].Key = "user1@example.com"
	sameSession.Sessions[1].ID = sameSession.Sessions[0].ID
	free := account(5)
	errs := addAccounts(t, s, sameID, sameAddress, sameCredential, sameSession, free, free)
	for i, err := range errs {
		if i == 4 {
			if err != nil {
				t.Errorf("the free one: %v", err)
			}
			continue
		}
		want(t, err, store.ErrExists)
	}
	got := accounts(t, s, "", 10)
	same(t, len(got), 2)
	same(t, got[1], free)
	u, c := user(1)
	same(t, got[0], store.Account{User: u, Credentials: []store.Credential{c}})
	for _, key := range []string{"key of id-002", "key of id-003", "key of id-004"} { // nothing is left of them
		_, err := s.Credential(t.Context(), "passkey", key)
		want(t, err, store.ErrNotFound)
	}
	if err := addAccounts(t, s, account(2))[0]; err != nil {
		t.Errorf("one whose address is free now: %v", err)
	}
}

func manyAccounts(t *testing.T, s store.Store) {
	const n = 250
	var all []store.Account
	for i := range n {
		u, c := user(i)
		all = append(all, store.Account{User: u, Credentials: []store.Credential{c}})
	}
	all = slices.Insert(all, 120, account(7)) // one in the middle is there already
	for i, err := range addAccounts(t, s, all...) {
		if (err != nil) != (i == 120) {
			t.Errorf("account %d: %v", i, err)
		}
	}
	same(t, len(accounts(t, s, "", 2*n)), n)
}

func addCredential(t *testing.T, s store.Store) {
	u, c := create(t, s, 1)
	create(t, s, 2)
	other := store.Credential{UserID: u.ID, Method: "passkey", Key: c.Key, Data: []byte{1}, CreatedAt: day, UpdatedAt: day, Version: 1}
	if err := s.AddCredential(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	got, err := s.Credential(t.Context(), other.Method, other.Key)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, other)
	taken := other
	taken.UserID = "id-002"
	want(t, s.AddCredential(t.Context(), taken), store.ErrExists)
	nobodys := other
	nobodys.UserID, nobodys.Key = "id-009", "free"
	want(t, s.AddCredential(t.Context(), nobodys), store.ErrNotFound)
	_, err = s.Credential(t.Context(), other.Method, "free")
	want(t, err, store.ErrNotFound)
	if err := s.DeleteUser(t.Context(), u.ID, until); err != nil {
		t.Fatal(err)
	}
	_, err = s.Credential(t.Context(), other.Method, other.Key)
	want(t, err, store.ErrNotFound)
	if err := s.AddCredential(t.Context(), taken); err != nil {
		t.Errorf("a credential whose user is deleted: %v", err)
	}
}

func search(t *testing.T, s store.Store) {
	keys := []string{"a", "ab", "ab@example.com", "ab_", "aba@example.com", "ab\u00e9", "ab\U0001F600", "ac", "A", "b%", "%"}
	for i, key := range keys {
		u, c := user(i)
		u.EmailKey = key
		if err := s.CreateUser(t.Context(), u, c); err != nil {
			t.Fatal(err)
		}
	}
	find := func(prefix, after string, limit int) (found []string) {
		t.Helper()
		users, err := s.SearchUsers(t.Context(), prefix, after, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range users {
			found = append(found, u.EmailKey)
		}
		return found
	}
	for _, tt := range []struct {
		prefix, after string
		limit         int
		want          []string
	}{
		{"ab", "", 10, []string{"ab", "ab@example.com", "ab_", "aba@example.com", "ab\u00e9", "ab\U0001F600"}},
		{"ab", "", 2, []string{"ab", "ab@example.com"}},
		{"ab", "ab@example.com", 2, []string{"ab_", "aba@example.com"}},
		{"ab", "ab\U0001F600", 2, nil},
		{"ab_", "", 10, []string{"ab_"}},
		{"%", "", 10, []string{"%"}},
		{"b%", "", 10, []string{"b%"}},
		{"A", "", 10, []string{"A"}},
		{"ab", "zz", 10, nil},
		{"x", "", 10, nil},
		{"", "", 3, []string{"%", "A", "a"}},
		{"", "ac", 3, []string{"b%"}},
		{".*", "", 10, nil},
	} {
		same(t, find(tt.prefix, tt.after, tt.limit), tt.want)
	}
}

func listAll(t *testing.T, s store.Store) {
	swap(t, s, day, 3, counter("b", 1, day), counter("a", 2, day), counter("c", 3, day.Add(-2*365*24*3600e9)))
	var got []store.Counter
	for after := ""; ; {
		page, err := s.ListCounters(t.Context(), after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		got, after = append(got, page...), page[len(page)-1].Key
	}
	wanted := []store.Counter{counter("a", 2, day), counter("b", 1, day), counter("c", 3, day.Add(-2*365*24*3600e9))}
	for i := range wanted {
		wanted[i].Version = 1
	}
	same(t, got, wanted)

	secrets := []store.Secret{{Name: "a", Value: []byte{0, 0xff}}, {Name: "b", Value: []byte("x")}}
	for _, x := range []store.Secret{secrets[1], secrets[0]} {
		if _, err := s.FirstSecret(t.Context(), x.Name, x.Value); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.ListSecrets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	same(t, all, secrets)
}

func createWithEvents(t *testing.T, s store.Store) {
	u, c := user(1)
	if err := s.CreateUser(t.Context(), u, c, event(1), event(2)); err != nil {
		t.Fatal(err)
	}
	same(t, events(t, s, "", 10), []store.Event{event(1), event(2)})
	want(t, s.CreateUser(t.Context(), u, c, event(3)), store.ErrExists)
	v, d := user(2)
	want(t, s.CreateUser(t.Context(), v, d, event(4), event(2)), store.ErrExists)
	same(t, events(t, s, "", 10), []store.Event{event(1), event(2)})
	_, err := s.User(t.Context(), v.ID)
	want(t, err, store.ErrNotFound)
	_, err = s.Credential(t.Context(), d.Method, d.Key)
	want(t, err, store.ErrNotFound)
	if err := s.CreateUser(t.Context(), v, d); err != nil {
		t.Errorf("after one that failed: %v", err)
	}
}

func candidate(t *testing.T, s store.Store) {
	u, c := create(t, s, 1)
	swap(t, s, day, 2, counter("x", 5, day), counter("expired", 5, day.Add(-2*365*24*3600e9)))
	x := counter("x", 5, day)
	x.Version = 1
	look := func(method, key string, counters ...string) store.Candidate {
		t.Helper()
		got, err := s.Candidate(t.Context(), method, key, day, counters...)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	absent := store.Counter{Key: "absent"}
	same(t, look(c.Method, c.Key, "absent", "x", "expired", "x"), store.Candidate{Credential: c, User: u, Counters: []store.Counter{absent, x, {Key: "expired"}, x}})
	same(t, look(c.Method, c.Key, "absent"), store.Candidate{Credential: c, User: u, Counters: []store.Counter{absent}})
	same(t, look(c.Method, c.Key), store.Candidate{Credential: c, User: u})
	same(t, look("other", c.Key, "x", "absent"), store.Candidate{Counters: []store.Counter{x, absent}})
	same(t, look(c.Method, "nobody\x00\xff", "absent"), store.Candidate{Counters: []store.Counter{absent}})
	same(t, look(c.Method, "nobody"), store.Candidate{})
	create(t, s, 2)
	if err := s.DeleteUser(t.Context(), u.ID, until); err != nil {
		t.Fatal(err)
	}
	same(t, look(c.Method, c.Key, "x"), store.Candidate{Counters: []store.Counter{x}})
}

// openingWithMore is about what a login leaves behind beside its session.
func openingWithMore(t *testing.T, s store.Store) {
	create(t, s, 1)
	mine, others := counter("mine", 1, day), counter("others", 1, day)
	swap(t, s, day, 1, others) // somebody was faster
	opening := func(n int) store.Opening {
		return store.Opening{
			Session: session(n, 1), Proof: store.Proof{Method: "password", Key: "user1@example.com", Version: 1}, Limit: 2, Until: until,
			Counters: []store.Counter{mine, others}, Now: day, Events: []store.Event{event(2 * n), event(2*n + 1)},
		}
	}
	done, err := s.CreateSession(t.Context(), opening(1))
	if err != nil {
		t.Fatal(err)
	}
	same(t, done, store.Opened{Swapped: []bool{true, false}})
	mine.Version, others.Version = 1, 1
	same(t, counters(t, s, day, "mine", "others"), []store.Counter{mine, others})
	same(t, events(t, s, "", 10), []store.Event{event(2), event(3)})

	stale := opening(2)
	stale.Proof.Version = 2
	stale.Counters = []store.Counter{mine}
	_, err = s.CreateSession(t.Context(), stale)
	want(t, err, store.ErrConflict)
	twice := opening(2)
	twice.Events[1] = event(3)
	twice.Counters = []store.Counter{mine}
	_, err = s.CreateSession(t.Context(), twice)
	want(t, err, store.ErrExists)
	same(t, counters(t, s, day, "mine", "others"), []store.Counter{mine, others})
	same(t, events(t, s, "", 10), []store.Event{event(2), event(3)})
	same(t, sessions(t, s, "id-001"), []store.Session{session(1, 1)})

	for n := 2; n <= 4; n++ {
		o := opening(n)
		mine.Count++
		o.Counters = []store.Counter{mine}
		if done, err = s.CreateSession(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		same(t, done, store.Opened{Swapped: []bool{true}, Ended: max(0, n-2) / max(1, n-2)})
		mine.Version++
	}
	same(t, counters(t, s, day, "mine"), []store.Counter{mine})
	same(t, sessions(t, s, "id-001"), []store.Session{session(4, 1), session(3, 1)})
	revoked(t, s, revocation(session(1, 1).ID, until), revocation(session(2, 1).ID, until))
	var ids []string
	for _, e := range events(t, s, "", 20) {
		ids = append(ids, e.ID)
	}
	var wanted []string
	for n := 2; n <= 9; n++ {
		wanted = append(wanted, fmt.Sprintf("event-%03d", n))
	}
	same(t, ids, wanted)
}
