package app_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/problem"
)

func TestCORS(t *testing.T) {
	t.Parallel()
	const app, evil = "https://app.example.com", "https://evil.example.com"
	preflight := func(s *testkit.Server, origin string) *testkit.Response {
		return s.Do(t, s.Request(t, "OPTIONS", "/login", "", "Origin: "+origin, "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type"))
	}
	s := testkit.Start(t, "cors.origins="+app)
	res := preflight(s, app)
	if res.Status != 204 || res.Header.Get("Access-Control-Allow-Origin") != app || !strings.Contains(res.Header.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("preflight of a listed origin: %d %v", res.Status, res.Header)
	}
	off := testkit.Start(t)
	for name, res := range map[string]*testkit.Response{
		"another origin": preflight(s, evil), "null": preflight(s, "null"), "a prefix": preflight(s, app+".evil.com"),
		"another scheme": preflight(s, "http://app.example.com"), "off": preflight(off, app),
	} {
		if res.Header.Get("Access-Control-Allow-Origin") != "" || res.Status == 204 {
			t.Errorf("preflight, %s: %d %v", name, res.Status, res.Header)
		}
	}
	post := func(s *testkit.Server, headers ...string) *testkit.Response {
		return s.Do(t, s.Request(t, "POST", "/login", "email=a@example.com&password=x", append(headers, asForm)...))
	}
	if res := post(s, "Origin: "+app, "Sec-Fetch-Site: cross-site"); res.Status != 401 || res.Header.Get("Access-Control-Allow-Origin") != app || res.Header.Get("Vary") != "Origin" {
		t.Errorf("a listed origin: %d %v", res.Status, res.Header)
	}
	for name, res := range map[string]*testkit.Response{
		"cross-site":            post(s, "Origin: "+evil, "Sec-Fetch-Site: cross-site"),
		"no origin":             post(s, "Sec-Fetch-Site: cross-site"),
		"an old browser":        post(s, "Origin: "+evil),
		"null":                  post(s, "Origin: null"),
		"cross-site, CORS off":  post(off, "Origin: "+app, "Sec-Fetch-Site: cross-site"),
		"same-site, other port": post(s, "Origin: http://127.0.0.1:1", "Sec-Fetch-Site: same-site"),
	} {
		if res.Status != 403 || res.Code() != "cross_origin" {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}
	if res := post(off); res.Status != 401 {
		t.Errorf("not a browser: %d", res.Status)
	}
}

func TestClientAddress(t *testing.T) {
	t.Parallel()
	client := func(s *testkit.Server, headers ...string) string {
		req := s.Request(t, "GET", "/healthz", "", headers...)
		id := s.Do(t, req).Header.Get("X-Request-Id")
		for line := range strings.SplitSeq(s.Log(), "\n") {
			if strings.Contains(line, id) {
				var entry struct{ Client string }
				if err := json.Unmarshal([]byte(line), &entry); err != nil {
					t.Fatal(err)
				}
				return entry.Client
			}
		}
		t.Fatal("no log line")
		return ""
	}
	direct := testkit.Start(t)
	if got := client(direct, "X-Forwarded-For: 203.0.113.9", "Forwarded: for=203.0.113.9", "X-Real-Ip: 203.0.113.9"); got != "127.0.0.1" {
		t.Errorf("without trusted proxies: %s", got)
	}
	behind := testkit.Start(t, "trusted_proxies=127.0.0.0/8,10.0.0.0/8")
	for header, want := range map[string]string{
		"203.0.113.9":                            "203.0.113.9",
		"198.51.100.1, 203.0.113.9, 10.0.0.2":    "203.0.113.9",
		"198.51.100.1, 203.0.113.9:1234":         "203.0.113.9",
		"[2001:db8::1]:1234":                     "2001:db8::1",
		"2001:db8::1":                            "2001:db8::1",
		"::ffff:203.0.113.9":                     "203.0.113.9",
		"junk":                                   "127.0.0.1",
		"203.0.113.9, <script>":                  "127.0.0.1",
		"10.0.0.1":                               "10.0.0.1",
		"":                                       "127.0.0.1",
		strings.Repeat("10.0.0.1, ", 1000) + "x": "127.0.0.1",
	} {
		if got := client(behind, "X-Forwarded-For: "+header); got != want {
			t.Errorf("X-Forwarded-For: %.40s: %s, want %s", header, got, want)
		}
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	direct, behind := testkit.Start(t), testkit.Start(t, "trusted_proxies=127.0.0.1")
	id := func(s *testkit.Server, sent string) string {
		return s.Do(t, s.Request(t, "GET", "/healthz", "", "X-Request-Id: "+sent)).Header.Get("X-Request-Id")
	}
	if got := id(direct, "chosen"); got == "chosen" || len(got) < 20 {
		t.Errorf("a stranger chose the id: %q", got)
	}
	if got := id(behind, "from-the-proxy_1.2"); got != "from-the-proxy_1.2" {
		t.Errorf("the proxy's id is %q", got)
	}
	for _, odd := range []string{strings.Repeat("x", 65), `"},{"level":"info"`, "a b"} {
		if got := id(behind, odd); got == odd {
			t.Errorf("%q is taken as an id", odd)
		}
	}
	res := direct.Do(t, direct.Request(t, "GET", "/user/profile", ""))
	if res.Get("request_id") != res.Header.Get("X-Request-Id") {
		t.Errorf("the problem names another id: %s %v", res.Body, res.Header)
	}
}

func TestLogHasNoSecretsAndCannotBeForged(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.SignUp(t, "mike@example.com")
	token := s.LogIn(t, "mike@example.com")
	s.Do(t, s.Request(t, "GET", "/user/profile?secret_token="+token, ""))
	s.Profile(t, token+"x")
	s.Form(t, "/login", "email", "x\n{\"level\":\"info\",\"msg\":\"forged\"}", "password", testkit.Password)
	s.Do(t, s.Request(t, "GET", "/%0A%7B%22msg%22:%22forged%22%7D", "", "User-Agent: x"))
	log := s.Log()
	for _, secret := range []string{testkit.Canary, token, token[:40], "$2b$"} {
		if strings.Contains(log, secret) {
			t.Errorf("%.20s… stands in the log", secret)
		}
	}
	for line := range strings.SplitSeq(strings.TrimSpace(log), "\n") {
		var entry struct{ Msg string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Msg == "forged" {
			t.Errorf("a forged line: %s", line)
		}
	}
	if !strings.Contains(log, `"path":"/user/profile","status":200`) || !strings.Contains(log, `"msg":"audit","kind":"login","method":"password","result":"ok"`) {
		t.Errorf("what happened is not in the log:\n%s", log)
	}
	if quiet := testkit.Start(t, "access_log=off"); quiet.Form(t, "/login", "email", "x", "password", "x").Status != 401 || strings.Contains(quiet.Log(), `"msg":"request"`) {
		t.Errorf("access_log=off writes:\n%s", quiet.Log())
	}
}

func TestPanicIsOneBadAnswer(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	mux := http.NewServeMux()
	mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("secret inside") })
	mux.HandleFunc("/late", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204); panic("late") })
	h, err := api.Wrap(api.Config{Log: slog.New(slog.NewJSONHandler(&log, nil)), AccessLog: true}, mux)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/panic", nil))
	if w.Code != 500 || w.Header().Get("Content-Type") != problem.ContentType || strings.Contains(w.Body.String(), "secret inside") {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	if !strings.Contains(log.String(), "secret inside") || !strings.Contains(log.String(), "edge_test.go") || !strings.Contains(log.String(), `"status":500`) {
		t.Errorf("the log does not tell:\n%s", &log)
	}
	defer func() {
		if v := recover(); v != http.ErrAbortHandler {
			t.Errorf("after the header was sent: %v, want the connection cut", v)
		}
	}()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/late", nil))
}

