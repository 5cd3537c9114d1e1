package app_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/jwt"
)

func TestFoundingFlow(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	for _, tt := range []struct {
		name string
		post func(path, email string) *testkit.Response
	}{
		{"form", func(path, email string) *testkit.Response {
			return s.Form(t, path, "email", email, "password", testkit.Password)
		}},
		{"json", func(path, email string) *testkit.Response {
			return s.JSON(t, path, `{"email":"`+email+`","password":"`+testkit.Password+`"}`)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			email := "Mike." + tt.name + "@Example.com"
			res := tt.post("/signup", email)
			if res.Status != 200 || res.Get("message") != "Signup successful" || res.Get("user", "email") != email {
				t.Fatalf("signup: %d %s", res.Status, res.Body)
			}
			id := res.Get("user", "_id")

			res = tt.post("/login", strings.ToLower(email))
			var login struct {
				Token     string  `json:"token"`
				TokenType string  `json:"token_type"`
				ExpiresIn float64 `json:"expires_in"`
			}
			if err := json.Unmarshal([]byte(res.Body), &login); err != nil || res.Status != 200 || login.TokenType != "Bearer" || login.ExpiresIn != 900 {
				t.Fatalf("login: %d %s (%v)", res.Status, res.Body, err)
			}

			byHeader := s.Profile(t, login.Token)
			byQuery := s.Do(t, s.Request(t, "GET", "/user/profile?secret_token="+url.QueryEscape(login.Token), ""))
			want := `{"message":"You made it to the secure route","user":{"_id":"` + id + `","email":"` + email + `"},"token":"` + login.Token + `"}` + "\n"
			for _, res := range []*testkit.Response{byHeader, byQuery} {
				if res.Status != 200 || res.Body != want || res.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("profile: %d %s %v", res.Status, res.Body, res.Header)
				}
			}
			if strings.Contains(s.Log(), login.Token) {
				t.Error("the token stands in the log")
			}
		})
	}
}

