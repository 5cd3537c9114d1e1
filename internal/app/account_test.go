package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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

// listed is a session as GET /user/sessions lists it.
type listed struct {
	ID, Device, Client  string
	Methods             []string
	Remembered, Current bool
	CreatedAt           time.Time `json:"created_at"`
	LastUsedAt          time.Time `json:"last_used_at"`
	ExpiresAt           time.Time `json:"expires_at"`
	AuthTime            time.Time `json:"auth_time"`
}

func accountOf(t *testing.T, res *testkit.Response) (a account) {
	t.Helper()
	if err := json.Unmarshal([]byte(res.Body), &a); err != nil || res.Status != http.StatusOK {
		t.Fatalf("GET /user: %d %s (%v)", res.Status, res.Body, err)
	}
	return a
}

func sessionsOf(t *testing.T, res *testkit.Response) []listed {
	t.Helper()
	var list struct{ Sessions []listed }
	if err := json.Unmarshal([]byte(res.Body), &list); err != nil || res.Status != http.StatusOK {
		t.Fatalf("GET /user/sessions: %d %s (%v)", res.Status, res.Body, err)
	}
	return list.Sessions
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

func TestSessionsAreListedAndEnded(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.SignUp(t, "mike@example.com")
	s.SignUp(t, "jane@example.com")
	form := "email=mike@example.com&password=" + strings.ReplaceAll(testkit.Password, " ", "+")
	phone := pairOf(s.Do(t, s.Request(t, http.MethodPost, "/login", form+"&remember=false", asForm, "User-Agent: Phone/1.0\u200b\u202e ü")))
	s.Clock.Advance(time.Minute)
	laptop := pairOf(s.Do(t, s.Request(t, http.MethodPost, "/login", form, asForm, "User-Agent: "+strings.Repeat("L", 500))))
	jane := logIn(t, s, "jane@example.com")
	s.Clock.Advance(time.Minute)
	laptop = refreshed(t, s, laptop.refresh)

	list := sessionsOf(t, by(t, s, phone.access, http.MethodGet, "/user/sessions", ""))
	if len(list) != 2 {
		t.Fatalf("%+v", list)
	}
	l, ph := list[0], list[1]
	if l.Current || !l.Remembered || l.Device != "Go-http-client/1.1" || l.LastUsedAt.Sub(l.CreatedAt) != time.Minute || l.AuthTime != l.CreatedAt {
		t.Errorf("laptop: %+v", l)
	}
	if !ph.Current || ph.Remembered || ph.Device != "Phone/1.0 ü" || ph.Client != "127.0.0.1" || !slices.Equal(ph.Methods, []string{"pwd"}) ||
		ph.ExpiresAt.Sub(ph.CreatedAt) != 24*time.Hour || ph.LastUsedAt != ph.CreatedAt {
		t.Errorf("phone: %+v", ph)
	}
	janes := sessionsOf(t, by(t, s, jane.access, http.MethodGet, "/user/sessions", ""))
	if len(janes) != 1 || !janes[0].Current {
		t.Errorf("jane: %+v", janes)
	}

	for name, id := range map[string]string{
		"another user's": janes[0].ID, "unknown": "0198c0de-0000-7000-8000-000000000000", "junk": "junk", "upper case": strings.ToUpper(l.ID),
		"a URN": "urn:uuid:" + l.ID, "in braces": "%7B" + l.ID + "%7D", "no dashes": strings.ReplaceAll(l.ID, "-", ""), "NUL": "%00", "bad UTF-8": "%ff",
		"quote": "'%20or%201=1", "long": strings.Repeat("a", 5000), "star": "*",
	} {
		if res := by(t, s, phone.access, http.MethodDelete, "/user/sessions/"+id, ""); res.Status != http.StatusNotFound {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}
	for _, path := range []string{"/user/sessions/", "/user/sessions//", "/user/sessions/" + l.ID + "/", "/user/sessions/%2f", "/user/sessions/" + l.ID + "%2fx", "/user/sessions/..", "/user/sessions/%2e"} {
		if res := by(t, s, phone.access, http.MethodDelete, path, ""); res.Status != http.StatusNotFound || res.Code() != "not_found" {
			t.Errorf("%s: %d %s", path, res.Status, res.Body)
		}
	}
	if res := by(t, s, phone.access, http.MethodPost, "/user/sessions/"+l.ID, ""); res.Status != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "DELETE" {
		t.Errorf("POST: %d, Allow %q", res.Status, res.Header.Get("Allow"))
	}
	if res := by(t, s, phone.access, http.MethodDelete, "/user/sessions/"+l.ID, "", "Sec-Fetch-Site: same-site"); res.Status != http.StatusForbidden {
		t.Errorf("from another site: %d", res.Status)
	}
	laptop = wantAlive(t, s, laptop, "what none of them has ended")
	wantAlive(t, s, jane, "jane's")

	if res := by(t, s, phone.access, http.MethodDelete, "/user/sessions/"+l.ID, ""); res.Status != http.StatusNoContent || res.Body != "" || res.Header.Get("Set-Cookie") != "" {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	wantDead(t, s, laptop, "an ended session")
	if res := by(t, s, phone.access, http.MethodDelete, "/user/sessions/"+l.ID, ""); res.Status != http.StatusNotFound {
		t.Errorf("again: %d", res.Status)
	}
	if list := sessionsOf(t, by(t, s, phone.access, http.MethodGet, "/user/sessions", "")); len(list) != 1 || list[0].ID != ph.ID {
		t.Errorf("%+v", list)
	}
	if res := by(t, s, phone.access, http.MethodDelete, "/user/sessions/"+ph.ID, ""); res.Status != http.StatusNoContent {
		t.Errorf("one's own: %d", res.Status)
	}
	wantDead(t, s, phone, "one's own session")
	if got := events(t, s, "session"); !slices.Equal(got, []string{"ok/ended", "ok/ended"}) {
		t.Errorf("events %v", got)
	}
}

func TestExpiredSessionsAreNotListed(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "session.idle=1h", "limits.insecure_disabled=true")
	s.SignUp(t, "mike@example.com")
	logIn(t, s, "mike@example.com")
	s.Clock.Advance(time.Hour)
	p := logIn(t, s, "mike@example.com")
	if a := accountOf(t, by(t, s, p.access, http.MethodGet, "/user", "")); a.Sessions != 1 || a.Session == nil {
		t.Errorf("%+v", a)
	}
}

func TestDeletingOneselfAsksForAFreshLogin(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	id := s.SignUp(t, "mike@example.com")
	other, p := logIn(t, s, "mike@example.com"), logIn(t, s, "mike@example.com")
	s.SignUp(t, "jane@example.com")
	jane := logIn(t, s, "jane@example.com")

	s.Clock.Advance(time.Hour)
	p = refreshed(t, s, p.refresh) // new tokens, and the login of an hour ago
	res := by(t, s, p.access, http.MethodDelete, "/user", "")
	const want = `Bearer realm="countersign", error="insufficient_user_authentication", error_description="This needs a login of a short while ago. Log in again.", max_age="600"`
	if res.Status != http.StatusForbidden || res.Code() != "reauthenticate" || res.Header.Get("WWW-Authenticate") != want {
		t.Errorf("an hour later: %d %v %s", res.Status, res.Header, res.Body)
	}
	fresh := logIn(t, s, "mike@example.com")
	if res := by(t, s, fresh.access, http.MethodDelete, "/user", "", "Sec-Fetch-Site: cross-site"); res.Status != http.StatusForbidden || res.Code() != "cross_origin" {
		t.Errorf("cross-site: %d %s", res.Status, res.Body)
	}
	s.Clock.Advance(10*time.Minute - time.Second)
	if res := by(t, s, fresh.access, http.MethodDelete, "/user", ""); res.Status != http.StatusNoContent || res.Body != "" {
		t.Fatalf("10 minutes later: %d %s", res.Status, res.Body)
	}
	for name, p := range map[string]pair{"that deleted": fresh, "refreshed": p, "that had expired": other} {
		wantDead(t, s, p, name)
	}
	for _, c := range []struct{ method, path, body string }{
		{http.MethodPatch, "/user", `{"data":{}}`}, {http.MethodDelete, "/user", ""}, {http.MethodPost, "/logout", ""},
		{http.MethodPost, "/user/password", `{"current_password":"` + testkit.Password + `","new_password":"x` + testkit.Password + `"}`},
		{http.MethodDelete, "/user/sessions/0198c0de-0000-7000-8000-000000000000", ""},
	} {
		if res := by(t, s, fresh.access, c.method, c.path, c.body); res.Status != http.StatusUnauthorized {
			t.Errorf("%s %s: %d %s", c.method, c.path, res.Status, res.Body)
		}
	}
	if res := s.Form(t, "/login", "email", "mike@example.com", "password", testkit.Password); res.Status != http.StatusUnauthorized {
		t.Errorf("login: %d", res.Status)
	}
	refreshed(t, s, jane.refresh)
	if got := events(t, s, "user_deleted"); !slices.Equal(got, []string{"ok"}) {
		t.Errorf("events %v", got)
	}

	// The address is free at once, for somebody else.
	if again := s.SignUp(t, "mike@example.com"); again == id {
		t.Error("a new user has the id of the old one")
	}
	anew := logIn(t, s, "mike@example.com")
	if a := accountOf(t, by(t, s, anew.access, http.MethodGet, "/user", "")); a.Sessions != 1 {
		t.Errorf("%+v", a)
	}
	wantDead(t, s, fresh, "the old user's token after the new one")
}

func TestParallelDeletions(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.SignUp(t, "mike@example.com")
	p := logIn(t, s, "mike@example.com")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if res := by(t, s, p.access, http.MethodDelete, "/user", ""); res.Status != http.StatusNoContent && res.Status != http.StatusUnauthorized {
				t.Errorf("%d %s", res.Status, res.Body)
			}
		})
	}
	wg.Wait()
	if got := events(t, s, "user_deleted"); len(got) != 1 {
		t.Errorf("events %v", got)
	}
}

func TestDisabledUsersAreOutAtOnce(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	id := s.SignUp(t, "mike@example.com")
	p := logIn(t, s, "mike@example.com")
	if _, err := s.App.Sessions.EndAll(t.Context(), id, func(u *store.User) { u.DisabledAt = s.Clock.Now() }); err != nil {
		t.Fatal(err)
	}
	wantDead(t, s, p, "a disabled user")
	change(t, s, id, func(u *store.User) { u.DisabledAt = time.Time{} })
	wantDead(t, s, p, "an enabled user's old session")
	wantAlive(t, s, logIn(t, s, "mike@example.com"), "a new login")
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

func TestLogoutsAreEvents(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.SignUp(t, "mike@example.com")
	for _, scope := range []string{"", `{"scope":"this"}`, `{"scope":"others"}`, `{"scope":"all"}`} {
		if res := by(t, s, logIn(t, s, "mike@example.com").access, http.MethodPost, "/logout", scope); res.Status != http.StatusNoContent {
			t.Fatalf("%s: %d", scope, res.Status)
		}
	}
	if got := events(t, s, "logout"); !slices.Equal(got, []string{"ok/this", "ok/this", "ok/others", "ok/all"}) {
		t.Errorf("events %v", got)
	}
}
