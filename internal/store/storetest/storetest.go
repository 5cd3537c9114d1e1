// Package storetest is the contract of package store as tests. Every store runs all of it.
package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign-auth/countersign/internal/store"
)

// Run runs the suite. Open opens the store at a place: a fresh and empty one the first time, and from then on the same
// with what is in it, as another node does. The test closes each by itself. A place is the path of a folder that is the
// test's own.
func Run(t *testing.T, open func(t *testing.T, place string) store.Store) {
	for _, tt := range []struct {
		name string
		test func(*testing.T, store.Store)
	}{
		{"round trip", roundTrip},
		{"user without anything", bareUser},
		{"unique", unique},
		{"one of many creators wins", creators},
		{"create is whole or not at all", wholeOrNot},
		{"update user by version", updateUser},
		{"update user with revocations", updateUserRevoking},
		{"update credential by version", updateCredential},
		{"one of many updaters wins", updaters},
		{"delete", deleteUser},
		{"delete with revocations", deleteUserRevoking},
		{"list", list},
		{"search by address", search},
		{"create with events", createWithEvents},
		{"add a credential", addCredential},
		{"list credentials", listCredentials},
		{"delete a credential", deleteCredential},
		{"one of many deleters wins", deleters},
		{"accounts: round trip", accountRoundTrip},
		{"accounts: taken", takenAccounts},
		{"accounts: many", manyAccounts},
		{"archive: counters and secrets", listAll},
		{"candidate", candidate},
		{"sessions: round trip", sessionRoundTrip},
		{"sessions: with counters and events", openingWithMore},
		{"sessions: create", createSession},
		{"sessions: of a user who is no longer as at the login", staleLogin},
		{"sessions: none is opened for a user who is being disabled", loginsAndDisabling},
		{"sessions: proof", proof},
		{"sessions: limit", sessionLimit},
		{"sessions: rotate", rotateSession},
		{"sessions: list", listSessions},
		{"sessions: end", endSessions},
		{"sessions: end those of another credential's version", changeCredential},
		{"sessions: no login outlives a change of the credential", loginsAndChange},
		{"sessions: a rotation does not bring one back", rotationsAndEnd},
		{"revocations: list", revocations},
		{"revocations: none is passed over", followers},
		{"keys: add", addKey},
		{"keys: one of many first keys", firstKey},
		{"keys: replace", replaceKey},
		{"keys: delete", deleteKey},
		{"counters: round trip", counterRoundTrip},
		{"counters: expiry", counterExpiry},
		{"counters: swap several", swapSeveral},
		{"counters: one of many swappers wins each version", swappers},
		{"counters: one of many makers of an absent one wins", counterMakers},
		{"counters: all who retry are counted", retriers},
		{"delete the expired: counters", expiredCounters},
		{"delete the expired: sessions", expiredSessions},
		{"delete the expired: revocations", expiredRevocations},
		{"delete the expired: each kind up to the limit", expiredOfAllKinds},
		{"events: round trip", eventRoundTrip},
		{"events: all or none", eventsAllOrNone},
		{"events: list", listEvents},
		{"first secret", firstSecret},
		{"replace secret", replaceSecret},
		{"cancellation", cancellation},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.test(t, open(t, t.TempDir()))
		})
	}
	for _, tt := range []struct {
		name string
		test func(t *testing.T, s store.Store, another func() store.Store)
	}{
		{"one of fifty rotations wins", rotators},
		{"the limit of sessions holds", loginsAtLimit},
		{"one of many new keys wins", keyMakers},
		{"positions never come again", positions},
	} {
		t.Run("nodes: "+tt.name, func(t *testing.T) {
			t.Parallel()
			place := t.TempDir()
			tt.test(t, open(t, place), func() store.Store { return open(t, place) })
		})
	}
}

// Times are kept to the microsecond, in whatever zone they came.
var day = time.Date(2026, 2, 28, 23, 59, 59, 999_999_000, time.FixedZone("", 5*3600+45*60))

func want(t *testing.T, err, sentinel error) {
	t.Helper()
	if !errors.Is(err, sentinel) {
		t.Fatalf("got error %v, want %v", err, sentinel)
	}
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
}

