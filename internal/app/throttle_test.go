package app_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/testkit"
)

const wrong = testkit.Canary + " wrong horse"

// guess tries to log in from an address behind the trusted proxy, with a cookie if there is one.
func guess(t *testing.T, s *testkit.Server, from, email, pw string, cookie ...string) *testkit.Response {
	t.Helper()
	headers := []string{"Content-Type: application/x-www-form-urlencoded", "X-Forwarded-For: " + from}
	for _, c := range cookie {
		headers = append(headers, "Cookie: "+c)
	}
	form := url.Values{"email": {email}, "password": {pw}}
	return s.Do(t, s.Request(t, "POST", "/login", form.Encode(), headers...))
}

func wantRefusal(t *testing.T, res *testkit.Response, what string) {
	t.Helper()
	seconds, err := strconv.Atoi(res.Header.Get("Retry-After"))
	if res.Status != 429 || res.Code() != "too_many_attempts" || err != nil || seconds < 1 {
		t.Errorf("%s: %d %s, Retry-After %q", what, res.Status, res.Body, res.Header.Get("Retry-After"))
	}
}

// An attacker at many addresses uses up what strangers may try. The owner goes on from where they logged in before, by
// address or by cookie; a stranger with the right password waits, until an operator unlocks.
func TestStrangersCannotLockOutTheOwner(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "trusted_proxies=127.0.0.1")
	for _, email := range []string{"mike@example.com", "nobody@example.com"} {
		exists := email == "mike@example.com"
		var cookie string
		if exists {
			s.SignUp(t, email)
			home := guess(t, s, "198.51.100.1", email, testkit.Password)
			cookie, _, _ = strings.Cut(home.Header.Get("Set-Cookie"), ";")
			if home.Status != 200 || !strings.HasPrefix(cookie, "countersign-devices=") {
				t.Fatalf("%d %v", home.Status, home.Header)
			}
		}
		checked, tries := 0, 0
		for ; checked < 100 && tries < 1000; tries++ {
			res := guess(t, s, fmt.Sprintf("203.0.%d.%d", tries/200, tries%200), email, wrong)
			switch res.Status {
			case 401:
				checked++
			case 429:
				wait, _ := strconv.Atoi(res.Header.Get("Retry-After"))
				s.Clock.Advance(time.Duration(wait) * time.Second)
			default:
				t.Fatalf("%d %s", res.Status, res.Body)
			}
		}
		if checked != 100 {
			t.Fatalf("%s: %d checked of %d", email, checked, tries)
		}
		s.Clock.Advance(24 * time.Hour)
		wantRefusal(t, guess(t, s, "192.0.2.99", email, testkit.Password), email+": the 101st, though it is right")
		if !exists {
			continue
		}
		if res := guess(t, s, "198.51.100.1", email, testkit.Password); res.Status != 200 {
			t.Errorf("the owner at home: %d", res.Status)
		}
	}
}

func TestKnownDevice(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "trusted_proxies=127.0.0.1")
	s.SignUp(t, "mike@example.com")
	s.SignUp(t, "ann@example.com")
	exhaust := func(email string) {
		for i := range 12 {
			guess(t, s, fmt.Sprintf("203.0.113.%d", i), email, wrong)
		}
	}
	home := guess(t, s, "198.51.100.1", "mike@example.com", testkit.Password)
	set := home.Header.Get("Set-Cookie")
	cookie, attributes, _ := strings.Cut(set, ";")
	for _, want := range []string{"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=34560000"} {
		if !strings.Contains(attributes, want) {
			t.Errorf("no %s in %q", want, set)
		}
	}
	exhaust("mike@example.com")
	wantRefusal(t, guess(t, s, "192.0.2.1", "mike@example.com", testkit.Password), "a stranger")
	away := guess(t, s, "192.0.2.2", "mike@example.com", testkit.Password, cookie)
	if away.Status != 200 || away.Header.Get("Set-Cookie") != "" {
		t.Errorf("the owner away, with the cookie: %d %v", away.Status, away.Header)
	}

	// The cookie says nothing of another account, and a forged one nothing at all.
	exhaust("ann@example.com")
	wantRefusal(t, guess(t, s, "192.0.2.3", "ann@example.com", testkit.Password, cookie), "with the cookie of another")
	for _, forged := range []string{"countersign-devices=x", "countersign-devices=" + strings.Repeat("A", 76), cookie + "x", "countersign-devices=" + strings.Repeat(".", 5000)} {
		wantRefusal(t, guess(t, s, "192.0.2.4", "ann@example.com", testkit.Password, forged), "with a forged cookie")
	}
	// A browser may know several accounts.
	s.Clock.Advance(time.Hour)
	both := guess(t, s, "192.0.2.5", "ann@example.com", testkit.Password, cookie)
	two, _, _ := strings.Cut(both.Header.Get("Set-Cookie"), ";")
	exhaust("mike@example.com")
	if res := guess(t, s, "192.0.2.6", "mike@example.com", testkit.Password, two); both.Status != 200 || res.Status != 200 {
		t.Errorf("two accounts in %q: %d, %d", two, both.Status, res.Status)
	}
}

