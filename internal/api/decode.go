package api

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/countersign-auth/countersign/problem"
)

// Body says how a request's body is read. The zero Body takes JSON alone, must be there, and knows all members.
type Body struct {
	// Forms takes a form too, whose fields are strings; see [Flag].
	Forms bool
	// Optional lets a request without a body pass.
	Optional bool
	// Others ignores members that into has no field for.
	Others bool
}

// The codes of what Read refuses; those of package passport/local are the same.
const (
	codeMalformed   = "malformed_body"
	codeUnsupported = "unsupported_media_type"
	codeInvalid     = "invalid_fields"
)

// maxDepth bounds nesting, and maxFields what a form can make the server do.
const (
	maxDepth  = 32
	maxFields = 128
)

// Read reads the body of r into a struct with json tags. It is strict where parsers differ: one document in UTF-8, no
// member twice, names exactly as they are, types exactly as they are. The error is a [problem.Error], 4xx.
func (b Body) Read(r *http.Request, into any) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return readError(err)
	}
	if len(body) == 0 {
		if b.Optional {
			return nil
		}
		return malformed("The request has no body.")
	}
	media, err := mediaType(r)
	switch {
	case err != nil:
		return err
	case media == "application/json":
	case media == "application/x-www-form-urlencoded" && b.Forms:
		if body, err = formToJSON(body); err != nil {
			return err
		}
	default:
		return b.unsupported()
	}
	return b.unmarshal(body, into)
}

func (b Body) unmarshal(body []byte, into any) error {
	if err := checkDepth(body); err != nil {
		return err
	}
	err := jsonv2.Unmarshal(body, into, jsonv2.RejectUnknownMembers(!b.Others))
	var wrong *jsonv2.SemanticError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jsonv2.ErrUnknownName):
		return problem.New(http.StatusBadRequest, "unknown_field", "The body has a field that this route does not know.")
	case errors.As(err, &wrong):
		return problem.New(http.StatusBadRequest, codeInvalid, "A field is not of the type that it must be.")
	case errors.Is(err, jsontext.ErrDuplicateName):
		return malformed("A member of a JSON object occurs twice.")
	}
	return malformed("The body is not valid JSON.")
}

func checkDepth(body []byte) error {
	depth := 0
	for dec := jsontext.NewDecoder(strings.NewReader(string(body))); ; {
		tok, err := dec.ReadToken()
		if err != nil {
			return nil //nolint:nilerr // what is wrong with the text, the parser says
		}
		switch tok.Kind() {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if depth > maxDepth {
			return malformed("The JSON is nested too deep.")
		}
	}
}

// formToJSON makes a form the JSON object of the same members.
func formToJSON(body []byte) ([]byte, error) {
	if strings.Count(string(body), "&") >= maxFields {
		return nil, malformed("The form has too many fields.")
	}
	values, err := url.ParseQuery(string(body)) // which refuses semicolons
	if err != nil {
		return nil, malformed("The form is not encoded as it must be.")
	}
	members := make(map[string]any, len(values))
	for name, v := range values {
		if !utf8.ValidString(name) || !utf8.ValidString(strings.Join(v, "")) {
			return nil, malformed("The form is not UTF-8.")
		}
		members[name] = v[0]
		if len(v) > 1 { // a list is nothing that a field could be
			members[name] = v
		}
	}
	return json.Marshal(members)
}

// Flag is a boolean in JSON, or in a form the text of one, such as the "on" of a checkbox.
type Flag bool

// UnmarshalJSON implements [json.Unmarshaler].
func (f *Flag) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case `true`, `"true"`, `"on"`, `"1"`, `"yes"`:
		*f = true
	case `false`, `"false"`, `"off"`, `"0"`, `"no"`, `""`:
		*f = false
	default:
		return errors.New("not a boolean")
	}
	return nil
}

// mediaType returns the type of r's body, which must be in UTF-8 and sent as it is.
func mediaType(r *http.Request) (string, error) {
	unsupported := Body{Forms: true}.unsupported()
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") || len(r.Header["Content-Type"]) != 1 {
		return "", unsupported
	}
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return "", unsupported
	}
	for name, value := range params {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return "", unsupported
		}
	}
	return media, nil
}

func (b Body) unsupported() error {
	detail := "Send application/json, in UTF-8 and not compressed."
	if b.Forms {
		detail = "Send application/json or application/x-www-form-urlencoded, in UTF-8 and not compressed."
	}
	return problem.New(http.StatusUnsupportedMediaType, codeUnsupported, detail)
}

// readError tells what broke the body off: a limit, time, or the client. None of them is a fault of the server.
func readError(err error) error {
	var tooLarge *http.MaxBytesError
	var netErr net.Error
	switch {
	case errors.As(err, &tooLarge):
		return problem.From(err)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return problem.New(http.StatusRequestTimeout, "request_timeout", "The request body did not arrive in time.").WithCause(err)
	}
	return problem.New(http.StatusBadRequest, codeMalformed, "The request body broke off.").WithCause(err)
}

func malformed(detail string) error { return problem.New(http.StatusBadRequest, codeMalformed, detail) }