func onlyWinner(t *testing.T, errs []error, losers error) int {
	t.Helper()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			t.Fatalf("%d and %d both won", winner, i)
		case err == nil:
			winner = i
		default:
			want(t, err, losers)
		}
	}
	if winner < 0 {
		t.Fatal("nobody won")
	}
	return winner
}

func cancellation(t *testing.T, s store.Store) {
	_, c0 := create(t, s, 1)
	x := login(t, s, session(1, 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	u, c := user(2)
	_, userErr := s.User(ctx, "id-001")
	_, mailErr := s.UserByEmail(ctx, "user1@example.com")
	_, usersErr := s.ListUsers(ctx, "", 1)
	_, searchErr := s.SearchUsers(ctx, "u", "", 1)
	_, accountsErr := s.Accounts(ctx, "", 1)
	_, addErr := s.AddAccounts(ctx, account(3))
	_, listCountersErr := s.ListCounters(ctx, "", 1)
	_, listSecretsErr := s.ListSecrets(ctx)
	_, candidateErr := s.Candidate(ctx, c0.Method, c0.Key, day, "c")
	_, credentialErr := s.Credential(ctx, "password", "x")
	_, listCredentialsErr := s.ListCredentials(ctx, "id-001", "password")
	_, _, sessionErr := s.Session(ctx, x.ID)
	_, sessionsErr := s.ListSessions(ctx, x.UserID)
	_, endErr := s.EndSessions(ctx, x.UserID, store.Which{}, day)
	_, revocationsErr := s.Revocations(ctx, 0, 1)
	_, keysErr := s.SigningKeys(ctx)
	_, countersErr := s.Counters(ctx, day, "c")
	_, swapErr := s.SwapCounters(ctx, day, counter("c", 1, day))
	_, deleteErr := s.DeleteExpired(ctx, day.Add(time.Hour*9000), 1)
	_, eventsErr := s.ListEvents(ctx, "", 1)
	_, firstErr := s.FirstSecret(ctx, "name", []byte("value"))
	_, secretErr := s.Secret(ctx, "name")
	_, _, schemaErr := s.Schema(ctx)
	next := x
	next.Generation++
	for name, err := range map[string]error{
		"CreateUser": s.CreateUser(ctx, u, c), "User": userErr, "UserByEmail": mailErr, "UpdateUser": s.UpdateUser(ctx, u),
		"DeleteUser": s.DeleteUser(ctx, "id-001", day), "ListUsers": usersErr, "SearchUsers": searchErr, "Accounts": accountsErr, "AddAccounts": addErr, "ListCounters": listCountersErr,
		"ListSecrets": listSecretsErr, "Candidate": candidateErr, "AddCredential": s.AddCredential(ctx, c), "Credential": credentialErr, "ListCredentials": listCredentialsErr,
		"DeleteCredential": s.DeleteCredential(ctx, c0), "UpdateCredential": s.UpdateCredential(ctx, c),
		"ChangeCredential": s.ChangeCredential(ctx, c, "", day), "CreateSession": open(ctx, s, session(2, 1), store.Proof{}, 1, day),
		"Session": sessionErr, "ListSessions": sessionsErr, "RotateSession": s.RotateSession(ctx, next), "EndSessions": endErr,
		"Revocations": revocationsErr, "AddKey": s.AddKey(ctx, store.SigningKey{ID: "k", Private: []byte{}}, ""), "SigningKeys": keysErr,
		"ReplaceKey": s.ReplaceKey(ctx, "k", nil, nil), "DeleteKey": s.DeleteKey(ctx, "k"), "Counters": countersErr, "SwapCounters": swapErr,
		"DeleteExpired": deleteErr, "AppendEvents": s.AppendEvents(ctx, event(1)), "ListEvents": eventsErr, "FirstSecret": firstErr,
		"Secret": secretErr, "ReplaceSecret": s.ReplaceSecret(ctx, "name", nil, nil), "Schema": schemaErr, "Ping": s.Ping(ctx),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want the context's error", name, err)
		}
	}
	_, err := s.User(t.Context(), u.ID)
	want(t, err, store.ErrNotFound)
	same(t, sessions(t, s, x.UserID), []store.Session{x})
	same(t, counters(t, s, day, "c"), []store.Counter{{Key: "c"}})
	same(t, len(events(t, s, "", 1)), 0)
}