func TestHealth(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	for _, path := range []string{"/healthz", "/readyz"} {
		if res := s.Do(t, s.Request(t, "GET", path, "")); res.Status != 200 || res.Body != "{\"status\":\"ok\"}\n" {
			t.Errorf("%s: %d %s", path, res.Status, res.Body)
		}
	}
	if err := s.App.Store.Close(); err != nil {
		t.Fatal(err)
	}
	if res := s.Do(t, s.Request(t, "GET", "/readyz", "")); res.Status != 503 || res.Header.Get("Retry-After") == "" {
		t.Errorf("without a database: %d %v", res.Status, res.Header)
	}
	if res := s.Do(t, s.Request(t, "GET", "/healthz", "")); res.Status != 200 {
		t.Errorf("without a database the process lives: %d", res.Status)
	}
}

func TestJWKS(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	res := s.Do(t, s.Request(t, "GET", "/.well-known/jwks.json", ""))
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal([]byte(res.Body), &set); err != nil || len(set.Keys) != 1 {
		t.Fatalf("%s (%v)", res.Body, err)
	}
	for _, member := range []string{"d", "p", "q", "k"} {
		if _, ok := set.Keys[0][member]; ok {
			t.Errorf("the private member %s is published", member)
		}
	}
	if k := set.Keys[0]; k["kid"] == "" || k["alg"] != "ES256" || k["use"] != "sig" || !strings.Contains(res.Header.Get("Cache-Control"), "max-age") {
		t.Errorf("%s %v", res.Body, res.Header)
	}
	secret := testkit.Start(t, "jwt.secret="+testkit.Secret)
	if res := secret.Do(t, secret.Request(t, "GET", "/.well-known/jwks.json", "")); strings.TrimSpace(res.Body) != `{"keys":[]}` {
		t.Errorf("under a shared secret: %s", res.Body)
	}
}

