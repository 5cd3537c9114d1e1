package app_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/session"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/testkit"
)

// another is a good password too.
const another = testkit.Canary + " battery staple"

// changePassword asks for a change, as a form.
func changePassword(t *testing.T, s *testkit.Server, token, current, next string, headers ...string) *testkit.Response {
	t.Helper()
	form := url.Values{"current_password": {current}, "new_password": {next}}
	return s.Do(t, s.Request(t, http.MethodPost, "/user/password", form.Encode(), append(headers, asForm, "Authorization: Bearer "+token)...))
}

func TestPasswordChange(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.SignUp(t, "Mike@example.com")
	s.SignUp(t, "jane@example.com")
	old, mine, jane := logIn(t, s, "mike@example.com"), logIn(t, s, "mike@example.com"), logIn(t, s, "jane@example.com")
	browser, _ := browse(t, s, "eve@example.com", "")

	s.Clock.Advance(14 * time.Minute) // no fresh login is asked for: the current password is
	if res := changePassword(t, s, mine.access, testkit.Password, another); res.Status != http.StatusNoContent || res.Body != "" {
		t.Fatalf("%d %s", res.Status, res.Body)
	}
	wantDead(t, s, old, "another session")
	mine = wantAlive(t, s, mine, "the session that has changed it")
	wantAlive(t, s, jane, "another user's session")
	if res := browser.send(t, http.MethodGet, "/user", ""); res.Status != http.StatusOK {
		t.Errorf("another user's browser: %d", res.Status)
	}
	if res := s.Form(t, "/login", "email", "mike@example.com", "password", testkit.Password); res.Status != http.StatusUnauthorized {
		t.Errorf("login with the old password: %d", res.Status)
	}
	if res := s.Form(t, "/login", "email", "mike@example.com", "password", another); res.Status != http.StatusOK {
		t.Errorf("login with the new password: %d %s", res.Status, res.Body)
	}
	// As JSON, and back again.
	if res := by(t, s, mine.access, http.MethodPost, "/user/password", fmt.Sprintf(`{"current_password":%q,"new_password":%q}`, another, testkit.Password)); res.Status != http.StatusNoContent {
		t.Errorf("as JSON: %d %s", res.Status, res.Body)
	}
	wantAlive(t, s, mine, "after the second change")
	if got := events(t, s, "password"); !slices.Equal(got, []string{"ok", "ok"}) {
		t.Errorf("events of the question: %v", got)
	}
	if got := events(t, s, "password_changed"); !slices.Equal(got, []string{"ok", "ok"}) {
		t.Errorf("events of the change: %v", got)
	}
}

func TestPasswordChangeInABrowser(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	b, _ := browse(t, s, "mike@example.com", "")
	other := logIn(t, s, "mike@example.com")
	form := url.Values{"current_password": {testkit.Password}, "new_password": {another}}.Encode()
	if res := b.send(t, http.MethodPost, "/user/password", form, "Sec-Fetch-Site: same-origin"); res.Status != http.StatusNoContent {
		t.Fatalf("%d %s", res.Status, res.Body)
	}
	if res := b.send(t, http.MethodPost, "/token/refresh", "", "Sec-Fetch-Site: same-origin"); res.Status != http.StatusOK {
		t.Errorf("refresh: %d %s", res.Status, res.Body)
	}
	wantDead(t, s, other, "another session")
}

// untouched returns what fails the test if the password's credential has been written meanwhile.
func untouched(t *testing.T, s *testkit.Server, email string) (check func()) {
	t.Helper()
	version := func() int64 {
		c, err := s.App.Store.Credential(t.Context(), "password", email)
		if err != nil {
			t.Fatal(err)
		}
		return c.Version
	}
	before := version()
	return func() {
		t.Helper()
		if version() != before {
			t.Error("something was written")
		}
	}
}

