package app_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/testkit"
)

// pair is what the holder of a session has.
type pair struct{ access, refresh string }

func pairOf(res *testkit.Response) pair { return pair{res.Get("token"), res.Get("refresh_token")} }

// logIn logs in and returns the pair.
func logIn(t *testing.T, s *testkit.Server, email string) pair {
	t.Helper()
	res := s.Form(t, "/login", "email", email, "password", testkit.Password)
	if res.Status != http.StatusOK || pairOf(res).refresh == "" {
		t.Fatalf("login: %d %s", res.Status, res.Body)
	}
	return pairOf(res)
}

// refresh sends a refresh token and returns the answer.
func refresh(t *testing.T, s *testkit.Server, token string) *testkit.Response {
	t.Helper()
	return s.Form(t, "/token/refresh", "refresh_token", token)
}

// refreshed is refresh for a token that must be good.
func refreshed(t *testing.T, s *testkit.Server, token string) pair {
	t.Helper()
	res := refresh(t, s, token)
	if res.Status != http.StatusOK || pairOf(res).refresh == "" {
		t.Fatalf("refresh: %d %s", res.Status, res.Body)
	}
	return pairOf(res)
}

// wantNoTokens fails unless the refresh token is refused as every bad one is.
func wantNoTokens(t *testing.T, s *testkit.Server, token, what string) {
	t.Helper()
	if res := refresh(t, s, token); res.Status != http.StatusUnauthorized || res.Code() != "invalid_refresh_token" {
		t.Errorf("%s: %d %s", what, res.Status, res.Body)
	}
}

func TestRefreshRotates(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.SignUp(t, "mike@example.com")
	first := logIn(t, s, "mike@example.com")
	for _, body := range []string{`{"refresh_token":%q}`} {
		res := s.JSON(t, "/token/refresh", fmt.Sprintf(body, first.refresh))
		second := pairOf(res)
		if res.Status != http.StatusOK || second.refresh == first.refresh || second.access == first.access {
			t.Fatalf("%d %s", res.Status, res.Body)
		}
		if got := s.Profile(t, second.access); got.Status != http.StatusOK {
			t.Errorf("profile: %d %s", got.Status, got.Body)
		}
		first = second
	}
	s.Clock.Advance(20 * time.Minute) // the access token has expired, the refresh token not
	if got := s.Profile(t, first.access); got.Status != http.StatusUnauthorized {
		t.Errorf("an expired token: %d", got.Status)
	}
	refreshed(t, s, first.refresh)
}

func TestTwoTabsGetTheSameSuccessor(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.SignUp(t, "mike@example.com")
	p := logIn(t, s, "mike@example.com")
	for range 20 {
		var wg sync.WaitGroup
		got := make([]string, 8)
		for i := range got {
			wg.Go(func() { got[i] = pairOf(refresh(t, s, p.refresh)).refresh })
		}
		wg.Wait()
		for _, r := range got {
			if r == "" || r != got[0] {
				t.Fatalf("the tabs got different successors:\n%s", strings.Join(got, "\n"))
			}
		}
		p.refresh = got[0]
	}
}

func TestLostAnswerIsGivenAgain(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.SignUp(t, "mike@example.com")
	p := logIn(t, s, "mike@example.com")
	lost := refreshed(t, s, p.refresh)
	s.Clock.Advance(time.Hour)
	again := refreshed(t, s, p.refresh)
	if again.refresh != lost.refresh {
		t.Error("the retry got another successor")
	}
	if got := s.Profile(t, again.access); got.Status != http.StatusOK {
		t.Errorf("profile: %d %s", got.Status, got.Body)
	}
	refreshed(t, s, again.refresh)
}

