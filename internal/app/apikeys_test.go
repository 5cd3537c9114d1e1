package app_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/apikey"
	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/passport"
)

// newKey is the answer to POST /user/keys.
type newKey struct {
	APIKey string         `json:"api_key"`
	Key    apikey.KeyView `json:"key"`
}

func makeKey(t *testing.T, s *testkit.Server, token, body string) newKey {
	t.Helper()
	res := by(t, s, token, http.MethodPost, "/user/keys", body)
	var k newKey
	if err := json.Unmarshal([]byte(res.Body), &k); err != nil || res.Status != http.StatusOK || !strings.HasPrefix(k.APIKey, "csk_"+k.Key.ID+"_") {
		t.Fatalf("POST /user/keys: %d %s (%v)", res.Status, res.Body, err)
	}
	if cache := res.Header.Get("Cache-Control"); cache != "no-store" {
		t.Errorf("the answer with the key may be cached: %q", cache)
	}
	return k
}

func apiKeysOf(t *testing.T, s *testkit.Server, token string) []apikey.KeyView {
	t.Helper()
	res := by(t, s, token, http.MethodGet, "/user/keys", "")
	var list struct{ Keys []apikey.KeyView }
	if err := json.Unmarshal([]byte(res.Body), &list); err != nil || res.Status != http.StatusOK {
		t.Fatalf("GET /user/keys: %d %s (%v)", res.Status, res.Body, err)
	}
	return list.Keys
}

