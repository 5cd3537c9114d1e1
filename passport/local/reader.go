package local

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/countersign-auth/countersign/passport/internal/wire"
	"github.com/countersign-auth/countersign/problem"
)

// Credentials are what a login form sends, byte for byte: nothing is trimmed, folded or normalized.
type Credentials struct {
	Username, Password string
}

// LogValue keeps credentials out of logs.
func (Credentials) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// String keeps credentials out of messages.
func (Credentials) String() string { return "[redacted]" }

// GoString keeps credentials out of messages.
func (Credentials) GoString() string { return "local.Credentials{[redacted]}" }

// The codes of what Read refuses. Those of single fields, in [problem.Field], are missing, wrong_type, repeated and
// ambiguous.
const (
	CodeMissing     = "missing_fields"       // 400
	CodeInvalid     = "invalid_fields"       // 400
	CodeMalformed   = wire.CodeMalformed     // 400
	CodeInQuery     = "credentials_in_query" // 400
	CodeUnsupported = wire.CodeUnsupported   // 415
	CodeTooLarge    = "body_too_large"       // 413
	CodeTimeout     = "request_timeout"      // 408
)

// Reader reads a user name and a password from the body of a request. The zero Reader reads the fields "username" and
// "password". A Reader is a value and may be used by many goroutines.
//
// It takes application/json and application/x-www-form-urlencoded, in UTF-8 and without a Content-Encoding; all else is
// a 415. It is strict where parsers differ, for two that differ are a way around the one that checks:
//
//   - In JSON the body is one object with nothing after it, no member occurs twice, at any level, text is valid Unicode,
//     and nothing is nested deeper than 32. In a form there is no semicolon, no bad percent-encoding and no more than
//     128 fields.
//   - A field has exactly the configured name, occurs once, and is a string. Another case of it ("Email") and an array
//     or object of it ("email[$ne]") are refused. Fields of other names are ignored.
//   - An empty field is a missing one.
//   - A credential in the URL's query is refused whatever the body has.
type Reader struct {
	// UsernameField and PasswordField are by default "username" and "password". A name with brackets, such as
	// "user[email]", is that literal field of a form, and in JSON the member "email" of the object "user".
	UsernameField, PasswordField string
	// MaxBody bounds the body in bytes; 64 KiB by default.
	MaxBody int64
}

// Validate reports field names that are malformed, equal, or inside each other, and a negative MaxBody.
func (rd Reader) Validate() error {
	u, p := rd.fields()
	for _, f := range []field{u, p} {
		if f.path == nil || !utf8.ValidString(f.name) {
			return fmt.Errorf("local: field name %q is neither a name nor a name[with][brackets]", f.name)
		}
	}
	if within(u.path, p.path) || within(p.path, u.path) {
		return fmt.Errorf("local: the fields %q and %q are not two", u.name, p.name)
	}
	if rd.MaxBody < 0 {
		return fmt.Errorf("local: MaxBody is negative")
	}
	return nil
}

func within(a, b []string) bool {
	if len(a) > len(b) {
		return false
	}
	for i := range a {
		if !strings.EqualFold(a[i], b[i]) {
			return false
		}
	}
	return true
}

// Read returns the credentials in r. The error is a [problem.Error]: 400, 408, 413 or 415, or 500 when rd itself is not
// valid; errors of the fields name all of them at once. Whatever it returns, r.Body has the bytes that it had.
func (rd Reader) Read(r *http.Request) (Credentials, error) {
	if err := rd.Validate(); err != nil {
		return Credentials{}, problem.From(err)
	}
	u, p := rd.fields()
	fields := []*field{&u, &p}
	if inQuery(r.URL.RawQuery, fields) {
		return Credentials{}, problem.New(http.StatusBadRequest, CodeInQuery,
			"Send credentials in the body: the URL of a request is logged and remembered.")
	}
	if err := rd.readBody(r, fields); err != nil {
		return Credentials{}, err
	}
	if err := complaints(fields); err != nil {
		return Credentials{}, err
	}
	return Credentials{Username: u.value, Password: p.value}, nil
}

func (rd Reader) readBody(r *http.Request, fields []*field) error {
	media, err := wire.MediaType(r)
	if err != nil {
		return err
	}
	max := rd.MaxBody
	if max == 0 {
		max = wire.DefaultMaxBody
	}
	body, err := wire.Body(r, max)
	if err != nil {
		return err
	}
	switch {
	case len(body) == 0:
		return nil
	case media == wire.JSON:
		return parseJSON(body, fields)
	case media == wire.Form:
		return parseForm(body, fields)
	}
	return wire.Unsupported()
}

// field is one of the two that are looked for, and what was found.
type field struct {
	name  string
	path  []string // of JSON members; nil when the name is malformed
	value string
	state state
}

type state int

const (
	missing state = iota
	found
	wrongType
	repeated
	ambiguous
)

func (rd Reader) fields() (u, p field) {
	return newField(rd.UsernameField, "username"), newField(rd.PasswordField, "password")
}

func newField(name, def string) field {
	if name == "" {
		name = def
	}
	first, rest, nested := strings.Cut(name, "[")
	path := []string{first}
	if nested {
		inner, ok := strings.CutSuffix(rest, "]")
		if !ok {
			return field{name: name}
		}
		path = append(path, strings.Split(inner, "][")...)
	}
	for _, part := range path {
		if part == "" || strings.ContainsAny(part, "[]") {
			return field{name: name}
		}
	}
	return field{name: name, path: path}
}

// take notes the value of the field; an empty one leaves it missing.
func (f *field) take(value string) {
	if f.state == missing && value != "" {
		f.state, f.value = found, value
	}
}

// spoil notes what is wrong with the field. The worst of several findings stays, and no value undoes it.
func (f *field) spoil(s state) { f.state = max(f.state, s) }

func inQuery(rawQuery string, fields []*field) (in bool) {
	if rawQuery == "" {
		return false
	}
	wire.QueryNames(rawQuery, func(name, _ string) bool {
		for _, f := range fields {
			in = in || name == f.name || wire.Variant(name, f.name)
		}
		return !in
	})
	return in
}

func parseForm(body []byte, fields []*field) error {
	seen := make([]bool, len(fields))
	return wire.ParseForm(body, func(name, value string) {
		for i, f := range fields {
			switch {
			case name == f.name && seen[i]:
				f.spoil(repeated)
			case name == f.name:
				seen[i] = true
				f.take(value)
			case wire.Variant(name, f.name):
				f.spoil(ambiguous)
			}
		}
	})
}

// complaints turns what is wrong with the fields into one problem.
func complaints(fields []*field) error {
	words := map[state]problem.Field{
		missing:   {Code: "missing", Detail: "This field is required."},
		wrongType: {Code: "wrong_type", Detail: "This field must be a string."},
		repeated:  {Code: "repeated", Detail: "This field must be sent once."},
		ambiguous: {Code: "ambiguous", Detail: "A field of almost this name was sent; the name must match exactly."},
	}
	var list []problem.Field
	code := CodeMissing
	for _, f := range fields {
		if f.state == found {
			continue
		}
		if f.state != missing {
			code = CodeInvalid
		}
		c := words[f.state]
		c.Name = f.name
		list = append(list, c)
	}
	if list == nil {
		return nil
	}
	detail := "Fields are missing or empty."
	if code == CodeInvalid {
		detail = "Fields are missing or not as they must be."
	}
	return problem.New(http.StatusBadRequest, code, detail).WithFields(list...)
}