func TestTokenClaims(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, setting, header string }{
		{"own key", "issuer=https://auth.example.com", `{"alg":"ES256","typ":"at+jwt"`},
		{"shared secret", "jwt.secret=" + testkit.Secret, `{"alg":"HS256","typ":"JWT"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := testkit.Start(t, tt.setting)
			id := s.SignUp(t, "mike@example.com")
			u, err := jwt.DecodeUnverified(s.LogIn(t, "mike@example.com"))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(string(u.RawHeader()), tt.header) {
				t.Errorf("header %s, want %s…", u.RawHeader(), tt.header)
			}
			var c struct {
				Iss, Sub, Aud, Jti, Sid string
				Exp, Iat                int64
				User                    map[string]string
			}
			if err := json.Unmarshal(u.Payload(), &c); err != nil {
				t.Fatal(err)
			}
			iss := s.URL
			if tt.name == "own key" {
				iss = "https://auth.example.com"
			}
			if c.Iss != iss || c.Aud != iss || c.Sub != id || c.User["_id"] != id || c.User["email"] != "mike@example.com" || len(c.User) != 2 ||
				c.Jti == "" || c.Sid == "" || c.Jti == c.Sid || c.Exp-c.Iat != 900 || c.Iat != s.Clock.Now().Unix() {
				t.Errorf("claims %s", u.Payload())
			}
		})
	}
}

func TestTokenExpires(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "jwt.access_ttl=5m")
	s.SignUp(t, "mike@example.com")
	token := s.LogIn(t, "mike@example.com")
	s.Clock.Advance(5*time.Minute - time.Second)
	if res := s.Profile(t, token); res.Status != 200 {
		t.Fatalf("before: %d %s", res.Status, res.Body)
	}
	s.Clock.Advance(time.Minute) // over the leeway for other clocks, too
	res := s.Profile(t, token)
	if res.Status != 401 || !strings.Contains(res.Header.Get("WWW-Authenticate"), `error="invalid_token"`) {
		t.Errorf("after: %d %s %v", res.Status, res.Body, res.Header)
	}
}

func TestSecondSignupIsRefused(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	id := s.SignUp(t, "Mike@example.com")
	for _, email := range []string{"Mike@example.com", "mike@EXAMPLE.com", "MIKE@example.com"} {
		if res := s.Form(t, "/signup", "email", email, "password", "other "+testkit.Password); res.Status != 409 || res.Code() != "email_taken" {
			t.Errorf("%s: %d %s", email, res.Status, res.Body)
		}
	}
	if got := s.Profile(t, s.LogIn(t, "mike@example.com")).Get("user", "_id"); got != id {
		t.Errorf("id %s, want %s: the first password is not the one that counts", got, id)
	}
}

func TestOfManySignupsAtOnceOneWins(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "limits.insecure_disabled=true")
	spellings := []string{"mike@example.com", "Mike@example.com", "mike@EXAMPLE.com", "MIKE@EXAMPLE.COM"}
	var mu sync.Mutex
	statuses := map[int]int{}
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			res := s.Form(t, "/signup", "email", spellings[i%len(spellings)], "password", testkit.Password)
			mu.Lock()
			defer mu.Unlock()
			statuses[res.Status]++
		})
	}
	wg.Wait()
	if statuses[200] != 1 || statuses[409] != 39 {
		t.Errorf("statuses %v, want one 200 and else 409", statuses)
	}
	users, err := s.App.Store.ListUsers(t.Context(), "", 10)
	if err != nil || len(users) != 1 {
		t.Errorf("%d users (%v)", len(users), err)
	}
}

func TestLoginIsRefusedAlike(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "limits.insecure_disabled=true")
	s.SignUp(t, "mike@example.com")
	disabled := s.SignUp(t, "disabled@example.com")
	u, err := s.App.Store.User(t.Context(), disabled)
	if err != nil {
		t.Fatal(err)
	}
	u.DisabledAt = s.Clock.Now()
	if err := s.App.Store.UpdateUser(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	var first *testkit.Response
	for _, c := range []struct{ name, email, password string }{
		{"wrong password", "mike@example.com", testkit.Password + "x"},
		{"unknown user", "nobody@example.com", testkit.Password},
		{"disabled user", "disabled@example.com", testkit.Password},
		{"not an address", "nobody", testkit.Password},
		{"address with NUL", "mike@example.com\x00", testkit.Password},
		{"space behind", "mike@example.com", testkit.Password + " "},
		{"space before", "mike@example.com", " " + testkit.Password},
		{"other case", "mike@example.com", strings.ToUpper(testkit.Password)},
		{"the hash of nothing", "mike@example.com", "x"},
		{"long", "mike@example.com", strings.Repeat(testkit.Password, 100)},
		{"very long", "mike@example.com", strings.Repeat("x", 60_000)},
	} {
		res := s.Form(t, "/login", "email", c.email, "password", c.password)
		if res.Status != 401 || res.Code() != "invalid_credentials" || res.Header.Get("WWW-Authenticate") != `Bearer realm="countersign"` {
			t.Errorf("%s: %d %v %s", c.name, res.Status, res.Header, res.Body)
		}
		if first == nil {
			first = res
		}
		if strip(first) != strip(res) {
			t.Errorf("%s differs from a wrong password:\n%s\n%s", c.name, strip(res), strip(first))
		}
	}
}

// strip returns all of an answer that could tell one user from another.
func strip(r *testkit.Response) string {
	h := r.Header.Clone()
	id := h.Get("X-Request-Id")
	h.Del("X-Request-Id")
	h.Del("Date")
	var b strings.Builder
	_ = h.Write(&b)
	return b.String() + strings.ReplaceAll(r.Body, id, "")
}

func TestPasswordRules(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "password.min_length=15")
	for _, c := range []struct{ name, password, code string }{
		{"14 characters of 4 bytes", strings.Repeat("\U0001F600", 14), "too_short"},
		{"14 characters, 28 code points before NFC", strings.Repeat("u\u0308", 14), "too_short"},
		{"NUL", testkit.Password + "\x00", "nul"},
		{"1,025 bytes", strings.Repeat("x", 1025), "too_long"},
	} {
		res := s.Form(t, "/signup", "email", "mike@example.com", "password", c.password)
		if res.Status != 422 || !strings.Contains(res.Body, `"field":"password","code":"`+c.code+`"`) {
			t.Errorf("%s: %d %s", c.name, res.Status, res.Body)
		}
	}
	res := s.Form(t, "/signup", "email", "mike", "password", "short")
	if res.Status != 422 || !strings.Contains(res.Body, `"field":"email"`) || !strings.Contains(res.Body, `"field":"password"`) {
		t.Errorf("not every field is named: %d %s", res.Status, res.Body)
	}
	for i, password := range []string{
		strings.Repeat("\U0001F600", 15), strings.Repeat("x", 72), strings.Repeat("x", 73), strings.Repeat("x", 1024),
		"  spaces around  ", "' OR 1=1-- ' OR 1=1--", "\u202eright to left\u202c", "<script>alert(1)</script>", strings.Repeat("u\u0308", 15),
	} {
		email := string(rune('a'+i)) + "@example.com"
		if res := s.Form(t, "/signup", "email", email, "password", password); res.Status != 200 {
			t.Errorf("%q: signup %d %s", password, res.Status, res.Body)
		}
		if res := s.Form(t, "/login", "email", email, "password", password); res.Status != 200 {
			t.Errorf("%q: login %d %s", password, res.Status, res.Body)
		}
		last := []rune(password)
		last[len(last)-1] = '!'
		if res := s.Form(t, "/login", "email", email, "password", string(last)); res.Status != 401 {
			t.Errorf("%q with another last character: login %d", password, res.Status)
		}
	}
	if res := s.Form(t, "/login", "email", "i@example.com", "password", strings.Repeat("ü", 15)); res.Status != 200 {
		t.Errorf("the composed form of a decomposed password: %d", res.Status)
	}
}

func TestHashIsRenewedWhenSettingsChange(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	hashOf := func(s *testkit.Server) string {
		c, err := s.App.Store.Credential(t.Context(), "password", "mike@example.com")
		if err != nil {
			t.Fatal(err)
		}
		return string(c.Data)
	}
	s := testkit.Start(t, "data="+dir)
	s.SignUp(t, "mike@example.com")
	if h := hashOf(s); !strings.Contains(h, "$2b$04$") {
		t.Fatalf("hash %s", h)
	}
	s = testkit.Start(t, "data="+dir, "password.bcrypt_cost=5")
	s.LogIn(t, "mike@example.com")
	if h := hashOf(s); !strings.Contains(h, "$2b$05$") {
		t.Errorf("after a change of cost: %s", h)
	}
	s = testkit.Start(t, "data="+dir, "password.algorithm=argon2id")
	s.LogIn(t, "mike@example.com")
	if h := hashOf(s); !strings.Contains(h, "$argon2id$") {
		t.Errorf("after a change of algorithm: %s", h)
	}
	before := hashOf(s)
	s.LogIn(t, "mike@example.com")
	if hashOf(s) != before {
		t.Error("renewed with nothing to renew")
	}
}

func TestImportedHash(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.SignUp(t, "mike@example.com")
	c, err := s.App.Store.Credential(t.Context(), "password", "mike@example.com")
	if err != nil {
		t.Fatal(err)
	}
	// Made by Node's bcrypt 6.0.0 from 100 times "x", of which it saw 72.
	c.Data = []byte(`{"hash":"$2b$04$wRdq44j/U0ftOgaQ9s1ibOz5l9rMTJstqEeDOZIe.isgRMlq1/oRG","imported":true}`)
	if err := s.App.Store.UpdateCredential(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if res := s.Form(t, "/login", "email", "mike@example.com", "password", strings.Repeat("x", 71)); res.Status != 401 {
		t.Fatalf("a shorter password: %d", res.Status)
	}
	if res := s.Form(t, "/login", "email", "mike@example.com", "password", strings.Repeat("x", 100)); res.Status != 200 {
		t.Fatalf("the password: %d %s", res.Status, res.Body)
	}
	// From now on the whole password counts.
	if res := s.Form(t, "/login", "email", "mike@example.com", "password", strings.Repeat("x", 72)); res.Status != 401 {
		t.Errorf("72 bytes of it after the renewal: %d", res.Status)
	}
	if res := s.Form(t, "/login", "email", "mike@example.com", "password", strings.Repeat("x", 100)); res.Status != 200 {
		t.Errorf("the password after the renewal: %d", res.Status)
	}
}

func TestTokenOfTheQueryCanBeTurnedOff(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "token_query_parameter=")
	s.SignUp(t, "mike@example.com")
	res := s.Do(t, s.Request(t, http.MethodGet, "/user/profile?secret_token="+s.LogIn(t, "mike@example.com"), ""))
	if res.Status != 401 || res.Header.Get("WWW-Authenticate") != `Bearer realm="countersign"` {
		t.Errorf("%d %v", res.Status, res.Header)
	}
}

func TestMoreThanOneToken(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.SignUp(t, "mike@example.com")
	good := s.LogIn(t, "mike@example.com")
	for _, c := range []struct {
		name, path string
		headers    []string
	}{
		{"header and query", "/user/profile?secret_token=" + good, []string{"Authorization: Bearer " + good}},
		{"bad header, good query", "/user/profile?secret_token=" + good, []string{"Authorization: Bearer x.y.z"}},
		{"good header, bad query", "/user/profile?secret_token=x", []string{"Authorization: Bearer " + good}},
		{"query twice", "/user/profile?secret_token=" + good + "&secret_token=" + good, nil},
		{"two headers", "/user/profile", []string{"Authorization: Bearer " + good, "Authorization: Bearer " + good}},
		{"two in one header", "/user/profile", []string{"Authorization: Bearer " + good + " " + good}},
		{"a list in one header", "/user/profile", []string{"Authorization: Bearer " + good + ", Bearer " + good}},
	} {
		if res := s.Do(t, s.Request(t, "GET", c.path, "", c.headers...)); res.Status != 400 {
			t.Errorf("%s: %d %s", c.name, res.Status, res.Body)
		}
	}
}