func TestDeviceCookieOverHTTPS(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "issuer=https://auth.example.com")
	s.SignUp(t, "mike@example.com")
	set := s.Form(t, "/login", "email", "mike@example.com", "password", testkit.Password).Header.Get("Set-Cookie")
	if !strings.HasPrefix(set, "__Host-countersign-devices=") || !strings.Contains(set, "Secure") {
		t.Errorf("%q", set)
	}
}

// Of 200 guesses at once, no more are checked than are allowed one after the other, wherever they come from.
func TestParallelGuessesAreAllCounted(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "trusted_proxies=127.0.0.1")
	s.SignUp(t, "mike@example.com")
	var mu sync.Mutex
	statuses := map[int]int{}
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			res := guess(t, s, fmt.Sprintf("203.0.113.%d", i), "mike@example.com", wrong)
			mu.Lock()
			defer mu.Unlock()
			statuses[res.Status]++
		})
	}
	wg.Wait()
	if statuses[401] > 10 || statuses[401] == 0 || statuses[401]+statuses[429]+statuses[503] != 200 {
		t.Errorf("statuses %v", statuses)
	}
}

// A header that no trusted proxy wrote does not make another client of somebody.
func TestForwardedForIsNotBelieved(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	last := 0
	for i := range 8 {
		last = guess(t, s, fmt.Sprintf("203.0.113.%d", i), "mike@example.com", wrong).Status
	}
	if last != 429 {
		t.Errorf("the eighth guess: %d", last)
	}
}

func TestSignupsAreLimited(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	for i := range 20 {
		s.SignUp(t, fmt.Sprintf("user%d@example.com", i))
	}
	wantRefusal(t, s.Form(t, "/signup", "email", "more@example.com", "password", testkit.Password), "the 21st")
	s.Clock.Advance(30 * time.Second)
	s.SignUp(t, "more@example.com")
}

func TestUnlock(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "trusted_proxies=127.0.0.1")
	id := s.SignUp(t, "mike@example.com")
	for i := range 12 {
		guess(t, s, fmt.Sprintf("203.0.113.%d", i), "mike@example.com", wrong)
	}
	wantRefusal(t, guess(t, s, "192.0.2.1", "mike@example.com", testkit.Password), "before")
	by := audit.By{Actor: audit.CLI}
	if err := s.App.Admin.Unlock(t.Context(), by, id); err != nil {
		t.Fatal(err)
	}
	if err := s.App.Admin.Unlock(t.Context(), by, "nobody"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
	s.Clock.Advance(time.Second)
	if res := guess(t, s, "192.0.2.1", "mike@example.com", testkit.Password); res.Status != 200 {
		t.Errorf("after: %d %s", res.Status, res.Body)
	}
}

// With signup.hide_taken, a taken address is answered as a free one, and nothing of its user changes.
func TestHiddenSignup(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "signup.hide_taken=true")
	id := s.SignUp(t, "mike@example.com")
	free := s.Form(t, "/signup", "email", "ann@example.com", "password", testkit.Password)
	taken := s.Form(t, "/signup", "email", "mike@example.com", "password", wrong)
	if free.Status != 200 || taken.Status != 200 || taken.Get("user", "email") != "mike@example.com" || len(taken.Get("user", "_id")) != len(id) || taken.Get("user", "_id") == id {
		t.Errorf("%d %s\n%d %s", free.Status, free.Body, taken.Status, taken.Body)
	}
	if len(free.Body)+1 != len(taken.Body) { // by the one character that mike@ is longer
		t.Errorf("%q\n%q", free.Body, taken.Body)
	}
	if res := s.Form(t, "/login", "email", "mike@example.com", "password", wrong); res.Status != 401 {
		t.Errorf("the password of the second sign-up: %d", res.Status)
	}
	s.LogIn(t, "mike@example.com")
}

