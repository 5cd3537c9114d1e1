package admin_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/internal/testkit"
)

func TestWhoMayAdminister(t *testing.T) {
	t.Parallel()
	s, routes := start(t)
	id := s.SignUp(t, "mike@example.com")
	token := s.LogIn(t, "mike@example.com")
	browser := s.JSON(t, "/login", `{"email":"mike@example.com","password":"`+testkit.Password+`","session":"cookie"}`)
	var cookies []string
	for _, c := range browser.Header.Values("Set-Cookie") {
		cookies = append(cookies, strings.SplitN(c, ";", 2)[0])
	}
	if len(cookies) < 2 {
		t.Fatal(cookies)
	}
	for _, r := range []struct{ method, path string }{
		{"GET", ""}, {"POST", ""}, {"GET", "/" + id}, {"PATCH", "/" + id}, {"DELETE", "/" + id}, {"GET", "/" + id + "/sessions"},
		{"DELETE", "/" + id + "/sessions"}, {"DELETE", "/" + id + "/sessions/x"}, {"HEAD", "/" + id},
	} {
		for _, c := range []struct {
			name    string
			status  int
			code    string
			headers []string
		}{
			{"nothing", 401, "invalid_key", nil},
			{"a user's token", 401, "invalid_key", []string{"Authorization: Bearer " + token}},
			{"a user's cookies", 401, "invalid_key", []string{"Cookie: " + strings.Join(cookies, "; ")}},
			{"an unknown key", 401, "invalid_key", []string{"X-API-Key: key-of-nobody"}},
			{"a key without the scope", 403, "insufficient_scope", []string{readerKey}},
		} {
			res := routes.Do(t, routes.Request(t, r.method, users+r.path, `{"disabled":true}`, append(c.headers, "Content-Type: application/json")...))
			if res.Status != c.status || r.method != "HEAD" && res.Code() != c.code || res.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s %s, %s: %d %s %v", r.method, r.path, c.name, res.Status, res.Body, res.Header)
			}
		}
	}
	if s.Profile(t, token).Status != http.StatusOK {
		t.Error("the user was changed")
	}
	if all := events(t, s, "admin"); len(all) != 0 {
		t.Errorf("refusals are written one by one: %q", all)
	}
	res := routes.Do(t, routes.Request(t, "GET", users, "", "Authorization: Bearer key-of-admin"))
	if res.Status != http.StatusOK {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

// TestAUsersLife goes through what a back end does.
func TestAUsersLife(t *testing.T) {
	t.Parallel()
	s, routes := start(t)
	life(t, s, routes)
}

func life(t *testing.T, s, routes *testkit.Server) {
	t.Helper()
	made := do(t, routes, "POST", users, `{"email":"Mike@Example.com","password":"`+testkit.Password+`","roles":["b","a","b"],"data":{"x":1},"admin_data":{"plan":"pro"}}`)
	id := made.Get("id")
	if made.Status != http.StatusCreated || id == "" || made.Get("email") != "Mike@Example.com" || made.Get("admin_data", "plan") != "pro" {
		t.Fatalf("%d %s", made.Status, made.Body)
	}
	path := users + "/" + id
	token := s.LogIn(t, "mike@example.com")
	read := do(t, routes, "GET", path, "")
	for _, want := range []string{`"roles":["a","b"]`, `"disabled":false`, `"version":1`, `"sessions":1`, `"data":{"x":1}`} {
		if !strings.Contains(read.Body, want) {
			t.Errorf("%s is not in %s", want, read.Body)
		}
	}
	var listed struct{ Sessions []struct{ ID string } }
	sessions := do(t, routes, "GET", path+"/sessions", "")
	if err := json.Unmarshal([]byte(sessions.Body), &listed); err != nil || len(listed.Sessions) != 1 {
		t.Fatalf("%d %s", sessions.Status, sessions.Body)
	}
	if res := do(t, routes, "DELETE", path+"/sessions/"+listed.Sessions[0].ID, ""); res.Status != http.StatusNoContent {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	if res := do(t, routes, "DELETE", path+"/sessions/"+listed.Sessions[0].ID, ""); res.Status != http.StatusNotFound || res.Code() != "no_session" {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	ended(t, s, token, "one session was ended")
	token = s.LogIn(t, "mike@example.com")
	if res := do(t, routes, "DELETE", path+"/sessions", ""); res.Status != http.StatusNoContent {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	ended(t, s, token, "all sessions were ended")

	token = s.LogIn(t, "mike@example.com")
	res := do(t, routes, "PATCH", path, `{"disabled":true,"roles":["b","c"],"admin_data":{}}`)
	for _, want := range []string{`"roles":["b","c"]`, `"disabled":true`, `"disabled_at"`, `"sessions":0`, `"admin_data":{}`, `"data":{"x":1}`} {
		if res.Status != http.StatusOK || !strings.Contains(res.Body, want) {
			t.Errorf("%s is not in %d %s", want, res.Status, res.Body)
		}
	}
	ended(t, s, token, "the user was disabled")
	refused := s.Form(t, "/login", "email", "mike@example.com", "password", testkit.Password)
	if refused.Status != http.StatusUnauthorized {
		t.Errorf("a disabled user logs in: %d", refused.Status)
	}
	if res := do(t, routes, "PATCH", path, `{"disabled":false}`); res.Status != http.StatusOK || strings.Contains(res.Body, "disabled_at") {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	token = s.LogIn(t, "mike@example.com")
	if res := do(t, routes, "DELETE", path, ""); res.Status != http.StatusNoContent {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	ended(t, s, token, "the user was deleted")
	for _, method := range []string{"GET", "DELETE"} {
		if res := do(t, routes, method, path, ""); res.Status != http.StatusNotFound || res.Code() != "no_user" {
			t.Errorf("%s: %d %s", method, res.Status, res.Body)
		}
	}

	who := " apikey:admin " + id
	want := []string{
		"ok create_user" + who, "ok read_user" + who, "ok list_sessions" + who, "ok end_session" + who, "failed end_session" + who,
		"ok end_sessions" + who, "ok change_user" + who, "ok change_user" + who, "ok delete_user" + who,
		"failed read_user apikey:admin ", "failed delete_user apikey:admin ",
	}
	if got := events(t, s, "admin"); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for kind, want := range map[string][]string{
		"signup": {"ok " + who}, "user_disabled": {"ok " + who}, "user_enabled": {"ok " + who}, "user_deleted": {"ok operator" + who},
		"role_added": {"ok c" + who}, "role_removed": {"ok a" + who}, "admin_data_changed": {"ok " + who},
		"session": {"ok operator" + who, "ok operator_all" + who},
	} {
		if got := events(t, s, kind); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", kind, got, want)
		}
	}
}

func ended(t *testing.T, s *testkit.Server, token, why string) {
	t.Helper()
	if res := s.Profile(t, token); res.Status != http.StatusUnauthorized {
		t.Errorf("%s, and a token still opens the profile: %d", why, res.Status)
	}
}

// TestIDsThatOthersChose: an imported id is any text, and the way to its user is to encode it.
func TestIDsThatOthersChose(t *testing.T) {
	t.Parallel()
	s, routes := start(t)
	for i, id := range []string{
		"auth0|5f7c", "google-oauth2:1/2", "mike@example.com", "a b+c", "%2e", "ü/日本", "!'()*;,=&$:", "a?b#c", `"\<>`, "sessions", "x/sessions",
		strings.Repeat("x", 255),
	} {
		add(t, s, id, string(rune('a'+i))+"@example.com")
		for _, path := range []string{users + "/" + url.PathEscape(id), users + "/" + everyByte(id)} {
			if res := do(t, routes, "GET", path, ""); res.Status != http.StatusOK || res.Get("id") != id {
				t.Errorf("GET %s: %d %s", path, res.Status, res.Body)
			}
			if res := do(t, routes, "GET", path+"/sessions", ""); res.Status != http.StatusOK {
				t.Errorf("GET %s/sessions: %d %s", path, res.Status, res.Body)
			}
			if res := do(t, routes, "PATCH", path, `{"roles":["x"]}`); res.Status != http.StatusOK {
				t.Errorf("PATCH %s: %d %s", path, res.Status, res.Body)
			}
		}
		if res := do(t, routes, "DELETE", users+"/"+url.PathEscape(id), ""); res.Status != http.StatusNoContent {
			t.Errorf("DELETE %q: %d %s", id, res.Status, res.Body)
		}
	}
	for path, code := range map[string]string{
		"/..%2f..%2f..%2fuser": "not_found", "/%2e%2e": "not_found", "/%2e": "not_found", "/a%2f": "not_found", "/a%2f%2fb": "not_found",
		"/": "not_found", "/%00": "no_user", "/%ff": "no_user", "/nobody": "no_user", "/" + strings.Repeat("x", 9000): "no_user",
		"/%27%20OR%201=1--": "no_user", "/%7B%22$ne%22:1%7D": "no_user", "/nobody/sessions/x": "no_user",
	} {
		if res := do(t, routes, "DELETE", users+path, ""); res.Status != http.StatusNotFound || res.Code() != code {
			t.Errorf("%.40s: %d %s", path, res.Status, res.Body)
		}
	}
	for _, path := range []string{"/admin//api/users", "//admin/api/users", "/admin/api/./users", "/Admin/api/users", "/admin/api/users/", "/%61dmin/api/users", "/admin/api%2fusers"} {
		if res := routes.Do(t, routes.Request(t, "GET", path, "")); res.Status != http.StatusNotFound {
			t.Errorf("%s: %d", path, res.Status)
		}
	}
}

// everyByte encodes more than is needed, as many clients do.
func everyByte(id string) string {
	var b strings.Builder
	for i := range len(id) {
		const hex = "0123456789ABCDEF"
		b.WriteString("%" + string(hex[id[i]>>4]) + string(hex[id[i]&15]))
	}
	return b.String()
}