func TestGraceOfTheParent(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.SignUp(t, "mike@example.com")
	p0 := logIn(t, s, "mike@example.com")
	p1 := refreshed(t, s, p0.refresh)
	p2 := refreshed(t, s, p1.refresh)
	s.Clock.Advance(9 * time.Second)
	if got := refreshed(t, s, p0.refresh); got.refresh != p1.refresh {
		t.Error("within the grace the old token leads elsewhere")
	}
	if got := refreshed(t, s, p1.refresh); got.refresh != p2.refresh {
		t.Error("the parent leads elsewhere")
	}
	s.Clock.Advance(2 * time.Second)
	wantNoTokens(t, s, p0.refresh, "after the grace")
	for what, token := range map[string]string{"parent": p1.refresh, "newest": p2.refresh} {
		wantNoTokens(t, s, token, "the family lives on: "+what)
	}
	if got := s.Profile(t, p2.access); got.Status != http.StatusUnauthorized {
		t.Errorf("its access token: %d", got.Status)
	}
	if !strings.Contains(s.Log(), `"reason":"reused"`) {
		t.Error("no event of the reuse")
	}
}

func TestGrandparentIsReuseAtOnce(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.SignUp(t, "mike@example.com")
	other := logIn(t, s, "mike@example.com")
	p0 := logIn(t, s, "mike@example.com")
	p := p0
	for range 3 {
		p = refreshed(t, s, p.refresh)
	}
	wantNoTokens(t, s, p0.refresh, "great-grandparent")
	wantNoTokens(t, s, p.refresh, "newest of the family")
	refreshed(t, s, other.refresh) // another family of the same user
}

func TestForgedRefreshTokensAreNoReuse(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.SignUp(t, "mike@example.com")
	p := logIn(t, s, "mike@example.com")
	for range 3 {
		p = refreshed(t, s, p.refresh)
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(p.refresh, "csr_"))
	if err != nil {
		t.Fatal(err)
	}
	forged := map[string]string{
		"empty after the prefix": "csr_", "no prefix": strings.TrimPrefix(p.refresh, "csr_"), "truncated": p.refresh[:len(p.refresh)-1],
		"padded": p.refresh + "=", "space": p.refresh + " ", "longer": p.refresh + "A", "upper case": strings.ToUpper(p.refresh),
		"an access token": p.access, "line ends": "csr_" + strings.Repeat("\n", 40) + strings.Repeat("A", 51),
		"line end": p.refresh[:50] + "\r\n" + p.refresh[50:len(p.refresh)-2], "long": strings.Repeat("csr_", 4000), "binary": "csr_\x00\xff",
	}
	for i := range raw { // every byte of session, generation, secret and MAC
		b := append([]byte(nil), raw...)
		b[i] ^= 1
		forged[fmt.Sprintf("byte %d", i)] = "csr_" + base64.RawURLEncoding.EncodeToString(b)
	}
	for name, token := range forged {
		res := s.Form(t, "/token/refresh", "refresh_token", token)
		want := http.StatusUnauthorized
		if strings.Contains(token, "\xff") {
			want = http.StatusBadRequest // no text
		}
		if res.Status != want {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}
	if got := s.Profile(t, p.access); got.Status != http.StatusOK {
		t.Errorf("the session was ended by a forgery: %d %s", got.Status, got.Body)
	}
	refreshed(t, s, p.refresh)
}

func TestBadRefreshRequests(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.SignUp(t, "mike@example.com")
	p := logIn(t, s, "mike@example.com")
	const jsonType, formType = "Content-Type: application/json", "Content-Type: application/x-www-form-urlencoded"
	for name, tt := range map[string]struct {
		path, body, header string
		want               int
		code               string
	}{
		"nothing":        {"", "", formType, 400, "missing_fields"},
		"empty":          {"", "refresh_token=", formType, 400, "missing_fields"},
		"in the query":   {"?refresh_token=" + p.refresh, "", formType, 400, "credentials_in_query"},
		"twice":          {"", "refresh_token=a&refresh_token=b", formType, 400, "invalid_fields"},
		"twice in JSON":  {"", `{"refresh_token":"a","refresh_token":"b"}`, jsonType, 400, "malformed_body"},
		"number":         {"", `{"refresh_token":1}`, jsonType, 400, "invalid_fields"},
		"null":           {"", `{"refresh_token":null}`, jsonType, 400, "missing_fields"},
		"array":          {"", `["a"]`, jsonType, 400, "invalid_fields"},
		"other case":     {"", `{"Refresh_token":"a"}`, jsonType, 400, "unknown_field"},
		"unknown":        {"", `{"refresh_token":"a","scope":"admin"}`, jsonType, 400, "unknown_field"},
		"trailing":       {"", `{"refresh_token":"a"}{}`, jsonType, 400, "malformed_body"},
		"deep":           {"", strings.Repeat("[", 40) + strings.Repeat("]", 40), jsonType, 400, "malformed_body"},
		"text":           {"", "refresh_token=a", "Content-Type: text/plain", 415, "unsupported_media_type"},
		"no type":        {"", "refresh_token=a", "X-Y: z", 415, "unsupported_media_type"},
		"bad form":       {"", "refresh_token=%zz", formType, 400, "malformed_body"},
		"semicolon":      {"", "refresh_token=a;b=c", formType, 400, "malformed_body"},
		"too many":       {"", strings.Repeat("a=b&", 200), formType, 400, "malformed_body"},
		"too large":      {"", "refresh_token=" + strings.Repeat("a", 70_000), formType, 413, "body_too_large"},
		"password grant": {"", "grant_type=password&email=a&password=b", formType, 400, "unknown_field"},
	} {
		res := s.Do(t, s.Request(t, http.MethodPost, "/token/refresh"+tt.path, tt.body, tt.header))
		if res.Status != tt.want || res.Code() != tt.code {
			t.Errorf("%s: %d %s, want %d %s", name, res.Status, res.Code(), tt.want, tt.code)
		}
	}
	if res := s.Do(t, s.Request(t, http.MethodGet, "/token/refresh", "")); res.Status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", res.Status)
	}
}

