package app_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/testkit"
)

// The ten Go traps that each was seen to open a server like this one. The numbers are those of the security notes that
// the project was begun with. Trap 3, a dummy hash that takes no time, is one of counting hash operations and is held
// by package password (TestEqualWork). Traps 6 and 7, the spellings of a token and its dates, and what else of 4 and 5 is
// wrong with a token whoever made it, are among the requests of TestHostileRequests.

func TestTrap01NULMakesTwoPasswordsOne(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.SignUp(t, "mike@example.com")
	if res := s.Form(t, "/login", "email", "mike@example.com", "password", testkit.Password+"\x00"+testkit.Password); res.Status != 401 {
		t.Errorf("login: %d", res.Status)
	}
	if res := s.Form(t, "/signup", "email", "eve@example.com", "password", testkit.Password+"\x00x"); res.Status != 422 {
		t.Errorf("signup: %d", res.Status)
	}
}

func TestTrap02BcryptSees72Bytes(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	pw := testkit.Canary + strings.Repeat("x", 72-len(testkit.Canary))
	for i, password := range []string{pw, pw + "y", pw + "yz"} {
		email := fmt.Sprintf("m%d@example.com", i)
		if res := s.Form(t, "/signup", "email", email, "password", password); res.Status != 200 {
			t.Fatalf("%d bytes: signup %d", len(password), res.Status)
		}
		for _, guess := range []string{pw[:71], pw, pw + "y", pw + "yz", pw + "z"} {
			want := 401
			if guess == password {
				want = 200
			}
			if res := s.Form(t, "/login", "email", email, "password", guess); res.Status != want {
				t.Errorf("a password of %d bytes, a guess of %d: %d", len(password), len(guess), res.Status)
			}
		}
	}
}

// claims returns good claims for s, with one member added or replaced by raw JSON; an empty value leaves it out.
func claims(s *testkit.Server, name, value string) string {
	now := s.Clock.Now()
	members := []struct{ name, value string }{
		{"iss", `"` + s.URL + `"`}, {"aud", `"` + s.URL + `"`}, {"sub", `"u1"`}, {"exp", fmt.Sprint(now.Add(time.Minute).Unix())},
		{"iat", fmt.Sprint(now.Unix())}, {"user", `{"_id":"u1","email":"mike@example.com"}`},
	}
	var parts []string
	for _, m := range members {
		if m.name == name {
			if m.value = value; value == "" {
				continue
			}
			name = ""
		}
		parts = append(parts, `"`+m.name+`":`+m.value)
	}
	if name != "" && value != "" {
		parts = append(parts, `"`+name+`":`+value)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

const goodHeader = `{"alg":"HS256","typ":"JWT"}`

// refusesTokens sends each token. None may get through.
func refusesTokens(t *testing.T, s *testkit.Server, tokens map[string]string) {
	t.Helper()
	if good := testkit.Forge(testkit.Secret, goodHeader, claims(s, "", "")); s.Profile(t, good).Status != 200 {
		t.Fatalf("the good token is refused: %s", s.Profile(t, good).Body)
	}
	for name, token := range tokens {
		if res := s.Profile(t, token); res.Status != 401 {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}
}

func TestTrap04CaseAndDuplicatesInJSON(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "jwt.secret="+testkit.Secret)
	forge := func(header, payload string) string { return testkit.Forge(testkit.Secret, header, payload) }
	refusesTokens(t, s, map[string]string{
		"user._id twice":      forge(goodHeader, claims(s, "user", `{"_id":"u1","_id":"u1"}`)),
		"user is another one": forge(goodHeader, claims(s, "user", `{"_id":"u2"}`)),
	})
	for name, body := range map[string]string{
		"twice":           `{"email":"a@example.com","email":"b@example.com","password":"` + testkit.Password + `"}`,
		"twice, escaped":  `{"email":"a@example.com","e\u006dail":"b@example.com","password":"` + testkit.Password + `"}`,
		"other case":      `{"Email":"a@example.com","password":"` + testkit.Password + `"}`,
		"other case, too": `{"email":"a@example.com","EMAIL":"b@example.com","password":"` + testkit.Password + `"}`,
		"long s":          `{"email":"a@example.com","paſſword":"` + testkit.Password + `"}`,
		"trailing":        `{"email":"a@example.com","password":"` + testkit.Password + `"}{}`,
	} {
		if res := s.JSON(t, "/signup", body); res.Status != 400 {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}
}

func TestTrap05DepthAndEncoding(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "jwt.secret="+testkit.Secret)
	forge := func(payload string) string { return testkit.Forge(testkit.Secret, goodHeader, payload) }
	refusesTokens(t, s, map[string]string{
		"lone surrogate": forge(claims(s, "user", `{"_id":"\ud800"}`)),
	})
	pw := `"password":"` + testkit.Password + `"`
	for name, body := range map[string]string{
		"deep":           `{"email":"a@example.com",` + pw + `,"x":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`,
		"deep objects":   strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000),
		"invalid UTF-8":  "{\"email\":\"a\xff@example.com\"," + pw + "}",
		"lone surrogate": `{"email":"a@example.com","password":"` + testkit.Password + `\ud800"}`,
	} {
		if res := s.JSON(t, "/signup", body); res.Status != 400 {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}
}

func TestTrap08CredentialsInTheQuery(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.SignUp(t, "mike@example.com")
	const form = "Content-Type: application/x-www-form-urlencoded"
	pw := strings.ReplaceAll(testkit.Password, " ", "+")
	for _, c := range []struct{ query, body string }{
		{"?password=" + pw, "email=mike@example.com"},
		{"?password=" + pw, "email=mike@example.com&password=" + pw},
		{"?email=mike@example.com&password=" + pw, ""},
		{"?email=mike@example.com", "password=" + pw},
	} {
		for _, path := range []string{"/login", "/signup"} {
			if res := s.Do(t, s.Request(t, "POST", path+c.query, c.body, form)); res.Status != 400 {
				t.Errorf("%s %s with body %s: %d", path, c.query, c.body, res.Status)
			}
		}
	}
}

func TestTrap09CaseOfAddresses(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	id := s.SignUp(t, "kim@example.com")
	for _, same := range []string{"KIM@example.com", "\u212aim@example.com", "kim@EXAMPLE.COM"} {
		if got := s.Profile(t, s.LogIn(t, same)).Get("user", "_id"); got != id {
			t.Errorf("%q is another user", same)
		}
		if res := s.Form(t, "/signup", "email", same, "password", testkit.Password); res.Status != 409 {
			t.Errorf("%q can sign up: %d", same, res.Status)
		}
	}
	for _, other := range []string{"kım@example.com", "KİM@example.com"} { // dotless i; capital I with a dot
		if res := s.Form(t, "/login", "email", other, "password", testkit.Password); res.Status != 401 {
			t.Errorf("%q logs in as kim: %d", other, res.Status)
		}
	}
	if other := s.SignUp(t, "kım@example.com"); other == id {
		t.Error("dotless i is the same user")
	}
}

func TestTrap10MoreThanAnAddress(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	for _, email := range []string{"Foo <a@b.com>", "a@b.com (c)", "a@[127.0.0.1]", `"a b"@x.com`, "a@x.com\r\nBcc: v@x.com", "a@x.com\x00", "a@x.com ", strings.Repeat("a", 320) + "@x.com"} {
		if res := s.Form(t, "/signup", "email", email, "password", testkit.Password); res.Status != 422 || !strings.Contains(res.Body, `"field":"email"`) {
			t.Errorf("%q: %d %s", email, res.Status, res.Body)
		}
	}
}