// guarded is a route of another program that takes keys of the server, and asks for these scopes.
func guarded(t *testing.T, s *testkit.Server, scopes ...string) func(fields ...string) (status int, body string) {
	t.Helper()
	guard := s.App.APIKeys.Guard()
	if len(scopes) > 0 {
		guard = guard.Require(passport.RequireScope(scopes...))
	}
	h := guard.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, id passport.Identity[*passport.Principal]) {
		p := id.User
		fmt.Fprintf(w, "%s %s %v %v %s", p.ID, p.Email, p.Scopes, p.Roles, p.Key)
	})
	return func(fields ...string) (int, string) {
		r := httptest.NewRequest(http.MethodGet, "/orders", nil).WithContext(t.Context())
		for _, f := range fields {
			name, value, _ := strings.Cut(f, ": ")
			r.Header.Add(name, value)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
}

func TestAPIKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := testkit.Start(t, "api_keys.scopes=orders:read,orders:write", "data="+dir)
	id := s.SignUp(t, "Mike@example.com")
	token := s.LogIn(t, "mike@example.com")
	if keys := apiKeysOf(t, s, token); len(keys) != 0 {
		t.Errorf("%+v", keys)
	}
	k := makeKey(t, s, token, `{"name":" at night ","scopes":["orders:write","orders:read","orders:read"]}`)
	s.Clock.Advance(time.Second)
	plain := makeKey(t, s, token, `{"name":"plain","expires_in":60}`)
	if k.Key.Name != "at night" || !slices.Equal(k.Key.Scopes, []string{"orders:read", "orders:write"}) || k.Key.ExpiresAt != nil || k.Key.LastUsedAt != nil {
		t.Errorf("%+v", k.Key)
	}
	if plain.Key.ExpiresAt == nil || plain.Key.ExpiresAt.Sub(plain.Key.CreatedAt) != time.Minute || len(plain.Key.Scopes) != 0 {
		t.Errorf("%+v", plain.Key)
	}

	ask, write, admin := guarded(t, s), guarded(t, s, "orders:write"), guarded(t, s, "admin")
	who := fmt.Sprintf("%s Mike@example.com [orders:read orders:write] [] %s", id, k.Key.ID)
	for _, field := range []string{"X-API-Key: " + k.APIKey, "Authorization: Bearer " + k.APIKey} {
		if status, body := write(field); status != 200 || body != who {
			t.Errorf("%d %s, want %s", status, body, who)
		}
	}
	for name, tt := range map[string]struct {
		ask    func(...string) (int, string)
		fields []string
		status int
		code   string
	}{
		"no scope":       {write, []string{"X-API-Key: " + plain.APIKey}, 403, "insufficient_scope"},
		"no admin":       {admin, []string{"X-API-Key: " + k.APIKey}, 403, "insufficient_scope"},
		"a user's token": {admin, []string{"Authorization: Bearer " + token}, 401, "unauthorized"},
		"nothing":        {ask, nil, 401, "unauthorized"},
		"in two places":  {ask, []string{"X-API-Key: " + k.APIKey, "Authorization: Bearer " + k.APIKey}, 400, "invalid_request"},
		"mistyped":       {ask, []string{"X-API-Key: " + k.APIKey[:53] + "a"}, 401, "invalid_api_key"},
	} {
		if status, body := tt.ask(tt.fields...); status != tt.status || !strings.Contains(body, `"code":"`+tt.code+`"`) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	for _, path := range []string{"/user/keys", "/user", "/user/sessions", "/user/profile"} { // a key is no session
		for _, field := range []string{"Authorization: Bearer " + k.APIKey, "X-API-Key: " + k.APIKey} {
			if res := s.Do(t, s.Request(t, http.MethodGet, path, "", field)); res.Status != http.StatusUnauthorized {
				t.Errorf("%s with a key: %d", path, res.Status)
			}
		}
	}

	if status, _ := ask("X-API-Key: " + plain.APIKey); status != 200 {
		t.Errorf("before it expires: %d", status)
	}
	s.Clock.Advance(time.Minute)
	if status, body := ask("X-API-Key: " + plain.APIKey); status != 401 || !strings.Contains(body, "expired") {
		t.Errorf("expired: %d %s", status, body)
	}
	if keys := apiKeysOf(t, s, token); len(keys) != 2 || keys[0].ID != k.Key.ID || keys[1].ID != plain.Key.ID {
		t.Errorf("%+v", keys)
	}
	if res := by(t, s, token, http.MethodDelete, "/user/keys/"+k.Key.ID, ""); res.Status != http.StatusNoContent || res.Body != "" {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	if status, body := ask("X-API-Key: " + k.APIKey); status != 401 || !strings.Contains(body, "invalid_api_key") {
		t.Errorf("revoked: %d %s", status, body)
	}
	if res := by(t, s, token, http.MethodDelete, "/user/keys/"+k.Key.ID, ""); res.Status != http.StatusNotFound || res.Code() != "no_key" {
		t.Errorf("again: %d %s", res.Status, res.Body)
	}
	if got := events(t, s, "apikey"); !slices.Equal(got, []string{"ok/created", "ok/created", "ok/revoked"}) {
		t.Errorf("events %v", got)
	}
	secretsAreNowhere(t, s, dir, k.APIKey, plain.APIKey)
}

// secretsAreNowhere searches the log and the files of a server for keys.
func secretsAreNowhere(t *testing.T, s *testkit.Server, dir string, keys ...string) {
	t.Helper()
	texts := map[string]string{"the log": s.Log()}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		texts[d.Name()] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range texts {
		for _, k := range keys {
			if strings.Contains(text, k[21:47]) {
				t.Errorf("a key stands in %s", where)
			}
		}
	}
	if id := keys[0][4:20]; !strings.Contains(texts["countersign.db"]+texts["countersign.db-wal"], id) {
		t.Errorf("the search does not even find the id %s", id)
	}
}

func TestAPIKeysThatCannotBeMade(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "api_keys.scopes=orders:read")
	token := s.SignUpAndLogIn(t, "mike@example.com")
	long := strings.Repeat("é", 101)
	for name, tt := range map[string]struct {
		body   string
		status int
		code   string
		field  string
	}{
		"no body":                 {"", 400, "malformed_body", ""},
		"no name":                 {`{}`, 400, "missing_fields", "name"},
		"spaces":                  {`{"name":"  "}`, 422, "invalid_fields", "name"},
		"long name":               {`{"name":"` + long + `"}`, 422, "invalid_fields", "name"},
		"control character":       {`{"name":"cAnArY-5b1f\u001b[31m"}`, 422, "invalid_fields", "name"},
		"bidi":                    {`{"name":"a\u202eb"}`, 422, "invalid_fields", "name"},
		"NUL":                     {`{"name":"a\u0000"}`, 422, "invalid_fields", "name"},
		"admin":                   {`{"name":"x","scopes":["admin"]}`, 422, "invalid_fields", "scopes"},
		"a scope of others":       {`{"name":"x","scopes":["orders:read","orders:write"]}`, 422, "invalid_fields", "scopes"},
		"two in one":              {`{"name":"x","scopes":["orders:read admin"]}`, 422, "invalid_fields", "scopes"},
		"empty scope":             {`{"name":"x","scopes":[""]}`, 422, "invalid_fields", "scopes"},
		"quoted scope":            {`{"name":"x","scopes":["\"cAnArY-5b1f\""]}`, 422, "invalid_fields", "scopes"},
		"long scope":              {`{"name":"x","scopes":["` + strings.Repeat("a", 65) + `"]}`, 422, "invalid_fields", "scopes"},
		"case of a scope":         {`{"name":"x","scopes":["Orders:Read"]}`, 422, "invalid_fields", "scopes"},
		"scope as text":           {`{"name":"x","scopes":"orders:read"}`, 400, "invalid_fields", ""},
		"many scopes":             {`{"name":"x","scopes":["` + strings.Join(manyScopes(33), `","`) + `"]}`, 422, "invalid_fields", "scopes"},
		"expires at once":         {`{"name":"x","expires_in":0}`, 422, "invalid_fields", "expires_in"},
		"expired before":          {`{"name":"x","expires_in":-1}`, 422, "invalid_fields", "expires_in"},
		"over ten years":          {`{"name":"x","expires_in":315360001}`, 422, "invalid_fields", "expires_in"},
		"a second that runs over": {`{"name":"x","expires_in":9223372036854775807}`, 422, "invalid_fields", "expires_in"},
		"more than a number":      {`{"name":"x","expires_in":92233720368547758070}`, 400, "invalid_fields", ""},
		"half a second":           {`{"name":"x","expires_in":0.5}`, 400, "invalid_fields", ""},
		"a text":                  {`{"name":"x","expires_in":"60"}`, 400, "invalid_fields", ""},
		"an owner":                {`{"name":"x","user_id":"y"}`, 400, "unknown_field", ""},
		"a hash":                  {`{"name":"x","hash":"y"}`, 400, "unknown_field", ""},
		"roles":                   {`{"name":"x","roles":["admin"]}`, 400, "unknown_field", ""},
		"twice":                   {`{"name":"x","name":"y"}`, 400, "malformed_body", ""},
	} {
		res := by(t, s, token, http.MethodPost, "/user/keys", tt.body)
		if res.Status != tt.status || res.Code() != tt.code || tt.field != "" && !strings.Contains(res.Body, `"field":"`+tt.field+`"`) {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}
	if res := s.Do(t, s.Request(t, http.MethodPost, "/user/keys", "name=x", "Authorization: Bearer "+token, asForm)); res.Status != http.StatusUnsupportedMediaType {
		t.Errorf("a form: %d", res.Status)
	}
	if res := s.JSON(t, "/user/keys", `{"name":"x"}`); res.Status != http.StatusUnauthorized {
		t.Errorf("nobody: %d", res.Status)
	}
	if keys := apiKeysOf(t, s, token); len(keys) != 0 {
		t.Errorf("and yet there are %+v", keys)
	}
	makeKey(t, s, token, `{"name":"`+long[:200]+`","scopes":["orders:read"],"expires_in":315360000}`)
	s.Clock.Advance(11 * time.Minute)
	if res := by(t, s, token, http.MethodPost, "/user/keys", `{"name":"x"}`); res.Status != http.StatusForbidden || res.Code() != "reauthenticate" {
		t.Errorf("a login of long ago: %d %s", res.Status, res.Body)
	}
	if len(apiKeysOf(t, s, token)) != 1 {
		t.Error("a list needs no new login")
	}
}

func manyScopes(n int) (scopes []string) {
	for i := range n {
		scopes = append(scopes, fmt.Sprint("scope", i))
	}
	return scopes
}

// TestOthersAPIKeys is attack 93 on keys: what belongs to somebody else is not there.
func TestOthersAPIKeys(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	mike, eve := s.SignUpAndLogIn(t, "mike@example.com"), s.SignUpAndLogIn(t, "eve@example.com")
	k := makeKey(t, s, mike, `{"name":"mike's"}`)
	if keys := apiKeysOf(t, s, eve); len(keys) != 0 {
		t.Errorf("eve sees %+v", keys)
	}
	for _, id := range []string{
		k.Key.ID, strings.ToLower(k.Key.ID), "AAAAAAAAAAAAAAAA", "junk", "%00", "%ff", "'%20or%201=1", "*", strings.Repeat("A", 5000), "mike@example.com", k.Key.ID + "%20",
	} {
		if res := by(t, s, eve, http.MethodDelete, "/user/keys/"+id, ""); res.Status != http.StatusNotFound || id == k.Key.ID && res.Code() != "no_key" {
			t.Errorf("%.40s: %d %s", id, res.Status, res.Body)
		}
	}
	// Nor does a key's route reach credentials of another kind, such as one's password.
	if res := by(t, s, mike, http.MethodDelete, "/user/keys/mike@example.com", ""); res.Status != http.StatusNotFound {
		t.Errorf("a password: %d", res.Status)
	}
	s.LogIn(t, "mike@example.com")
	for _, site := range []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: https://evil.example.com"} {
		for method, path := range map[string]string{http.MethodPost: "/user/keys", http.MethodDelete: "/user/keys/" + k.Key.ID} {
			if res := by(t, s, mike, method, path, `{"name":"x"}`, site); res.Status != http.StatusForbidden || res.Code() != "cross_origin" {
				t.Errorf("%s %s from another site: %d %s", method, path, res.Status, res.Body)
			}
		}
	}
	if status, _ := guarded(t, s)("X-API-Key: " + k.APIKey); status != 200 {
		t.Errorf("mike's key after all that: %d", status)
	}
}

// TestAPIKeysInABrowser makes and revokes keys with the cookies of a session.
func TestAPIKeysInABrowser(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	b, _ := browse(t, s, "mike@example.com", "")
	cookie := "Cookie: " + accessCookie + "=" + b.cookies[accessCookie]
	send := func(method, path, body string, headers ...string) *testkit.Response {
		return s.Do(t, s.Request(t, method, path, body, append(headers, cookie, asJSON)...))
	}
	if res := send(http.MethodPost, "/user/keys", `{"name":"x"}`, "Sec-Fetch-Site: cross-site"); res.Status != http.StatusForbidden {
		t.Errorf("from another site: %d", res.Status)
	}
	res := send(http.MethodPost, "/user/keys", `{"name":"x"}`, "Sec-Fetch-Site: same-origin")
	id := res.Get("key", "id")
	if res.Status != http.StatusOK || id == "" {
		t.Fatalf("%d %s", res.Status, res.Body)
	}
	if res := send(http.MethodGet, "/user/keys", ""); strings.Contains(res.Body, "csk_") || !strings.Contains(res.Body, id) {
		t.Errorf("the list is %s", res.Body)
	}
	if res := send(http.MethodDelete, "/user/keys/"+id, "", "Sec-Fetch-Site: same-origin"); res.Status != http.StatusNoContent {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

// TestWhatEndsAPIKeys says what becomes of keys when something becomes of their owner.
func TestWhatEndsAPIKeys(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "limits.insecure_disabled=true")
	id := s.SignUp(t, "mike@example.com")
	token := s.LogIn(t, "mike@example.com")
	k := makeKey(t, s, token, `{"name":"x"}`)
	ask := guarded(t, s)
	want := func(when string, status int) {
		t.Helper()
		if got, body := ask("X-API-Key: " + k.APIKey); got != status {
			t.Errorf("%s: %d %s, want %d", when, got, body, status)
		}
	}
	user := func() store.User {
		t.Helper()
		u, err := s.App.Store.User(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	if res := by(t, s, token, http.MethodPost, "/user/password", `{"current_password":"`+testkit.Password+`","new_password":"another `+testkit.Canary+`"}`); res.Status != http.StatusNoContent {
		t.Fatalf("%d %s", res.Status, res.Body)
	}
	want("another password", 200)
	if err := s.App.Passwords.SetPassword(t.Context(), user(), testkit.Password); err != nil {
		t.Fatal(err)
	}
	want("another password by the operator", 200)
	if _, err := s.App.Sessions.EndAll(t.Context(), id, nil); err != nil {
		t.Fatal(err)
	}
	want("no session any more", 200)
	u := user()
	u.DisabledAt = s.Clock.Now()
	if err := s.App.Store.UpdateUser(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	want("disabled", 401)
	u = user()
	u.DisabledAt = time.Time{}
	if err := s.App.Store.UpdateUser(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	want("enabled again", 200)
	if res := by(t, s, s.LogIn(t, "mike@example.com"), http.MethodDelete, "/user", ""); res.Status != http.StatusNoContent {
		t.Fatalf("%d %s", res.Status, res.Body)
	}
	want("deleted", 401)
	s.SignUp(t, "mike@example.com")
	want("another user of the same address", 401)
}

func TestAPIKeysAreBounded(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	token := s.SignUpAndLogIn(t, "mike@example.com")
	var wg sync.WaitGroup
	for range 2 * apikey.MaxPerUser {
		wg.Go(func() {
			res := by(t, s, token, http.MethodPost, "/user/keys", `{"name":"x"}`)
			if res.Status != http.StatusOK && (res.Status != http.StatusConflict || res.Code() != "too_many_keys") {
				t.Errorf("%d %s", res.Status, res.Body)
			}
		})
	}
	wg.Wait()
	for { // of those that were made at once too many may have given way
		n := len(apiKeysOf(t, s, token))
		if n > apikey.MaxPerUser {
			t.Fatalf("%d keys", n)
		}
		if n == apikey.MaxPerUser {
			break
		}
		makeKey(t, s, token, `{"name":"x"}`)
	}
	if res := by(t, s, token, http.MethodPost, "/user/keys", `{"name":"x"}`); res.Status != http.StatusConflict || res.Code() != "too_many_keys" {
		t.Errorf("one more: %d %s", res.Status, res.Body)
	}
	if res := by(t, s, token, http.MethodDelete, "/user/keys/"+apiKeysOf(t, s, token)[7].ID, ""); res.Status != http.StatusNoContent {
		t.Errorf("%d %s", res.Status, res.Body)
	}
	makeKey(t, s, token, `{"name":"x"}`)
}

// TestLastUseOfAPIKeys counts the writes by the version of the record.
func TestLastUseOfAPIKeys(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	token := s.SignUpAndLogIn(t, "mike@example.com")
	k := makeKey(t, s, token, `{"name":"x"}`)
	ask := guarded(t, s)
	used := func() time.Time {
		t.Helper()
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if status, body := ask("X-API-Key: " + k.APIKey); status != 200 {
					t.Errorf("%d %s", status, body)
				}
			})
		}
		wg.Wait()
		now := s.Clock.Now().UTC().Truncate(time.Second)
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			if list := apiKeysOf(t, s, token); list[0].LastUsedAt != nil && now.Sub(*list[0].LastUsedAt) < time.Minute {
				return *list[0].LastUsedAt
			}
		}
		t.Fatal("the use is not there")
		return time.Time{}
	}
	first := used()
	s.Clock.Advance(30 * time.Second)
	if again := used(); again != first {
		t.Errorf("it was written after half a minute, %v and then %v", first, again)
	}
	s.Clock.Advance(31 * time.Second)
	if again := used(); again.Sub(first) < time.Minute {
		t.Errorf("after a minute: %v and then %v", first, again)
	}
	if res := by(t, s, token, http.MethodDelete, "/user/keys/"+k.Key.ID, ""); res.Status != http.StatusNoContent {
		t.Errorf("a key that was used: %d", res.Status)
	}
}

// TestFloodOfBadAPIKeys demands that however many there are, they are a line or two of the audit log.
func TestFloodOfBadAPIKeys(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	ask := guarded(t, s)
	for i := range 500 {
		if status, _ := ask(fmt.Sprintf("X-API-Key: csk_%d", i)); status != 401 {
			t.Fatalf("%d", status)
		}
	}
	if got := events(t, s, "apikey"); len(got) != 0 {
		t.Errorf("before the minute ends there are %v", got)
	}
	if n := strings.Count(s.Log(), `"kind":"apikey"`); n != 0 {
		t.Errorf("%d lines of the log", n)
	}
	if err := s.App.Audit.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, err := s.App.Store.ListEvents(t.Context(), "", 10)
	if err != nil || len(all) != 1 || all[0].Result != audit.Refused || all[0].Reason != "invalid_api_key" || all[0].Count != 500 {
		t.Errorf("%+v (%v)", all, err)
	}
}
