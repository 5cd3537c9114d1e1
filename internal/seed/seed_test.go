package seed_test

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign-auth/countersign/internal/account"
	"github.com/countersign-auth/countersign/internal/login"
	"github.com/countersign-auth/countersign/internal/seed"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/store/sqlstore"
)

func fill(t *testing.T, number byte, users int) []store.Account {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "countersign.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	made, err := seed.Fill(t.Context(), seed.Config{
		Store: s, Users: users, Hash: "$2b$04$x", Random: rand.NewChaCha8([32]byte{number}),
		Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Progress: func(int) {},
	})
	if err != nil || made != users {
		t.Fatalf("%d made: %v", made, err)
	}
	accounts, err := s.Accounts(t.Context(), "", users+1)
	if err != nil || len(accounts) != users {
		t.Fatalf("%d there: %v", len(accounts), err)
	}
	return accounts
}

func TestTheSameNumbersMakeTheSameUsers(t *testing.T) {
	t.Parallel()
	one := fill(t, 1, 1500)
	if diff := cmp.Diff(one, fill(t, 1, 1500)); diff != "" {
		t.Error(diff)
	}
	two := fill(t, 2, 1500)
	if slices.ContainsFunc(one, func(a store.Account) bool {
		return slices.ContainsFunc(two, func(b store.Account) bool { return a.User.ID == b.User.ID || a.User.EmailKey == b.User.EmailKey })
	}) {
		t.Error("other numbers have made the same user")
	}
}

func TestUsersAreWhatUsersCanBe(t *testing.T) {
	t.Parallel()
	disabled, roles, data, sessions := 0, 0, 0, 0
	for _, a := range fill(t, 3, 2000) {
		u := a.User
		address, err := login.ParseAddress(u.Email)
		if err != nil || address.Key != u.EmailKey || u.CreatedAt.After(u.UpdatedAt) || u.Epoch == "" || len(a.Credentials) != 1 {
			t.Errorf("%+v (%v)", a, err)
		}
		if valid, err := account.AddRoles(nil, u.Roles...); err != nil || !slices.Equal(valid, u.Roles) && len(u.Roles) > 0 {
			t.Errorf("roles %v (%v)", u.Roles, err)
		}
		for _, s := range a.Sessions {
			if s.Epoch != u.Epoch || s.UserID != u.ID || s.CreatedAt.Before(u.CreatedAt) {
				t.Errorf("%+v of %+v", s, u)
			}
		}
		for count, is := range map[*int]bool{&disabled: u.Disabled(), &roles: len(u.Roles) > 0, &data: u.Data != nil, &sessions: len(a.Sessions) > 0} {
			if is {
				*count++
			}
		}
	}
	if disabled < 5 || roles < 50 || data < 300 || sessions < 100 {
		t.Errorf("%d are disabled, %d have roles, %d data, %d sessions", disabled, roles, data, sessions)
	}
}