func TestPasswordChangesRefused(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "limits.insecure_disabled=true")
	s.SignUp(t, "mike.miller@example.com")
	p, other := logIn(t, s, "mike.miller@example.com"), logIn(t, s, "mike.miller@example.com")
	check := untouched(t, s, "mike.miller@example.com")
	const pw, wrongPassword = testkit.Password, testkit.Canary + " wrong"
	for _, c := range []struct {
		current, next string
		want          string // field:code of each complaint
	}{
		{wrongPassword, another, "current_password:wrong"},
		{"x", another, "current_password:wrong"},
		{pw + " ", another, "current_password:wrong"},
		{pw + "\x00", another, "current_password:wrong"},
		{strings.Repeat("x", 2000), another, "current_password:wrong"},
		{pw, pw, "new_password:same"},
		{wrongPassword, wrongPassword, "new_password:same"},
		{"u\u0308 " + pw, "\u00fc " + pw, "new_password:same"}, // one password after NFC
		{pw, "short", "new_password:too_short"},
		{pw, "Iloveyou1", "new_password:common"},
		{pw, "mike.miller!", "new_password:contains_email"},
		{pw, "a\x00" + another, "new_password:nul"},
		{pw, strings.Repeat("x", 1025), "new_password:too_long"},
		{wrongPassword, "short", "new_password:too_short"}, // who does not know the current one does not learn that
	} {
		res := changePassword(t, s, p.access, c.current, c.next)
		field, code, _ := strings.Cut(c.want, ":")
		if res.Status != http.StatusUnprocessableEntity || res.Code() != "invalid_fields" || !strings.Contains(res.Body, `"field":"`+field+`","code":"`+code+`"`) ||
			strings.Count(res.Body, `"field"`) != 1 || res.Header.Get("WWW-Authenticate") != "" {
			t.Errorf("%q to %q: %d %s, want %s", c.current, c.next, res.Status, res.Body, c.want)
		}
	}
	check()
	wantAlive(t, s, p, "the own session")
	wantAlive(t, s, other, "another session")
}

func TestHostilePasswordChanges(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "limits.insecure_disabled=true")
	s.SignUp(t, "mike@example.com")
	s.SignUp(t, "jane@example.com")
	p, other := logIn(t, s, "mike@example.com"), logIn(t, s, "mike@example.com")
	check, checkJane := untouched(t, s, "mike@example.com"), untouched(t, s, "jane@example.com")
	const pw = testkit.Password
	good := url.Values{"current_password": {pw}, "new_password": {another}}.Encode()
	object := func(current, next string) string {
		return fmt.Sprintf(`{"current_password":%s,"new_password":%s}`, current, next)
	}
	mine := "Authorization: Bearer " + p.access
	for _, c := range []struct {
		name, path, body string
		want             int
		code             string
		headers          []string
	}{
		{"nothing", "", "", 400, "missing_fields", []string{mine}},
		{"empty object", "", "{}", 400, "missing_fields", []string{mine, asJSON}},
		{"no current", "", "new_password=" + url.QueryEscape(another), 400, "missing_fields", []string{mine, asForm}},
		{"empty current", "", "current_password=&new_password=" + url.QueryEscape(another), 400, "missing_fields", []string{mine, asForm}},
		{"null", "", object("null", `"`+another+`"`), 400, "invalid_fields", []string{mine, asJSON}},
		{"list", "", object(`["`+pw+`"]`, `"`+another+`"`), 400, "invalid_fields", []string{mine, asJSON}},
		{"operator", "", object(`{"$ne":""}`, `"`+another+`"`), 400, "invalid_fields", []string{mine, asJSON}},
		{"true", "", object("true", `"`+another+`"`), 400, "invalid_fields", []string{mine, asJSON}},
		{"twice", "", good + "&current_password=x", 400, "invalid_fields", []string{mine, asForm}},
		{"twice in JSON", "", `{"current_password":"a","current_password":"b","new_password":"c"}`, 400, "malformed_body", []string{mine, asJSON}},
		{"other case", "", strings.Replace(good, "current", "Current", 1), 400, "invalid_fields", []string{mine, asForm}},
		{"in the query", "?" + good, good, 400, "credentials_in_query", []string{mine, asForm}},
		{"one in the query", "?new_password=x", good, 400, "credentials_in_query", []string{mine, asForm}},
		{"text", "", good, 415, "unsupported_media_type", []string{mine, "Content-Type: text/plain"}},
		{"cross-site", "", good, 403, "cross_origin", []string{mine, asForm, "Sec-Fetch-Site: cross-site"}},
		{"another token", "", good, 400, "invalid_request", []string{mine, asForm, "Authorization: Bearer " + other.access}},
		{"no token", "", good, 401, "unauthorized", []string{asForm}},
		{"refresh token", "", good, 401, "invalid_token", []string{asForm, "Authorization: Bearer " + p.refresh}},
		{"forged", "", good, 401, "invalid_token", []string{asForm, "Authorization: Bearer a.b.c"}},
		{"token in the query", "?secret_token=" + p.access, good, 401, "unauthorized", []string{asForm}},
		{"a user that the body names", "", fmt.Sprintf(`{"current_password":"x","new_password":%q,"email":"jane@example.com","_id":"x","user":{"email":"jane@example.com"}}`, another),
			422, "invalid_fields", []string{mine, asJSON}},
	} {
		res := s.Do(t, s.Request(t, http.MethodPost, "/user/password"+c.path, c.body, c.headers...))
		if res.Status != c.want || res.Code() != c.code {
			t.Errorf("%s: %d %s, want %d %s", c.name, res.Status, res.Body, c.want, c.code)
		}
	}
	check()
	checkJane()
	wantAlive(t, s, p, "the own session")
	wantAlive(t, s, other, "another session")
}

