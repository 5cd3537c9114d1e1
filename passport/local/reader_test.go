package local_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign-auth/countersign/passport/local"
	"github.com/countersign-auth/countersign/problem"
)

const (
	jsonType = "application/json"
	formType = "application/x-www-form-urlencoded"
)

func post(target, contentType, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r
}

// fields renders a problem as "status code field:code …".
func fields(err error) string {
	var p *problem.Error
	if !errors.As(err, &p) {
		return fmt.Sprintf("no problem: %v", err)
	}
	s := fmt.Sprint(p.Status, " ", p.Code)
	for _, f := range p.Fields {
		s += " " + f.Name + ":" + f.Code
	}
	return s
}

var email = local.Reader{UsernameField: "email"}

func TestRead(t *testing.T) {
	t.Parallel()
	const (
		missing   = "400 missing_fields email:missing password:missing"
		malformed = "400 malformed_body"
		inQuery   = "400 credentials_in_query"
		wrongType = "415 unsupported_media_type"
	)
	nested := local.Reader{UsernameField: "user[email]", PasswordField: "user[password]"}
	deep := strings.Repeat(`{"a":`, 31) + "1" + strings.Repeat("}", 31)
	tests := []struct {
		name   string
		reader local.Reader
		target string
		media  string
		body   string
		want   string // "user|password" or the problem
	}{
		{name: "json", media: jsonType, body: `{"email":"a","password":"b"}`, want: "a|b"},
		{name: "json with charset", media: jsonType + "; charset=UTF-8", body: `{"email":"a","password":"b"}`, want: "a|b"},
		{name: "json type in capitals", media: "Application/JSON", body: `{"email":"a","password":"b"}`, want: "a|b"},
		{name: "form", media: formType, body: "email=a%40x&password=b+c", want: "a@x|b c"},
		{name: "form with charset", media: formType + ";charset=utf-8", body: "email=a&password=b", want: "a|b"},
		{name: "default names", reader: local.Reader{MaxBody: 100}, media: jsonType, body: `{"username":"a","password":"b"}`, want: "a|b"},
		{name: "nothing is trimmed", media: jsonType, body: `{"email":" A\t","password":" \u0000é\n"}`, want: " A\t| \x00é\n"},
		{name: "extra members", media: jsonType, body: `{"role":"admin","__proto__":{"x":[1,{"y":null}]},"email":"a","password":"b","n":1e999}`, want: "a|b"},
		{name: "extra fields", media: formType, body: "role=admin&email=a&&password=b&_csrf", want: "a|b"},
		{name: "long password", media: jsonType, body: `{"email":"a","password":"` + strings.Repeat("p", 5000) + `"}`, want: "a|" + strings.Repeat("p", 5000)},

		{name: "empty", want: missing},
		{name: "empty json", media: jsonType, want: missing},
		{name: "empty object", media: jsonType, body: "{}", want: missing},
		{name: "empty form", media: formType, want: missing},
		{name: "empty strings", media: jsonType, body: `{"email":"","password":""}`, want: missing},
		{name: "empty values", media: formType, body: "email=&password", want: missing},
		{name: "one missing", media: jsonType, body: `{"email":"a"}`, want: "400 missing_fields password:missing"},
		{name: "other one missing", media: formType, body: "password=a", want: "400 missing_fields email:missing"},

		{name: "number", media: jsonType, body: `{"email":1,"password":"b"}`, want: "400 invalid_fields email:wrong_type"},
		{name: "null, true", media: jsonType, body: `{"email":null,"password":true}`, want: "400 invalid_fields email:wrong_type password:wrong_type"},
		{name: "array, object", media: jsonType, body: `{"email":["a"],"password":{"$ne":null}}`, want: "400 invalid_fields email:wrong_type password:wrong_type"},
		{name: "wrong type and missing", media: jsonType, body: `{"email":0}`, want: "400 invalid_fields email:wrong_type password:missing"},
		{name: "other case", media: jsonType, body: `{"Email":"a","password":"b"}`, want: "400 invalid_fields email:ambiguous"},
		{name: "both cases", media: jsonType, body: `{"email":"a","EMAIL":"x","password":"b"}`, want: "400 invalid_fields email:ambiguous"},
		{name: "long s", media: jsonType, body: `{"email":"a","paſſword":"x","password":"b"}`, want: "400 invalid_fields password:ambiguous"},
		{name: "form, other case", media: formType, body: "EMAIL=x&email=a&password=b", want: "400 invalid_fields email:ambiguous"},
		{name: "form, repeated", media: formType, body: "email=a&email=b&password=c", want: "400 invalid_fields email:repeated"},
		{name: "form, repeated and equal", media: formType, body: "email=a&password=c&password=c", want: "400 invalid_fields password:repeated"},
		{name: "form, repeated, first empty", media: formType, body: "email=&email=b&password=c", want: "400 invalid_fields email:repeated"},
		{name: "form, repeated, encoded", media: formType, body: "email=a&%65mail=b&password=c", want: "400 invalid_fields email:repeated"},
		{name: "form, array", media: formType, body: "email[]=a&password=b", want: "400 invalid_fields email:ambiguous"},
		{name: "form, operator", media: formType, body: "email[$ne]=&password[$gt]=", want: "400 invalid_fields email:ambiguous password:ambiguous"},
		{name: "form, dotted", media: formType, body: "email.a=1&password=b", want: "400 missing_fields email:missing"},
		{name: "json, bracket name", media: jsonType, body: `{"email[$ne]":"","password":"b"}`, want: "400 missing_fields email:missing"},

		{name: "repeated member", media: jsonType, body: `{"email":"a","email":"b","password":"c"}`, want: malformed},
		{name: "repeated member, escaped", media: jsonType, body: `{"email":"a","\u0065mail":"b","password":"c"}`, want: malformed},
		{name: "repeated member below", media: jsonType, body: `{"email":"a","password":"c","x":{"y":[{"z":1,"z":2}]}}`, want: malformed},
		{name: "no json", media: jsonType, body: `email=a&password=b`, want: malformed},
		{name: "list", media: jsonType, body: `[{"email":"a","password":"b"}]`, want: malformed},
		{name: "json null", media: jsonType, body: `null`, want: malformed},
		{name: "json string", media: jsonType, body: `"a"`, want: malformed},
		{name: "cut off", media: jsonType, body: `{"email":"a","password":"b"`, want: malformed},
		{name: "second value", media: jsonType, body: `{"email":"a","password":"b"}{}`, want: malformed},
		{name: "trailing text", media: jsonType, body: `{"email":"a","password":"b"}x`, want: malformed},
		{name: "trailing NUL", media: jsonType, body: `{"email":"a","password":"b"}` + "\x00", want: malformed},
		{name: "byte order mark", media: jsonType, body: "\ufeff" + `{"email":"a","password":"b"}`, want: malformed},
		{name: "comment", media: jsonType, body: `{"email":"a",/**/"password":"b"}`, want: malformed},
		{name: "NaN", media: jsonType, body: `{"email":"a","password":"b","x":NaN}`, want: malformed},
		{name: "trailing comma", media: jsonType, body: `{"email":"a","password":"b",}`, want: malformed},
		{name: "bad UTF-8", media: jsonType, body: "{\"email\":\"a\xff\",\"password\":\"b\"}", want: malformed},
		{name: "bad UTF-8 elsewhere", media: jsonType, body: "{\"email\":\"a\",\"password\":\"b\",\"x\":\"\xc0\xaf\"}", want: malformed},
		{name: "lone surrogate", media: jsonType, body: `{"email":"a\ud800","password":"b"}`, want: malformed},
		{name: "lone surrogate in a name", media: jsonType, body: `{"email":"a","password":"b","\udc00":1}`, want: malformed},
		{name: "control byte in a string", media: jsonType, body: "{\"email\":\"a\n\",\"password\":\"b\"}", want: malformed},
		{name: "32 deep", media: jsonType, body: `{"email":"a","password":"b","x":` + deep + `}`, want: "a|b"},
		{name: "33 deep", media: jsonType, body: `{"email":"a","password":"b","x":{"a":` + deep + `}}`, want: malformed},
		{name: "very deep", media: jsonType, body: strings.Repeat(`{"a":`, 10000), want: malformed},
		{name: "form, bad percent", media: formType, body: "email=%zz&password=b", want: malformed},
		{name: "form, percent at the end", media: formType, body: "email=a&password=b%4", want: malformed},
		{name: "form, bad UTF-8", media: formType, body: "email=%ff&password=b", want: malformed},
		{name: "form, raw bad UTF-8", media: formType, body: "email=a&password=b&x=\xff", want: malformed},
		{name: "form, semicolon", media: formType, body: "email=a;password=b", want: malformed},
		{name: "form, many fields", media: formType, body: strings.Repeat("x=1&", 130) + "email=a&password=b", want: malformed},
		{name: "json under form", media: formType, body: `{"email":"a","password":"b"}`, want: missing},

		{name: "no type", body: `{"email":"a","password":"b"}`, want: wrongType},
		{name: "text/plain", media: "text/plain", body: `{"email":"a","password":"b"}`, want: wrongType},
		{name: "text/json", media: "text/json", body: `{}`, want: wrongType},
		{name: "problem+json", media: "application/problem+json", body: `{}`, want: wrongType},
		{name: "multipart", media: "multipart/form-data; boundary=x", body: "--x--", want: wrongType},
		{name: "utf-16", media: jsonType + "; charset=utf-16", body: `{}`, want: wrongType},
		{name: "other parameter", media: jsonType + "; profile=x", body: `{}`, want: wrongType},
		{name: "two types in one", media: jsonType + ", text/plain", body: `{}`, want: wrongType},
		{name: "bad type", media: ";", body: `{}`, want: wrongType},

		{name: "query", target: "/login?email=a&password=b", want: inQuery},
		{name: "query and body", target: "/login?password=b", media: jsonType, body: `{"email":"a","password":"b"}`, want: inQuery},
		{name: "query, other case", target: "/login?Password=b", media: jsonType, body: `{"email":"a","password":"b"}`, want: inQuery},
		{name: "query, encoded", target: "/login?pass%77ord=b", media: jsonType, body: `{"email":"a","password":"b"}`, want: inQuery},
		{name: "query, array", target: "/login?email[]=b", media: jsonType, body: `{"email":"a","password":"b"}`, want: inQuery},
		{name: "query, semicolon", target: "/login?x=1;password=b", media: jsonType, body: `{"email":"a","password":"b"}`, want: inQuery},
		{name: "query, no value", target: "/login?password", media: jsonType, body: `{"email":"a","password":"b"}`, want: inQuery},
		{name: "other query", target: "/login?next=/a&lang=de&%zz", media: jsonType, body: `{"email":"a","password":"b"}`, want: "a|b"},

		{name: "nested, form", reader: nested, media: formType, body: "user[email]=a&user%5Bpassword%5D=b&user[name]=x", want: "a|b"},
		{name: "nested, json", reader: nested, media: jsonType, body: `{"user":{"name":"x","email":"a","password":"b"},"email":"y"}`, want: "a|b"},
		{name: "nested, flat json", reader: nested, media: jsonType, body: `{"user[email]":"a","user[password]":"b"}`, want: "400 missing_fields user[email]:missing user[password]:missing"},
		{name: "nested, not an object", reader: nested, media: jsonType, body: `{"user":"a"}`, want: "400 invalid_fields user[email]:wrong_type user[password]:wrong_type"},
		{name: "nested, inner object", reader: nested, media: jsonType, body: `{"user":{"email":{"x":1},"password":"b"}}`, want: "400 invalid_fields user[email]:wrong_type"},
		{name: "nested, other case", reader: nested, media: jsonType, body: `{"User":{"email":"a","password":"b"}}`, want: "400 invalid_fields user[email]:ambiguous user[password]:ambiguous"},
		{name: "nested, query", reader: nested, target: "/?user[password]=x", media: jsonType, body: `{"user":{"email":"a","password":"b"}}`, want: inQuery},
		{name: "nested, deeper array", reader: nested, media: formType, body: "user[email][]=a&user[password]=b", want: "400 invalid_fields user[email]:ambiguous"},

		{name: "invalid reader", reader: local.Reader{UsernameField: "a["}, media: jsonType, body: `{}`, want: "500 internal"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.reader == (local.Reader{}) {
				tt.reader = email
			}
			if tt.target == "" {
				tt.target = "/login"
			}
			r := post(tt.target, tt.media, tt.body)
			c, err := tt.reader.Read(r)
			got := c.Username + "|" + c.Password
			if err != nil {
				got = fields(err)
				if c != (local.Credentials{}) {
					t.Error("credentials besides an error")
				}
			}
			if got != tt.want {
				t.Errorf("got %q\nwant %q", got, tt.want)
			}
			if body, err := io.ReadAll(r.Body); err != nil || string(body) != tt.body {
				t.Errorf("the next reader gets %d bytes of %d (%v)", len(body), len(tt.body), err)
			}
		})
	}
}