// Every attempt that is checked is an event; refusals are counted. None tells what was typed.
func TestAttemptsAreEvents(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	id := s.SignUp(t, "mike@example.com")
	s.LogIn(t, "mike@example.com")
	s.Form(t, "/signup", "email", "MIKE@example.com", "password", wrong)
	for range 9 {
		s.Form(t, "/login", "email", "nobody@example.com", "password", wrong)
	}
	s.Form(t, "/login", "email", wrong, "password", "mike@example.com") // the wrong way round
	away := s.SignUp(t, "away@example.com")
	change(t, s, away, func(u *store.User) { u.DisabledAt = s.Clock.Now() })
	s.Form(t, "/login", "email", "away@example.com", "password", testkit.Password)
	if err := s.App.Audit.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	events, err := s.App.Store.ListEvents(t.Context(), "", 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	subjects := map[string]string{}
	for _, e := range events {
		got = append(got, fmt.Sprintf("%s %s %s x%d", e.Kind, e.Result, e.Reason, e.Count))
		if strings.Contains(fmt.Sprint(e), "example.com") || strings.Contains(fmt.Sprint(e), testkit.Canary) || e.Client != "127.0.0.1" || e.RequestID == "" {
			t.Errorf("%+v", e)
		}
		if e.UserID == away {
			continue
		}
		subjects[fmt.Sprint(e.Kind, e.Result)] = e.Subject
		if (e.UserID == id) != (e.Result == "ok") {
			t.Errorf("user %q of %+v", e.UserID, e)
		}
	}
	want := "[signup ok  x1 login ok  x1 signup failed email_taken x1 " +
		strings.Repeat("login failed wrong_credential x1 ", 6) + "signup ok  x1 login failed disabled x1 login refused throttled_pair x4]"
	if fmt.Sprint(got) != want {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if subjects["signupok"] != subjects["loginok"] || subjects["signupok"] != subjects["signupfailed"] || subjects["loginrefused"] == subjects["loginok"] {
		t.Errorf("subjects %v", subjects)
	}
}

// A client that says no more, but still listens, gets its whole answer, and its sign-up counts.
func TestHalfClosedSignup(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	for i := range 30 {
		form := url.Values{"email": {fmt.Sprintf("user%d@example.com", i)}, "password": {testkit.Password}}.Encode()
		conn, err := net.Dial("tcp", s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST /signup HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(form), form)
		time.Sleep(time.Duration(i) * 200 * time.Microsecond)
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(conn)
		_ = conn.Close()
		if strings.Contains(string(answer), `"_id":""`) {
			t.Errorf("an empty user: %s", answer)
		}
	}
	users, err := s.App.Store.ListUsers(t.Context(), "", 100)
	if err != nil {
		t.Fatal(err)
	}
	if len(users) == 0 || len(users) > 20 {
		t.Errorf("%d users", len(users))
	}
}

// The places of an account are not used up by those whom its throttle refuses.
func TestOwnerBesideAFlood(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "trusted_proxies=127.0.0.1")
	s.SignUp(t, "mike@example.com")
	home := guess(t, s, "198.51.100.1", "mike@example.com", testkit.Password)
	cookie, _, _ := strings.Cut(home.Header.Get("Set-Cookie"), ";")
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 48 {
		wg.Go(func() {
			form := url.Values{"email": {"mike@example.com"}, "password": {wrong}}.Encode()
			for n := 0; ctx.Err() == nil; n++ {
				req := s.Request(t, "POST", "/login", form, "Content-Type: application/x-www-form-urlencoded",
					fmt.Sprintf("X-Forwarded-For: 203.%d.%d.%d", i, n/250, n%250))
				_, _ = s.Try(t, req.WithContext(ctx))
			}
		})
	}
	for range 10 {
		if res := guess(t, s, "192.0.2.1", "mike@example.com", testkit.Password, cookie); res.Status != 200 {
			t.Errorf("the owner: %d %s", res.Status, res.Body)
		}
	}
	cancel()
	wg.Wait()
}

// A storm of logins that the machine cannot do in time is refused with 503, every refusal is counted, who reads does not
// wait, and what its clients no longer want is not computed.
func TestStormIsRefused(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "trusted_proxies=127.0.0.1", "password.bcrypt_cost=14")
	token := s.SignUpAndLogIn(t, "mike@example.com")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	refused := make(chan *testkit.Response, 100*runtime.GOMAXPROCS(0)) // of which a processor does some 25 in time
	var wg sync.WaitGroup
	for i := range cap(refused) {
		wg.Go(func() {
			form := url.Values{"email": {fmt.Sprintf("user%d@example.com", i)}, "password": {wrong}}
			req := s.Request(t, "POST", "/login", form.Encode(), "Content-Type: application/x-www-form-urlencoded",
				fmt.Sprintf("X-Forwarded-For: 203.0.%d.%d", i/200, i%200))
			if res, err := s.Try(t, req.WithContext(ctx)); err == nil && res.Status != 401 {
				refused <- res
			}
		})
	}
	res := <-refused
	seconds, err := strconv.Atoi(res.Header.Get("Retry-After"))
	if res.Status != 503 || res.Code() != "busy" || err != nil || seconds < 1 || seconds > 10 {
		t.Errorf("%d %s, Retry-After %q", res.Status, res.Body, res.Header.Get("Retry-After"))
	}
	if res := s.Profile(t, token); res.Status != 200 {
		t.Errorf("the profile meanwhile: %d", res.Status)
	}
	cancel() // everybody hangs up
	wg.Wait()
	for try := 0; ; try++ { // until the server has seen that
		res := s.Form(t, "/login", "email", "mike@example.com", "password", testkit.Password)
		if res.Status == 200 {
			break
		}
		if res.Status != 503 || try == 100 {
			t.Fatalf("after everybody has hung up: %d %s", res.Status, res.Body)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := s.App.Audit.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	events, err := s.App.Store.ListEvents(t.Context(), "", 10_000)
	if err != nil {
		t.Fatal(err)
	}
	busy := int64(0)
	for _, e := range events {
		if e.Reason == "busy" {
			busy += e.Count
		}
	}
	if answered := int64(len(refused)) + 1; busy < answered {
		t.Errorf("%d refusals are in the log, %d were answered", busy, answered)
	}
}