// TestNoPasswordToChange is about somebody who came in another way.
func TestNoPasswordToChange(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	now := s.Clock.Now()
	u := store.User{ID: "u", Email: "mike@example.com", EmailKey: "mike@example.com", Epoch: session.NewEpoch(), CreatedAt: now, UpdatedAt: now}
	err := s.App.Store.CreateUser(t.Context(), u, store.Credential{Method: "passkey", Key: "k", Data: []byte("{}"), CreatedAt: now, UpdatedAt: now})
	if err != nil {
		t.Fatal(err)
	}
	opened, err := s.App.Sessions.Open(t.Context(), session.Login{User: u})
	if err != nil {
		t.Fatal(err)
	}
	if res := changePassword(t, s, opened.Tokens.Access.Token, testkit.Password, another); res.Status != http.StatusConflict || res.Code() != "no_password" {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

// TestPasswordChangeIsThrottled guesses with a stolen token. The owner at another address goes on.
func TestPasswordChangeIsThrottled(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "trusted_proxies=127.0.0.1")
	s.SignUp(t, "mike@example.com")
	home := "198.51.100.1"
	if res := guess(t, s, home, "mike@example.com", testkit.Password); res.Status != http.StatusOK {
		t.Fatalf("%d %s", res.Status, res.Body)
	}
	stolen := pairOf(guess(t, s, home, "mike@example.com", testkit.Password))
	thief := "X-Forwarded-For: 203.0.113.9"
	checked := 0
	var res *testkit.Response
	for range 20 {
		if res = changePassword(t, s, stolen.access, wrong, another, thief); res.Status != http.StatusUnprocessableEntity {
			break
		}
		checked++
	}
	if checked != 5 {
		t.Errorf("%d checked", checked)
	}
	wantRefusal(t, res, "the 6th guess")
	wantRefusal(t, changePassword(t, s, stolen.access, testkit.Password, another, thief), "the right one after 5 wrong")
	wantRefusal(t, guess(t, s, "203.0.113.9", "mike@example.com", testkit.Password), "a login from there")
	if res := changePassword(t, s, stolen.access, testkit.Password, another, "X-Forwarded-For: "+home); res.Status != http.StatusNoContent {
		t.Errorf("the owner: %d %s", res.Status, res.Body)
	}
	failed, refused := 0, 0
	for _, e := range events(t, s, "password") {
		switch e {
		case "failed/wrong_credential":
			failed++
		case "ok":
		default:
			refused++
		}
	}
	if failed != 5 || refused != 0 { // those not checked are counted, and written at the end of their minute
		t.Errorf("events %v", events(t, s, "password"))
	}
}

func TestOfManyPasswordChangesAtOnceOneWins(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "limits.insecure_disabled=true")
	s.SignUp(t, "mike@example.com")
	pairs := make([]pair, 8)
	for i := range pairs {
		pairs[i] = logIn(t, s, "mike@example.com")
	}
	next := func(i int) string { return fmt.Sprintf("%s %d", another, i) }
	results := make([]int, len(pairs))
	var wg sync.WaitGroup
	for i := range pairs {
		wg.Go(func() { results[i] = changePassword(t, s, pairs[i].access, testkit.Password, next(i)).Status })
	}
	wg.Wait()
	winner := slices.Index(results, http.StatusNoContent)
	for i, status := range results {
		// A loser's password is wrong by now, or its session has ended.
		if i != winner && status != http.StatusUnprocessableEntity && status != http.StatusUnauthorized {
			t.Errorf("change %d: %d", i, status)
		}
		if winner < 0 {
			continue
		}
		want := http.StatusUnauthorized
		if i == winner {
			want = http.StatusOK
		}
		if res := s.Form(t, "/login", "email", "mike@example.com", "password", next(i)); res.Status != want {
			t.Errorf("login with password %d: %d, want %d", i, res.Status, want)
		}
		if res := s.Profile(t, pairs[i].access); res.Status != want {
			t.Errorf("session %d: %d, want %d", i, res.Status, want)
		}
	}
	if winner < 0 {
		t.Errorf("nobody won: %v", results)
	}
}