func TestLifetimes(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "session.idle=2h", "session.max=5h", "session.brief=3h", "session.fresh=1h")
	s.SignUp(t, "mike@example.com")
	idle, used := logIn(t, s, "mike@example.com"), logIn(t, s, "mike@example.com")
	res := s.Form(t, "/login", "email", "mike@example.com", "password", testkit.Password, "remember", "false")
	brief := pairOf(res)
	step := func(d time.Duration) { s.Clock.Advance(d) }
	step(90 * time.Minute)
	used, brief = refreshed(t, s, used.refresh), refreshed(t, s, brief.refresh)
	step(31 * time.Minute)
	wantNoTokens(t, s, idle.refresh, "idle too long")
	s.Clock.Advance(-time.Hour)
	wantNoTokens(t, s, idle.refresh, "a clock set back revives it")
	s.Clock.Advance(time.Hour)
	step(time.Minute)
	used = refreshed(t, s, used.refresh)
	step(time.Hour)
	wantNoTokens(t, s, brief.refresh, "brief")
	used = refreshed(t, s, used.refresh)
	step(100 * time.Minute)
	used = refreshed(t, s, used.refresh)
	step(11 * time.Minute) // 4:53 after the login
	last := refresh(t, s, used.refresh)
	if !strings.Contains(last.Body, `"refresh_expires_in":4`) || !strings.Contains(last.Body, `"expires_in":4`) {
		t.Errorf("the last tokens outlive the session: %s", last.Body)
	}
	used = pairOf(last)
	for range 600 { // to the end, and a little more, through the second in which it is
		step(time.Second)
		res := refresh(t, s, used.refresh)
		if res.Status == http.StatusUnauthorized {
			break
		}
		used = pairOf(res)
	}
	wantNoTokens(t, s, used.refresh, "too old")
}

