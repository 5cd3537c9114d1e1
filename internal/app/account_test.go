package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/jwt"
)

// by sends a request with a token in the header, and a body in JSON unless it is empty.
func by(t *testing.T, s *testkit.Server, token, method, path, body string, headers ...string) *testkit.Response {
	t.Helper()
	if body != "" {
		headers = append(headers, asJSON)
	}
	return s.Do(t, s.Request(t, method, path, body, append(headers, "Authorization: Bearer "+token)...))
}

// account is what GET /user answers.
type account struct {
	User struct {
		ID        string `json:"_id"`
		Email     string
		Roles     []string
		Data      json.RawMessage
		AdminData json.RawMessage `json:"admin_data"`
		UpdatedAt time.Time       `json:"updated_at"`
	}
	Session  *listed
	Sessions int
}

func accountOf(t *testing.T, res *testkit.Response) (a account) {
	t.Helper()
	if err := json.Unmarshal([]byte(res.Body), &a); err != nil || res.Status != http.StatusOK {
		t.Fatalf("GET /user: %d %s (%v)", res.Status, res.Body, err)
	}
	return a
}

// change writes a user as an operator's command does.
func change(t *testing.T, s *testkit.Server, id string, f func(*store.User)) {
	t.Helper()
	u, err := s.App.Store.User(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	f(&u)
	if err := s.App.Store.UpdateUser(t.Context(), u); err != nil {
		t.Fatal(err)
	}
}

// events returns the events of that kind as result/reason, the oldest first.
func events(t *testing.T, s *testkit.Server, kind string) (list []string) {
	t.Helper()
	all, err := s.App.Store.ListEvents(t.Context(), "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if e.Kind == kind {
			list = append(list, strings.TrimSuffix(e.Result+"/"+e.Reason, "/"))
		}
	}
	return list
}

// claimsOf returns the claims of a token.
func claimsOf(t *testing.T, token string) string {
	t.Helper()
	u, err := jwt.DecodeUnverified(token)
	if err != nil {
		t.Fatal(err)
	}
	return string(u.Payload())
}

// wantDead fails unless no token of the pair is good for anything.
func wantDead(t *testing.T, s *testkit.Server, p pair, what string) {
	t.Helper()
	for _, path := range []string{"/user/profile", "/user", "/user/sessions"} {
		if res := by(t, s, p.access, http.MethodGet, path, ""); res.Status != http.StatusUnauthorized || res.Code() != "invalid_token" {
			t.Errorf("%s: %s: %d %s", what, path, res.Status, res.Body)
		}
	}
	wantNoTokens(t, s, p.refresh, what)
}

func wantAlive(t *testing.T, s *testkit.Server, p pair, what string) pair {
	t.Helper()
	if res := s.Profile(t, p.access); res.Status != http.StatusOK {
		t.Errorf("%s: profile: %d %s", what, res.Status, res.Body)
	}
	return refreshed(t, s, p.refresh)
}

func TestAccount(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	id := s.SignUp(t, "Mike@example.com")
	p := logIn(t, s, "mike@example.com")
	logIn(t, s, "mike@example.com")

	res := by(t, s, p.access, http.MethodGet, "/user", "")
	a := accountOf(t, res)
	if a.User.ID != id || a.User.Email != "Mike@example.com" || string(a.User.Data) != "{}" || string(a.User.AdminData) != "{}" ||
		len(a.User.Roles) != 0 || a.Sessions != 2 || a.Session == nil || !a.Session.Current || a.Session.Client != "127.0.0.1" {
		t.Errorf("%s", res.Body)
	}
	for _, secret := range []string{"$2", "hash", "epoch", "chain", "version", p.access, p.refresh, "csr_"} {
		if strings.Contains(res.Body, secret) {
			t.Errorf("the answer has %q: %s", secret, res.Body)
		}
	}

	// What an operator changes is there at once, whatever the token says, which changes at the next refresh.
	change(t, s, id, func(u *store.User) {
		u.Roles, u.AdminData, u.Email = []string{"admin", "billing:read"}, []byte(`{"plan":"pro"}`), "M.Ike@example.com"
	})
	a = accountOf(t, by(t, s, p.access, http.MethodGet, "/user", ""))
	if !slices.Equal(a.User.Roles, []string{"admin", "billing:read"}) || string(a.User.AdminData) != `{"plan":"pro"}` || a.User.Email != "M.Ike@example.com" {
		t.Errorf("%+v", a)
	}
	if got := s.Profile(t, p.access).Get("user", "email"); got != "Mike@example.com" {
		t.Errorf("the profile says %s: it is what the token says", got)
	}
}