// TestPasswordChangeBesideLogins changes a password whose hash logins renew at the same time, under new settings.
func TestPasswordChangeBesideLogins(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := testkit.Start(t, "data="+dir, "limits.insecure_disabled=true")
	s.SignUp(t, "mike@example.com")
	p := logIn(t, s, "mike@example.com")
	settings := []string{"data=" + dir, "limits.insecure_disabled=true", "issuer=" + s.URL, "password.bcrypt_cost=5"}
	s2 := testkit.Start(t, settings...)
	var opened []pair
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if res := s2.Form(t, "/login", "email", "mike@example.com", "password", testkit.Password); res.Status == http.StatusOK {
				mu.Lock()
				defer mu.Unlock()
				opened = append(opened, pairOf(res))
			}
		})
	}
	res := changePassword(t, s2, p.access, testkit.Password, another)
	wg.Wait()
	if res.Status != http.StatusNoContent {
		t.Fatalf("%d %s", res.Status, res.Body)
	}
	for _, o := range opened {
		wantDead(t, s2, o, "a login with the old password")
	}
	if res := s2.Form(t, "/login", "email", "mike@example.com", "password", testkit.Password); res.Status != http.StatusUnauthorized {
		t.Errorf("the old password: %d", res.Status)
	}
	if res := s2.Form(t, "/login", "email", "mike@example.com", "password", another); res.Status != http.StatusOK {
		t.Errorf("the new password: %d", res.Status)
	}
	// The other node knows within a second.
	for deadline := time.Now().Add(time.Second); ; time.Sleep(10 * time.Millisecond) {
		dead := true
		for _, o := range opened {
			dead = dead && s.Profile(t, o.access).Status == http.StatusUnauthorized
		}
		if dead {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the other node still takes tokens of an ended session")
		}
	}
	wantAlive(t, s, p, "the session that has changed it, on the other node")
}

func TestSetPasswordEndsAllSessions(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	id := s.SignUp(t, "mike@example.com")
	p := logIn(t, s, "mike@example.com")
	user, err := s.App.Store.User(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.App.Passwords.SetPassword(t.Context(), user, another); err != nil {
		t.Fatal(err)
	}
	wantDead(t, s, p, "a session from before")
	if res := s.Form(t, "/login", "email", "mike@example.com", "password", another); res.Status != http.StatusOK {
		t.Errorf("the new password: %d", res.Status)
	}
	if got := events(t, s, "password_changed"); !slices.Equal(got, []string{"ok/operator"}) {
		t.Errorf("events %v", got)
	}
}