func TestSessionsPerUser(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "session.per_user=3", "limits.insecure_disabled=true")
	s.SignUp(t, "mike@example.com")
	var all []pair
	for range 3 {
		all = append(all, logIn(t, s, "mike@example.com"))
		s.Clock.Advance(time.Second)
	}
	all[0] = refreshed(t, s, all[0].refresh) // used last now
	all = append(all, logIn(t, s, "mike@example.com"))
	wantNoTokens(t, s, all[1].refresh, "the one used the longest ago")
	for _, i := range []int{0, 2, 3} {
		refreshed(t, s, all[i].refresh)
	}
}

func TestLogout(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body string
		ends [3]bool // this session, another, and one that logs in afterwards never
		byRT bool
	}{
		"this":                  {"", [3]bool{true, false}, false},
		"this, said":            {`{"scope":"this"}`, [3]bool{true, false}, false},
		"others":                {`{"scope":"others"}`, [3]bool{false, true}, false},
		"all":                   {`{"scope":"all"}`, [3]bool{true, true}, false},
		"this by refresh token": {`{"refresh_token":%q}`, [3]bool{true, false}, true},
		"all by refresh token":  {`{"scope":"all","refresh_token":%q}`, [3]bool{true, true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testkit.Start(t)
			s.SignUp(t, "mike@example.com")
			mine, other := logIn(t, s, "mike@example.com"), logIn(t, s, "mike@example.com")
			s.SignUp(t, "jane@example.com")
			jane := logIn(t, s, "jane@example.com")
			headers := []string{"Content-Type: application/json"}
			body := tt.body
			if tt.byRT {
				body = fmt.Sprintf(body, mine.refresh)
			} else {
				headers = append(headers, "Authorization: Bearer "+mine.access)
			}
			if res := s.Do(t, s.Request(t, http.MethodPost, "/logout", body, headers...)); res.Status != http.StatusNoContent || res.Body != "" {
				t.Fatalf("%d %s", res.Status, res.Body)
			}
			for i, p := range []pair{mine, other, jane} {
				want := http.StatusOK
				if tt.ends[i] {
					want = http.StatusUnauthorized
				}
				if got := s.Profile(t, p.access); got.Status != want {
					t.Errorf("access token %d: %d, want %d", i, got.Status, want)
				}
				if got := refresh(t, s, p.refresh); got.Status != want {
					t.Errorf("refresh token %d: %d, want %d", i, got.Status, want)
				}
			}
			if again := logIn(t, s, "mike@example.com"); s.Profile(t, again.access).Status != http.StatusOK {
				t.Error("a later login does not count")
			}
		})
	}
}

func TestBadLogouts(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.SignUp(t, "mike@example.com")
	p := logIn(t, s, "mike@example.com")
	bearer, jsonType := "Authorization: Bearer "+p.access, "Content-Type: application/json"
	for name, tt := range map[string]struct {
		method, body string
		headers      []string
		want         int
	}{
		"no token":       {http.MethodPost, "", nil, 401},
		"bad token":      {http.MethodPost, "", []string{"Authorization: Bearer x.y.z"}, 401},
		"both":           {http.MethodPost, fmt.Sprintf(`{"refresh_token":%q}`, p.refresh), []string{bearer, jsonType}, 400},
		"unknown scope":  {http.MethodPost, `{"scope":"world"}`, []string{bearer, jsonType}, 400},
		"forged refresh": {http.MethodPost, `{"refresh_token":"csr_aaaa"}`, []string{jsonType}, 401},
		"by GET":         {http.MethodGet, "", []string{bearer}, 405},
		"cross-site":     {http.MethodPost, "", []string{bearer, "Sec-Fetch-Site: cross-site"}, 403},
	} {
		if res := s.Do(t, s.Request(t, tt.method, "/logout", tt.body, tt.headers...)); res.Status != tt.want {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}
	if got := s.Profile(t, p.access); got.Status != http.StatusOK {
		t.Errorf("the session has ended: %d", got.Status)
	}
}
