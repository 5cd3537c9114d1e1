package app_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/internal/apikey"
	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/testkit"
)

// TestAdministrationByRealKeys: package admin tests the routes; this, that the server opens them to a key with the scope, in
// each place that a key may stand in, for as long as the key is good, and to nothing else.
func TestAdministrationByRealKeys(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	owner := s.SignUp(t, "backend@example.com")
	key := func(scopes ...string) (id, text string) {
		made, secret, err := s.App.APIKeys.Create(t.Context(), owner, apikey.Wish{Name: "test", Scopes: scopes}, audit.By{Actor: audit.CLI})
		if err != nil {
			t.Fatal(err)
		}
		return made.ID, secret.Reveal()
	}
	id, good := key("admin")
	_, other := key("orders")
	ask := func(method, path, body string, headers ...string) *testkit.Response {
		return s.Do(t, s.Request(t, method, path, body, append(headers, "Content-Type: application/json")...))
	}
	const path = "/admin/api/users"
	for _, c := range []struct {
		name, query string
		headers     []string
		status      int
		code        string
	}{
		{"the key", "", []string{"X-API-Key: " + good}, 200, ""},
		{"the key as a bearer token", "", []string{"Authorization: Bearer " + good}, 200, ""},
		{"nothing", "", nil, 401, "unauthorized"},
		{"a user's token", "", []string{"Authorization: Bearer " + s.LogIn(t, "backend@example.com")}, 401, ""},
		{"a key of another scope", "", []string{"X-API-Key: " + other}, 403, "insufficient_scope"},
		{"half a key", "", []string{"X-API-Key: " + good[:len(good)/2]}, 401, ""},
		{"the key twice", "", []string{"X-API-Key: " + good, "Authorization: Bearer " + good}, 400, "invalid_request"},
		{"the key in the query", "?api_key=" + url.QueryEscape(good), nil, 401, "unauthorized"},
	} {
		if res := ask("GET", path+c.query, "", c.headers...); res.Status != c.status || c.code != "" && res.Code() != c.code {
			t.Errorf("%s: %d %s", c.name, res.Status, res.Body)
		}
	}
	made := ask("POST", path, `{"email":"mike@example.com","password":"`+testkit.Password+`"}`, "X-API-Key: "+good)
	if made.Status != http.StatusCreated {
		t.Fatalf("%d %s", made.Status, made.Body)
	}
	token := s.LogIn(t, "mike@example.com")
	if res := ask("PATCH", path+"/"+made.Get("id"), `{"disabled":true}`, "X-API-Key: "+good); res.Status != http.StatusOK {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	if res := s.Profile(t, token); res.Status != http.StatusUnauthorized {
		t.Errorf("a disabled user's token: %d", res.Status)
	}
	if res := ask("DELETE", path+"/"+owner, "", "X-API-Key: "+good); res.Status != http.StatusNoContent {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	if res := ask("GET", path, "", "X-API-Key: "+good); res.Status != http.StatusUnauthorized {
		t.Errorf("the key of an owner who was deleted: %d %s", res.Status, res.Body)
	}

	var calls []string
	list, err := s.App.Store.ListEvents(t.Context(), "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if e.Kind == "admin" && e.Actor == "apikey:"+id && e.Result == audit.OK && e.Client != "" && e.RequestID != "" {
			calls = append(calls, e.Reason)
		}
	}
	if want := []string{"list_users", "list_users", "create_user", "change_user", "delete_user"}; !slices.Equal(calls, want) {
		t.Errorf("the log has %q", calls)
	}
	if strings.Contains(s.Log(), good) {
		t.Error("a key stands in the log")
	}
}
