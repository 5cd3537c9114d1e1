package app_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/testkit"
)

func TestUsersWriteTheirDataAndNothingElse(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	id := s.SignUp(t, "mike@example.com")
	change(t, s, id, func(u *store.User) { u.AdminData, u.Roles = []byte(`{"plan":"free"}`), []string{"reader"} })
	p := logIn(t, s, "mike@example.com")

	res := by(t, s, p.access, http.MethodPatch, "/user", "{ \"data\" : {\n \"theme\": \"dark\", \"n\": 12345678901234567890.0, \"s\": \"\\u0041<\" } }")
	if res.Status != http.StatusOK || !strings.Contains(res.Body, "12345678901234567890.0") || res.Get("user", "data", "s") != "A<" {
		t.Fatalf("%d %s", res.Status, res.Body)
	}
	u, err := s.App.Store.User(t.Context(), id)
	if err != nil || string(u.Data) != `{"theme":"dark","n":12345678901234567890.0,"s":"\u0041<"}` {
		t.Errorf("stored %s (%v)", u.Data, err)
	}
	before := u

	// n bytes of data in compact form.
	data := func(n int) string { return `{"data":{"x":"` + strings.Repeat("y", n-len(`{"x":""}`)) + `"}}` }
	for _, c := range []struct {
		name, body string
		want       int
		code       string
		headers    []string
	}{
		{"nothing", "", 400, "malformed_body", nil},
		{"empty object", "{}", 400, "missing_fields", nil},
		{"null", `{"data":null}`, 400, "invalid_fields", nil},
		{"list", `{"data":[]}`, 400, "invalid_fields", nil},
		{"text", `{"data":"{}"}`, 400, "invalid_fields", nil},
		{"number", `{"data":1}`, 400, "invalid_fields", nil},
		{"a list of bodies", `[{"data":{}}]`, 400, "invalid_fields", nil},
		{"8 KiB and a byte", data(8193), 422, "invalid_fields", nil},
		{"60 KiB", data(60_000), 422, "invalid_fields", nil},
		{"80 KiB", data(80_000), 413, "body_too_large", nil},
		{"80 KiB of space", `{"data":{` + strings.Repeat(" ", 80_000) + `}}`, 413, "body_too_large", nil},
		{"data twice", `{"data":{},"data":{}}`, 400, "malformed_body", nil},
		{"a member twice", `{"data":{"a":1,"a":2}}`, 400, "", nil},
		{"a member twice, escaped", `{"data":{"a":{"b":1,"\u0062":2}}}`, 400, "", nil},
		{"33 deep", `{"data":` + strings.Repeat(`{"a":`, 31) + `[]` + strings.Repeat(`}`, 31) + `}`, 400, "malformed_body", nil},
		{"10,000 deep", `{"data":` + strings.Repeat(`[`, 10_000) + strings.Repeat(`]`, 10_000) + `}`, 400, "malformed_body", nil},
		{"bad UTF-8", "{\"data\":{\"a\":\"\xff\"}}", 400, "", nil},
		{"half a surrogate pair", `{"data":{"a":"\ud800"}}`, 400, "", nil},
		{"half", `{"data":{`, 400, "malformed_body", nil},
		{"trailing", `{"data":{}}{}`, 400, "malformed_body", nil},
		{"other case", `{"Data":{}}`, 400, "unknown_field", nil},
		{"admin_data", `{"data":{},"admin_data":{"plan":"pro"}}`, 400, "unknown_field", nil},
		{"admin_data alone", `{"admin_data":{"plan":"pro"}}`, 400, "unknown_field", nil},
		{"roles", `{"data":{},"roles":["admin"]}`, 400, "unknown_field", nil},
		{"email", `{"data":{},"email":"eve@example.com"}`, 400, "unknown_field", nil},
		{"_id", `{"data":{},"_id":"x"}`, 400, "unknown_field", nil},
		{"the answer sent back", by(t, s, p.access, http.MethodGet, "/user", "").Body, 400, "unknown_field", nil},
		{"a form", `data=%7B%7D`, 415, "unsupported_media_type", []string{asForm}},
		{"merge patch", `{"data":{}}`, 415, "unsupported_media_type", []string{"Content-Type: application/merge-patch+json"}},
		{"no type", `{"data":{}}`, 415, "unsupported_media_type", []string{"X-Y: z"}},
		{"cross-site", `{"data":{}}`, 403, "cross_origin", []string{asJSON, "Sec-Fetch-Site: cross-site"}},
		{"another origin", `{"data":{}}`, 403, "cross_origin", []string{asJSON, "Origin: https://evil.example"}},
	} {
		headers := []string{"Authorization: Bearer " + p.access}
		if c.headers == nil {
			headers = append(headers, asJSON)
		}
		res := s.Do(t, s.Request(t, http.MethodPatch, "/user", c.body, append(headers, c.headers...)...))
		if res.Status != c.want || c.code != "" && res.Code() != c.code {
			t.Errorf("%s: %d %s, want %d %s", c.name, res.Status, res.Body, c.want, c.code)
		}
	}
	if after, err := s.App.Store.User(t.Context(), id); err != nil || after.Version != before.Version {
		t.Errorf("something was written: %+v (%v)", after, err)
	}

	for name, body := range map[string]string{
		"8 KiB":           data(8192),
		"8 KiB and space": strings.Replace(data(8192), ":{", ":\n{"+strings.Repeat(" ", 9000), 1),
		"32 deep":         `{"data":` + strings.Repeat(`{"a":`, 30) + `[]` + strings.Repeat(`}`, 30) + `}`,
		"empty":           `{"data":{}}`,
	} {
		if res := by(t, s, p.access, http.MethodPatch, "/user", body); res.Status != http.StatusOK {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}
	a := accountOf(t, by(t, s, p.access, http.MethodGet, "/user", ""))
	if string(a.User.AdminData) != `{"plan":"free"}` || !slices.Equal(a.User.Roles, []string{"reader"}) || a.User.Email != "mike@example.com" {
		t.Errorf("%+v", a)
	}
}

// TestParallelChangesOfOneUser lets a user write while an operator does: neither undoes what the other wrote.
func TestParallelChangesOfOneUser(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	id := s.SignUp(t, "mike@example.com")
	p := logIn(t, s, "mike@example.com")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if res := by(t, s, p.access, http.MethodPatch, "/user", fmt.Sprintf(`{"data":{"n":%d}}`, i)); res.Status != http.StatusOK {
				t.Errorf("%d %s", res.Status, res.Body)
			}
		})
	}
	roles := 0
	for roles < 20 {
		u, err := s.App.Store.User(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		u.Roles = append(u.Roles, fmt.Sprintf("r%02d", roles))
		if err := s.App.Store.UpdateUser(t.Context(), u); err == nil {
			roles++
		}
	}
	wg.Wait()
	a := accountOf(t, by(t, s, p.access, http.MethodGet, "/user", ""))
	if len(a.User.Roles) != 20 || !strings.HasPrefix(string(a.User.Data), `{"n":`) {
		t.Errorf("%+v", a.User)
	}
}
