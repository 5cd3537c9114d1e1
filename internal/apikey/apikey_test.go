package apikey_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/apikey"
	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/store/sqlstore"
	"github.com/countersign-auth/countersign/internal/store/storetest"
	"github.com/countersign-auth/countersign/passport"
)

// slowStore is a store whose writes of credentials do not end before they are let go, and then fail.
type slowStore struct {
	store.Store
	begun chan struct{}
	let   chan struct{}
}

func (s *slowStore) UpdateCredential(context.Context, store.Credential) error {
	s.begun <- struct{}{}
	<-s.let
	return store.ErrUnavailable
}

func openHere(t *testing.T) store.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "c.db"))
	s2 := storetest.Opened(t, s, err)
	u := store.User{ID: "mike", Email: "m@x", EmailKey: "m@x", Epoch: "e", Version: 1}
	if err := s2.CreateUser(t.Context(), u, store.Credential{UserID: "mike", Method: "password", Key: "m@x", Data: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	return s2
}

func service(t *testing.T, s store.Store, now func() time.Time, scopes ...string) *apikey.Service {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	service, err := apikey.New(apikey.Config{Store: s, Audit: audit.New(s, log, now), Scopes: scopes, Log: log, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return service
}

func ask(t *testing.T, s *apikey.Service, key string) passport.Result[*passport.Principal] {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-API-Key", key)
	res, err := s.Guard().Check(r)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// TestUseWaitsForNobody has the write of a use hang and fail: requests succeed all the same, and no second write is begun.
func TestUseWaitsForNobody(t *testing.T) {
	t.Parallel()
	slow := &slowStore{Store: openHere(t), begun: make(chan struct{}, 100), let: make(chan struct{})}
	s := service(t, slow, time.Now)
	_, key, err := s.Create(t.Context(), "mike", apikey.Wish{Name: "x"}, audit.By{Actor: audit.CLI})
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if res := ask(t, s, key.Reveal()); res.Kind != passport.Succeeded {
			t.Fatalf("%+v", res.Problem)
		}
	}
	close(slow.let)
	s.Close() // which waits for every write that was begun
	if n := len(slow.begun); n != 1 {
		t.Errorf("%d writes were begun", n)
	}
	if res := ask(t, s, key.Reveal()); res.Kind != passport.Succeeded {
		t.Errorf("after Close: %+v", res.Problem)
	}
}

func TestCreateBySomebodyElse(t *testing.T) {
	t.Parallel()
	s := service(t, openHere(t), time.Now, "orders:read")
	w := apikey.Wish{Name: "x", Scopes: []string{"admin"}}
	var invalid *apikey.InvalidError
	if _, _, err := s.Create(t.Context(), "mike", w, audit.By{}); !errors.As(err, &invalid) || len(invalid.Fields) != 1 || invalid.Fields[0].Name != "scopes" {
		t.Errorf("the owner gives admin: %v", err)
	}
	_, key, err := s.Create(t.Context(), "mike", w, audit.By{Actor: audit.CLI})
	if err != nil {
		t.Fatal(err)
	}
	if res := ask(t, s, key.Reveal()); res.Kind != passport.Succeeded || !res.Identity.User.HasScope("admin") || len(res.Identity.User.Roles) != 0 {
		t.Errorf("%+v", res)
	}
	if _, _, err := s.Create(t.Context(), "nobody", apikey.Wish{Name: "x"}, audit.By{}); !errors.Is(err, apikey.ErrNotFound) {
		t.Errorf("a key of nobody: %v", err)
	}
}

// TestDamagedRecord is about a record that this package has not written: it is a fault, and lets nobody in.
func TestDamagedRecord(t *testing.T) {
	t.Parallel()
	db := openHere(t)
	s := service(t, db, time.Now)
	k, key, err := s.Create(t.Context(), "mike", apikey.Wish{Name: "x"}, audit.By{})
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{"", "{}", "null", `{"hash":""}`, `{"hash":"c2hvcnQ="}`, `{"hash":1}`, "\xff"} {
		c, err := db.Credential(t.Context(), apikey.Method, k.ID)
		if err != nil {
			t.Fatal(err)
		}
		c.Data = []byte(data)
		if err := db.UpdateCredential(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-API-Key", key.Reveal())
		res, err := s.Guard().Check(r)
		if err == nil || res.Kind == passport.Succeeded || strings.Contains(err.Error(), "c2hvcnQ") {
			t.Errorf("%q: %+v, %v", data, res, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	if _, err := apikey.New(apikey.Config{}); err == nil {
		t.Error("a service of nothing is made")
	}
	for _, scopes := range [][]string{{"admin"}, {"a b"}, {""}, {"é"}, {`"`}, {`\`}, {strings.Repeat("a", 65)}} {
		if apikey.CheckOwnScopes(scopes) == nil {
			t.Errorf("%q are taken", scopes)
		}
	}
	if err := apikey.CheckOwnScopes([]string{"orders:read", "Admin", "!#[]~"}); err != nil {
		t.Error(err)
	}
}