func TestRolesComeWithTheNextRefresh(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	id := s.SignUp(t, "mike@example.com")
	p := logIn(t, s, "mike@example.com")
	if strings.Contains(claimsOf(t, p.access), "roles") {
		t.Errorf("roles from nowhere: %s", claimsOf(t, p.access))
	}
	change(t, s, id, func(u *store.User) { u.Roles = []string{"admin", "editor"} })
	p = refreshed(t, s, p.refresh)
	if !strings.Contains(claimsOf(t, p.access), `"roles":["admin","editor"]`) {
		t.Errorf("claims %s", claimsOf(t, p.access))
	}
	change(t, s, id, func(u *store.User) { u.Roles = nil })
	p = refreshed(t, s, p.refresh)
	if strings.Contains(claimsOf(t, p.access), "roles") {
		t.Errorf("claims %s", claimsOf(t, p.access))
	}
}

// TestAccountOfOtherTokens sends what is good for /user/profile and belongs to no session: tokens of services that share
// the secret, and of the founding app.
func TestAccountOfOtherTokens(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("TOP_SECRET"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := testkit.Start(t, "jwt.secret="+testkit.Secret, "jwt.legacy_secret_file="+file, "jwt.accept_legacy_until=2099-01-01")
	id := s.SignUp(t, "mike@example.com")
	mine := logIn(t, s, "mike@example.com")
	foreign := func(id string) string {
		now := s.Clock.Now().Unix()
		return testkit.Forge(testkit.Secret, `{"alg":"HS256","typ":"JWT"}`, fmt.Sprintf(
			`{"iss":%q,"aud":%q,"sub":%q,"iat":%d,"exp":%d,"auth_time":%d}`, s.URL, s.URL, id, now, now+900, now))
	}
	legacy := func(id string) string {
		return testkit.Forge("TOP_SECRET", `{"alg":"HS256","typ":"JWT"}`, fmt.Sprintf(`{"user":{"_id":%q,"email":"old@example.com"},"iat":1500000000}`, id))
	}
	for name, token := range map[string]string{"foreign": foreign(id), "legacy": legacy(id)} {
		if a := accountOf(t, by(t, s, token, http.MethodGet, "/user", "")); a.User.ID != id || a.Session != nil || a.Sessions != 1 {
			t.Errorf("%s: %+v", name, a)
		}
		if list := sessionsOf(t, by(t, s, token, http.MethodGet, "/user/sessions", "")); len(list) != 1 || list[0].Current {
			t.Errorf("%s: %+v", name, list)
		}
		if res := by(t, s, token, http.MethodPatch, "/user", `{"data":{"by":"`+name+`"}}`); res.Status != http.StatusOK {
			t.Errorf("%s: PATCH: %d %s", name, res.Status, res.Body)
		}
	}
	if res := by(t, s, legacy(id), http.MethodDelete, "/user", ""); res.Status != http.StatusForbidden || res.Code() != "reauthenticate" {
		t.Errorf("a token that does not say when its user logged in: %d %s", res.Status, res.Body)
	}
	for _, c := range []struct{ method, path, body string }{
		{http.MethodGet, "/user", ""}, {http.MethodPatch, "/user", `{"data":{}}`}, {http.MethodDelete, "/user", ""}, {http.MethodGet, "/user/sessions", ""},
		{http.MethodPost, "/user/password", `{"current_password":"` + testkit.Password + `","new_password":"x` + testkit.Password + `"}`},
	} {
		if res := by(t, s, foreign("somebody"), c.method, c.path, c.body); res.Status != http.StatusNotFound || res.Code() != "no_user" {
			t.Errorf("a user that only the other service knows: %s %s: %d %s", c.method, c.path, res.Status, res.Body)
		}
	}
	if res := by(t, s, legacy("somebody"), http.MethodGet, "/user", ""); res.Status != http.StatusUnauthorized {
		t.Errorf("a legacy token of nobody: %d", res.Status)
	}

	// A deletion ends all kinds.
	tokens := map[string]string{"own": mine.access, "legacy": legacy(id)}
	if res := by(t, s, foreign(id), http.MethodDelete, "/user", ""); res.Status != http.StatusNoContent {
		t.Fatalf("%d %s", res.Status, res.Body)
	}
	for name, token := range tokens {
		for _, path := range []string{"/user", "/user/profile"} {
			if res := by(t, s, token, http.MethodGet, path, ""); res.Status != http.StatusUnauthorized {
				t.Errorf("%s after the deletion: %s: %d", name, path, res.Status)
			}
		}
	}
	wantNoTokens(t, s, mine.refresh, "refresh token after the deletion")
	if res := by(t, s, foreign(id), http.MethodGet, "/user", ""); res.Status != http.StatusNotFound {
		t.Errorf("foreign after the deletion: %d", res.Status)
	}
}

func TestAccountInABrowser(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	b, _ := browse(t, s, "mike@example.com", "")
	res := b.send(t, http.MethodGet, "/user", "")
	a := accountOf(t, res)
	if a.Session == nil || strings.Contains(res.Body, b.cookies[accessCookie]) {
		t.Errorf("%s", res.Body)
	}
	for _, c := range []struct{ method, path, body string }{
		{http.MethodPatch, "/user", `{"data":{}}`}, {http.MethodDelete, "/user", ""}, {http.MethodDelete, "/user/sessions/" + a.Session.ID, ""},
		{http.MethodPost, "/user/password", `{"current_password":"` + testkit.Password + `","new_password":"x` + testkit.Password + `"}`},
		{http.MethodPost, "/logout", ""},
	} {
		for _, header := range []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: https://evil.example", "Origin: null"} {
			req := s.Request(t, c.method, c.path, c.body, header, "Cookie: "+accessCookie+"="+b.cookies[accessCookie], asJSON)
			if res := s.Do(t, req); res.Status != http.StatusForbidden || res.Code() != "cross_origin" {
				t.Errorf("%s %s, %s: %d %s", c.method, c.path, header, res.Status, res.Body)
			}
		}
	}
	// The page itself may.
	same := "Sec-Fetch-Site: same-origin"
	req := s.Request(t, http.MethodPatch, "/user", `{"data":{"a":1}}`, same, "Cookie: "+accessCookie+"="+b.cookies[accessCookie], asJSON)
	if res := s.Do(t, req); res.Status != http.StatusOK {
		t.Errorf("PATCH: %d %s", res.Status, res.Body)
	}
	access, refreshToken := b.cookies[accessCookie], b.cookies[refreshCookie]
	if res := b.send(t, http.MethodDelete, "/user/sessions/"+a.Session.ID, "", same); res.Status != http.StatusNoContent || len(b.cookies[accessCookie])+len(b.cookies[refreshCookie]) > 0 {
		t.Errorf("%d, cookies %v", res.Status, b.cookies)
	}
	wantDead(t, s, pair{access, refreshToken}, "the browser's session")

	b, _ = browse(t, s, "jane@example.com", "")
	other := logIn(t, s, "jane@example.com")
	id := accountOf(t, by(t, s, other.access, http.MethodGet, "/user", "")).Session.ID
	if res := b.send(t, http.MethodDelete, "/user/sessions/"+id, "", same); res.Status != http.StatusNoContent || b.cookies[accessCookie] == "" || b.cookies[refreshCookie] == "" {
		t.Errorf("another session: %d, cookies %v", res.Status, b.cookies)
	}
	if res := b.send(t, http.MethodDelete, "/user", "", same); res.Status != http.StatusNoContent || len(b.cookies[accessCookie])+len(b.cookies[refreshCookie]) > 0 {
		t.Errorf("deletion: %d, cookies %v", res.Status, b.cookies)
	}
}
