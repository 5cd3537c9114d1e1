package admin_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/internal/admin"
	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/problem"
)

// The API keys of the tests: one that opens the routes, and one that does not.
const (
	adminKey  = "X-API-Key: key-of-admin"
	readerKey = "X-API-Key: key-of-reader"
)

// scopes are those of each key.
var scopes = map[string][]string{"key-of-admin": {"other", "admin"}, "key-of-reader": {"read", "administration", "Admin"}}

// start runs a server, and one with the routes of administration over the same services.
func start(t testing.TB, settings ...string) (server, routes *testkit.Server) {
	t.Helper()
	server = testkit.Start(t, settings...)
	keys := passport.StrategyFunc[*passport.Principal](func(r *http.Request) (passport.Outcome[*passport.Principal], error) {
		key := r.Header.Get("X-API-Key")
		if key == "" {
			key, _ = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		}
		if scopes[key] == nil {
			p := problem.New(http.StatusUnauthorized, "invalid_key", "The key is not valid.").WithChallenges(problem.Bearer("test"))
			return passport.Fail[*passport.Principal](passport.Failure{Problem: p, Absent: key == ""}), nil
		}
		return passport.Success(&passport.Principal{ID: "owner", Key: strings.TrimPrefix(key, "key-of-"), Scopes: scopes[key]}, nil), nil
	})
	registry, err := passport.NewRegistry(passport.Named[*passport.Principal]{Name: "apikey", Strategy: keys})
	if err != nil {
		t.Fatal(err)
	}
	guard, err := registry.Any(passport.Options[*passport.Principal]{Realm: "test"}, "apikey")
	if err != nil {
		t.Fatal(err)
	}
	rt := api.NewRouter("Test", "1", "", "http://example.com")
	rt.Security("")
	server.App.Admin.Routes(rt, admin.HTTP{Log: slog.New(slog.DiscardHandler), Guard: guard, Realm: "test"})
	if err := rt.ServeDocs(); err != nil {
		t.Fatal(err)
	}
	handler, err := api.Wrap(api.Config{}, rt)
	if err != nil {
		t.Fatal(err)
	}
	return server, server.Serve(t, handler)
}

// do sends a request with the key that opens the routes.
func do(t testing.TB, s *testkit.Server, method, path, body string) *testkit.Response {
	t.Helper()
	return s.Do(t, s.Request(t, method, path, body, adminKey, "Content-Type: application/json"))
}

const users = "/admin/api/users"

// events returns those of a kind as their results and reasons, and checks that those of the routes say who did it.
func events(t *testing.T, s *testkit.Server, kind string) (lines []string) {
	t.Helper()
	list, err := s.App.Store.ListEvents(t.Context(), "", 10_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if e.Kind == kind {
			lines = append(lines, strings.Join([]string{e.Result, e.Reason, e.Actor, e.UserID}, " "))
		}
	}
	return lines
}

// add writes a user who is as imported.
func add(t testing.TB, s *testkit.Server, id, email string) {
	t.Helper()
	at := s.Clock.Now()
	u := store.User{ID: id, Email: email, EmailKey: strings.ToLower(email), Epoch: "epoch of " + id, CreatedAt: at, UpdatedAt: at, Version: 1}
	errs, err := s.App.Store.AddAccounts(t.Context(), store.Account{User: u})
	if err != nil || errs[0] != nil {
		t.Fatal(id, errs, err)
	}
}
