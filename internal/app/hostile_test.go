package app_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/internal/testkit/hostile"
)

const (
	asJSON = "Content-Type: application/json"
	asForm = "Content-Type: application/x-www-form-urlencoded"
)

// TestHostileBodies sends what attackers and broken clients send. The client of the testkit fails the test for any 5xx,
// any error that is not a documented problem+json, and any answer that repeats the password.
func TestHostileBodies(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.SignUp(t, "mike@example.com")
	pw := testkit.Password
	enc := url.QueryEscape(pw)
	object := func(email, password string) string { return `{"email":` + email + `,"password":` + password + `}` }
	const mike = `"mike@example.com"`
	rows := []struct {
		name    string
		body    string
		want    string // the statuses that are right, for both routes
		headers []string
	}{
		{"nothing", "", "400", nil},
		{"nothing, as JSON", "", "400", []string{asJSON}},
		{"empty object", "{}", "400", []string{asJSON}},
		{"no content type", object(mike, `"`+pw+`"`), "415", nil},
		{"text/plain", object(mike, `"`+pw+`"`), "415", []string{"Content-Type: text/plain"}},
		{"multipart", "--x\r\n\r\n--x--", "415", []string{"Content-Type: multipart/form-data; boundary=x"}},
		{"utf-16", object(mike, `"`+pw+`"`), "415", []string{"Content-Type: application/json; charset=utf-16"}},
		{"gzip", "\x1f\x8b\x08", "415", []string{asJSON, "Content-Encoding: gzip"}},
		{"two content types", object(mike, `"`+pw+`"`), "415", []string{asJSON, asForm}},
		{"two content types in one", object(mike, `"`+pw+`"`), "415", []string{"Content-Type: application/json, application/x-www-form-urlencoded"}},
		{"JSON as a form", object(mike, `"`+pw+`"`), "400", []string{asForm}},
		{"a form as JSON", "email=mike@example.com&password=" + enc, "400", []string{asJSON}},
		{"missing password", `{"email":` + mike + `}`, "400", []string{asJSON}},
		{"empty password", object(mike, `""`), "400", []string{asJSON}},
		{"null password", object(mike, `null`), "400", []string{asJSON}},
		{"password true", object(mike, `true`), "400", []string{asJSON}},
		{"password 0", object(mike, `0`), "400", []string{asJSON}},
		{"password as a list", object(mike, `["`+pw+`"]`), "400", []string{asJSON}},
		{"password as an object", object(mike, `{"$ne":null}`), "400", []string{asJSON}},
		{"email as a list", object(`[`+mike+`]`, `"`+pw+`"`), "400", []string{asJSON}},
		{"email as an operator", object(`{"$gt":""}`, `{"$gt":""}`), "400", []string{asJSON}},
		{"email as a number", object(`1`, `"`+pw+`"`), "400", []string{asJSON}},
		{"form operator", "email[$ne]=x&password[$ne]=x", "400", []string{asForm}},
		{"form list", "email[]=mike@example.com&password=" + enc, "400", []string{asForm}},
		{"form twice", "email=a@example.com&email=b@example.com&password=" + enc, "400", []string{asForm}},
		{"form password twice", "email=mike@example.com&password=a&password=" + enc, "400", []string{asForm}},
		{"form bad escape", "email=%zz&password=" + enc, "400", []string{asForm}},
		{"form invalid UTF-8", "email=mike@example.com&password=%ff%fe", "400", []string{asForm}},
		{"form semicolon", "email=mike@example.com;password=" + enc, "400", []string{asForm}},
		{"form of 30,000 pairs", strings.Repeat("a&", 30_000), "400", []string{asForm}},
		{"__proto__", `{"__proto__":{"email":` + mike + `,"password":"` + pw + `"}}`, "400", []string{asJSON}},
		{"constructor", `{"constructor":{"prototype":{"email":` + mike + `}}}`, "400", []string{asJSON}},
		{"trailing", object(mike, `"`+pw+`"`) + "x", "400", []string{asJSON}},
		{"byte order mark", "\ufeff" + object(mike, `"`+pw+`"`), "400", []string{asJSON}},
		{"comment", "/**/" + object(mike, `"`+pw+`"`), "400", []string{asJSON}},
		{"NaN", object("NaN", `"`+pw+`"`), "400", []string{asJSON}},
		{"half", object(mike, `"`+pw), "400", []string{asJSON}},
		{"a list", `[` + object(mike, `"`+pw+`"`) + `]`, "400", []string{asJSON}},
		{"a string", mike, "400", []string{asJSON}},
		{"UTF-16 bytes", "\xff\xfe{\x00}\x00", "400", []string{asJSON}},
		{"1 MB field", object(mike, `"`+pw+strings.Repeat("x", 1<<20)+`"`), "413", []string{asJSON}},
		{"1 MB form field", "email=mike@example.com&password=" + strings.Repeat("x", 1<<20), "413", []string{asForm}},
		{"a member 5,000 times", `{` + strings.Repeat(`"a":1,`, 5000) + `"email":` + mike + `}`, "400", []string{asJSON}},
		{"control bytes", "{\"email\":\"a\x01b\"}", "400", []string{asJSON}},
	}
	for _, row := range rows {
		for _, path := range []string{"/signup", "/login"} {
			start := time.Now()
			res := s.Do(t, s.Request(t, http.MethodPost, path, row.body, row.headers...))
			if fmt.Sprint(res.Status) != row.want {
				t.Errorf("%s: %s: %d, want %s: %s", path, row.name, res.Status, row.want, res.Body)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("%s: %s: hung for %v", path, row.name, took)
			}
		}
	}
	// Members that are not asked for change nothing.
	res := s.JSON(t, "/signup", `{"email":"eve@example.com","password":"`+pw+`","_id":"x","id":"x","role":"admin","verified":true,"disabled_at":1,"hash":"x","__proto__":{"admin":true}}`)
	if res.Status != 200 || res.Get("user", "_id") == "x" || strings.Contains(res.Body, "admin") {
		t.Errorf("extra members: %d %s", res.Status, res.Body)
	}
	users, err := s.App.Store.ListUsers(t.Context(), "", 100)
	if err != nil || len(users) != 2 {
		t.Errorf("%d users (%v), want 2: something half-made is left", len(users), err)
	}
}