func TestSharedSecretTokensOfOtherServices(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t, "jwt.secret="+testkit.Secret)
	for header, want := range map[string]int{
		goodHeader: 200, `{"alg":"HS256","typ":"at+jwt"}`: 200, `{"alg":"HS256"}`: 200,
		`{"alg":"HS256","typ":"refresh+jwt"}`: 401, `{"alg":"HS256","typ":"jwt"}`: 401, `{"alg":"HS512","typ":"JWT"}`: 401,
	} {
		if res := s.Profile(t, testkit.Forge(testkit.Secret, header, claims(s, "", ""))); res.Status != want {
			t.Errorf("%s: %d, want %d: %s", header, res.Status, want, res.Body)
		}
	}
	for name, payload := range map[string]string{
		"other issuer": claims(s, "iss", `"https://evil.example"`), "no issuer": claims(s, "iss", ""), "other audience": claims(s, "aud", `"other"`),
		"no audience": claims(s, "aud", ""), "odd user": claims(s, "user", `"u1"`), "odd id": claims(s, "user", `{"_id":["u1"]}`), "nobody": claims(s, "user", `{"_id":""}`), "two users": claims(s, "sub", `"u2"`),
	} {
		if res := s.Profile(t, testkit.Forge(testkit.Secret, goodHeader, payload)); res.Status != 401 {
			t.Errorf("%s: %d", name, res.Status)
		}
	}
	own := testkit.Start(t)
	if res := own.Profile(t, testkit.Forge(testkit.Secret, goodHeader, claims(own, "", ""))); res.Status != 401 {
		t.Errorf("an HS256 token under our own keys: %d", res.Status)
	}
}

func TestLegacyTokens(t *testing.T) {
	t.Parallel()
	const legacy = "TOP_SECRET"
	file := filepath.Join(t.TempDir(), "legacy")
	if err := os.WriteFile(file, []byte(legacy+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	until := time.Now().Add(48 * time.Hour).UTC().Format(time.RFC3339)
	s := testkit.Start(t, "jwt.legacy_secret_file="+file, "jwt.accept_legacy_until="+until)
	id := s.SignUp(t, "mike@example.com")
	token := func(payload string) string { return testkit.Forge(legacy, goodHeader, payload) }
	const iat = `,"iat":1500000000}`
	old := token(`{"user":{"_id":"` + id + `","email":"old@example.com"}` + iat)

	res := s.Profile(t, old)
	if res.Status != 200 || res.Get("user", "_id") != id || res.Get("user", "email") != "mike@example.com" {
		t.Fatalf("%d %s", res.Status, res.Body)
	}
	user := `"user":{"_id":"` + id + `"}`
	for name, bad := range map[string]string{
		"unknown user": token(`{"user":{"_id":"nobody"}` + iat), "no user": token(`{"sub":"` + id + `"` + iat), "an issuer": token(`{"iss":"x",` + user + iat),
		"our issuer": token(`{"iss":"` + s.URL + `",` + user + iat), "an empty issuer": token(`{"iss":"",` + user + iat), "expired": token(`{"exp":1500000001,` + user + iat),
		"exp 0": token(`{"exp":0,` + user + iat), "none": testkit.Forge("", `{"alg":"none"}`, `{`+user+iat), "other secret": testkit.Forge("other", goodHeader, `{`+user+iat),
	} {
		if res := s.Profile(t, bad); res.Status != 401 {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}

	update := func(change func(*store.User)) {
		t.Helper()
		u, err := s.App.Store.User(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		change(&u)
		if err := s.App.Store.UpdateUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	update(func(u *store.User) { u.DisabledAt = s.Clock.Now() })
	if res := s.Profile(t, old); res.Status != 401 {
		t.Errorf("of a disabled user: %d", res.Status)
	}
	update(func(u *store.User) { u.DisabledAt = time.Time{} })
	if res := s.Profile(t, old); res.Status != 200 {
		t.Errorf("of an enabled user: %d", res.Status)
	}
	s.Clock.Advance(49 * time.Hour)
	if res := s.Profile(t, old); res.Status != 401 {
		t.Errorf("after the date: %d", res.Status)
	}
	s.Clock.Advance(-49 * time.Hour)
	if err := s.App.Store.DeleteUser(t.Context(), id, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if res := s.Profile(t, old); res.Status != 401 {
		t.Errorf("of a deleted user: %d", res.Status)
	}
	for name, user := range map[string]string{"a number": `{"_id":5}`, "a list": `{"_id":["` + id + `"]}`, "text": `"` + id + `"`} {
		if res := s.Profile(t, token(`{"user":`+user+iat)); res.Status != 401 {
			t.Errorf("whose user is %s: %d", name, res.Status)
		}
	}
	if plain := testkit.Start(t); plain.Profile(t, old).Status != 401 {
		t.Error("accepted without the setting")
	}
}