func TestReadHeaders(t *testing.T) {
	t.Parallel()
	const body = `{"email":"a","password":"b"}`
	for name, tt := range map[string]struct {
		header http.Header
		want   string
	}{
		"two types":      {http.Header{"Content-Type": {jsonType, jsonType}}, "415 unsupported_media_type"},
		"empty type":     {http.Header{"Content-Type": {""}}, "415 unsupported_media_type"},
		"gzip":           {http.Header{"Content-Type": {jsonType}, "Content-Encoding": {"gzip"}}, "415 unsupported_media_type"},
		"identity, gzip": {http.Header{"Content-Type": {jsonType}, "Content-Encoding": {"identity", "gzip"}}, "415 unsupported_media_type"},
		"identity":       {http.Header{"Content-Type": {jsonType}, "Content-Encoding": {"Identity"}}, ""},
	} {
		r := post("/", "", body)
		r.Header = tt.header
		if _, err := email.Read(r); err == nil && tt.want != "" || err != nil && fields(err) != tt.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type brokenBody struct {
	io.Reader
	err error
}

func (b brokenBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		err = b.err
	}
	return n, err
}

func (brokenBody) Close() error { return nil }

func TestReadLimitsAndBrokenBodies(t *testing.T) {
	t.Parallel()
	small := local.Reader{UsernameField: "email", MaxBody: 28}
	const fits = `{"email":"a","password":"b"}`
	if _, err := small.Read(post("/", jsonType, fits)); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	for _, declared := range []int64{29, -1} {
		r := post("/", jsonType, fits+" ")
		r.ContentLength = declared
		if _, err := small.Read(r); fields(err) != "413 body_too_large" {
			t.Errorf("over the limit: %v", err)
		}
		if rest, _ := io.ReadAll(r.Body); string(rest) != fits+" " {
			t.Errorf("the next reader gets %q", rest)
		}
	}
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"client is gone": {io.ErrUnexpectedEOF, "400 malformed_body"},
		"too slow":       {os.ErrDeadlineExceeded, "408 request_timeout"},
		"outer limit":    {&http.MaxBytesError{Limit: 3}, "413 body_too_large"},
		"odd":            {iotest.ErrTimeout, "400 malformed_body"},
	} {
		r := post("/", jsonType, fits)
		r.Body, r.ContentLength = brokenBody{strings.NewReader(fits[:9]), tt.err}, -1
		if _, err := email.Read(r); fields(err) != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := io.ReadAll(r.Body); string(got) != fits[:9] || !errors.Is(err, tt.err) {
			t.Errorf("%s: the next reader gets %q, %v", name, got, err)
		}
	}
	r := post("/", jsonType, fits)
	for range 3 { // several strategies, one body
		if c, err := email.Read(r); err != nil || c.Password != "b" {
			t.Errorf("read again: %v", err)
		}
	}
	r.Body = nil
	if _, err := email.Read(r); fields(err) != "400 missing_fields email:missing password:missing" {
		t.Errorf("no body: %v", err)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, bad := range []local.Reader{
		{UsernameField: "password"}, {UsernameField: "PASSWORD"}, {UsernameField: "a[b", PasswordField: "p"}, {UsernameField: "a[]"}, {UsernameField: "a]"}, {UsernameField: "[a]"},
		{UsernameField: "a[b]c"}, {UsernameField: "a[[b]]"}, {UsernameField: "user", PasswordField: "user[password]"}, {MaxBody: -1}, {UsernameField: "\xff"},
	} {
		if bad.Validate() == nil {
			t.Errorf("%+v is taken", bad)
		}
		if _, err := local.New(verify, local.Config{Reader: bad}); err == nil {
			t.Errorf("New: %+v is taken", bad)
		}
	}
}

func TestCredentialsAreRedacted(t *testing.T) {
	t.Parallel()
	c := local.Credentials{Username: "alice-id", Password: "hunter2"}
	var b bytes.Buffer
	slog.New(slog.NewJSONHandler(&b, nil)).LogAttrs(context.Background(), slog.LevelInfo, "x", slog.Any("c", c))
	fmt.Fprintf(&b, "%v %+v %#v %s %v", c, c, c, c, &c)
	if strings.Contains(b.String(), "hunter2") || strings.Contains(b.String(), "alice-id") {
		t.Errorf("leaks: %s", b.String())
	}
}

// FuzzJSON checks what encoding/json and the reader agree on, and that a body comes back.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"email":"a","password":"b"}`, `{"user":{"email":"a"}}`, `{"email":"\ud83d\ude00","password":"\u0000"}`, `[`, `{"a":[[{}]],"email":1}`, `{"Email":"","password":null}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, rd := range []local.Reader{email, {UsernameField: "user[email]", PasswordField: "user[password]"}} {
			checkFuzzed(t, rd, jsonType, body)
		}
	})
}

func FuzzForm(f *testing.F) {
	for _, s := range []string{"email=a&password=b", "email=%61&password=%", "email[]=1;", "&&=&email", "e%6dail=a&password=%00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, ok := checkFuzzed(t, email, formType, body)
		if !ok {
			return
		}
		values, err := url.ParseQuery(string(body)) // the second opinion
		want := map[string][]string{"email": {c.Username}, "password": {c.Password}}
		if diff := cmp.Diff(want, map[string][]string{"email": values["email"], "password": values["password"]}); diff != "" || err != nil {
			t.Errorf("net/url reads it otherwise (%v): %s", err, diff)
		}
	})
}