// TestHostileRequests sends all that attackers send to a protected route, under both kinds of keys.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string][]string{"own key": nil, "shared secret": {"jwt.secret=" + testkit.Secret}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testkit.Start(t, append(settings, "limits.insecure_disabled=true")...)
			hostile.Run(t, s.Target(t))
		})
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	for path, allow := range map[string]string{"/signup": "POST", "/login": "POST", "/user/profile": "GET, HEAD", "/healthz": "GET, HEAD", "/docs": "GET, HEAD",
		"/user": "DELETE, GET, HEAD, PATCH", "/user/password": "POST", "/user/sessions": "GET, HEAD", "/user/sessions/x": "DELETE"} {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
			if strings.Contains(allow, method) {
				continue
			}
			res := s.Do(t, s.Request(t, method, path, "", "X-Http-Method-Override: POST"))
			if res.Status != 405 || res.Header.Get("Allow") != allow || res.Code() != "method_not_allowed" {
				t.Errorf("%s %s: %d, Allow %q", method, path, res.Status, res.Header.Get("Allow"))
			}
		}
	}
	if res := s.Do(t, s.Request(t, "GET", "/nothing", "")); res.Status != 404 || res.Code() != "not_found" {
		t.Errorf("unknown path: %d %s", res.Status, res.Body)
	}
	if res := s.Do(t, s.Request(t, "HEAD", "/user/profile", "")); res.Status != 401 || res.Body != "" {
		t.Errorf("HEAD without a token: %d", res.Status)
	}
	if res := s.Do(t, s.Request(t, "GET", "/debug/pprof/", "")); res.Status != 404 {
		t.Errorf("pprof: %d", res.Status)
	}
}

// raw sends bytes over a connection of its own and returns all answers that come before it is closed.
func raw(t *testing.T, s *testkit.Server, request string) (answers []*http.Response, closed bool) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Logf("write: %v", err) // refused while still sending
	}
	r := bufio.NewReader(conn)
	for {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			return answers, err == io.EOF || err == io.ErrUnexpectedEOF || strings.Contains(err.Error(), "reset")
		}
		body, _ := io.ReadAll(res.Body)
		if strings.Contains(string(body), testkit.Canary) {
			t.Errorf("the answer repeats a password: %s", body)
		}
		answers = append(answers, res)
	}
}

func statuses(answers []*http.Response) (codes []int) {
	for _, a := range answers {
		codes = append(codes, a.StatusCode)
	}
	return codes
}

func TestOneRequestIsNeverTwo(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	const smuggled = "GET /user/profile HTTP/1.1\r\nHost: x\r\n\r\n"
	for name, head := range map[string]string{
		"length and chunked":  "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunked and length":  "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
		"two lengths":         "Content-Length: 0\r\nContent-Length: 44\r\n\r\n",
		"two encodings":       "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
		"odd encoding":        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"space in the name":   "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
		"a list of encodings": "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"a signed length":     "Content-Length: +0\r\n\r\n",
	} {
		answers, closed := raw(t, s, "POST /login HTTP/1.1\r\nHost: x\r\n"+asForm+"\r\n"+head+smuggled)
		if len(answers) != 1 || !closed || answers[0].StatusCode < 400 {
			t.Errorf("%s: answers %v, closed %v", name, statuses(answers), closed)
		}
	}
}

func TestLargeHeaderAndEndlessBody(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	answers, _ := raw(t, s, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Large: "+strings.Repeat("x", 100<<10)+"\r\n\r\n")
	if len(answers) != 1 || answers[0].StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a header of 100 KB: %v", statuses(answers))
	}
	chunk := "1000\r\n" + strings.Repeat("x", 0x1000) + "\r\n"
	answers, _ = raw(t, s, "POST /login HTTP/1.1\r\nHost: x\r\n"+asForm+"\r\nTransfer-Encoding: chunked\r\n\r\n"+strings.Repeat(chunk, 100))
	if len(answers) != 1 || answers[0].StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("chunks without end: %v", statuses(answers))
	}
	if res := s.Do(t, s.Request(t, "GET", "/healthz", "")); res.Status != 200 {
		t.Errorf("afterwards: %d", res.Status)
	}
}

func TestSlowBodyEnds(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes as long as the server waits")
	}
	s := testkit.Start(t)
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /login HTTP/1.1\r\nHost: x\r\n%s\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nem", asForm)
	if err := conn.SetReadDeadline(time.Now().Add(40 * time.Second)); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != http.StatusRequestTimeout && res.StatusCode != http.StatusBadRequest {
		t.Errorf("a body that never ends: %v %v", res, err)
	}
}
