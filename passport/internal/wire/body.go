// Package wire reads credentials out of requests: bodies that are put back, forms and queries that are parsed strictly.
// Every error is a *problem.Error and repeats nothing that was sent.
package wire

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/countersign-auth/countersign/problem"
)

// DefaultMaxBody bounds a body that holds credentials.
const DefaultMaxBody = 64 << 10

// Codes of the problems.
const (
	CodeMalformed   = "malformed_body"
	CodeUnsupported = "unsupported_media_type"
)

// Malformed returns a 400 that says what is wrong with a body.
func Malformed(detail string) error {
	return problem.New(http.StatusBadRequest, CodeMalformed, detail)
}

// Body returns the whole body of r, at most max bytes, and leaves r.Body so that the next reader gets the same bytes.
func Body(r *http.Request, max int64) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	if r.ContentLength > max {
		return nil, tooLarge(nil)
	}
	if b, ok := r.Body.(*buffered); ok && b.full != nil && b.Len() == len(b.full) && int64(len(b.full)) <= max {
		return b.full, nil // another strategy was here
	}
	original := r.Body
	data, err := io.ReadAll(io.LimitReader(original, max+1))
	if err != nil {
		r.Body = &replay{io.MultiReader(bytes.NewReader(data), failing{err}), original}
		return nil, readError(err)
	}
	if int64(len(data)) > max {
		r.Body = &replay{io.MultiReader(bytes.NewReader(data), original), original}
		return nil, tooLarge(nil)
	}
	r.Body = &buffered{Reader: bytes.NewReader(data), full: data, Closer: original}
	return data, nil
}

// buffered is a body that was read to its end and put back.
type buffered struct {
	*bytes.Reader
	full []byte
	io.Closer
}

// replay is a body that was read in part.
type replay struct {
	io.Reader
	io.Closer
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func tooLarge(cause error) error {
	return problem.New(http.StatusRequestEntityTooLarge, "body_too_large", "The request body is larger than this server takes.").WithCause(cause)
}

// readError tells what broke the body off: a limit, time, or the client. None of them is a fault of the server.
func readError(err error) error {
	var limit *http.MaxBytesError
	var netErr net.Error
	switch {
	case errors.As(err, &limit):
		return tooLarge(err)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return problem.New(http.StatusRequestTimeout, "request_timeout", "The request body did not arrive in time.").WithCause(err)
	}
	return problem.New(http.StatusBadRequest, CodeMalformed, "The request body broke off.").WithCause(err)
}

// Media is the type of a body.
type Media int

// The types that hold credentials, and None where the request has no Content-Type.
const (
	None Media = iota
	JSON
	Form
)

// MediaType returns the type of r's body. Anything but one Content-Type that is exactly JSON or a form in UTF-8, sent as
// it is, is a 415. A request without the header is None: the caller knows whether there is a body.
func MediaType(r *http.Request) (Media, error) {
	for _, line := range r.Header["Content-Encoding"] {
		if line != "" && !strings.EqualFold(line, "identity") {
			return None, Unsupported()
		}
	}
	lines := r.Header["Content-Type"]
	if len(lines) == 0 {
		return None, nil
	}
	if len(lines) > 1 {
		return None, Unsupported()
	}
	media, params, err := mime.ParseMediaType(lines[0])
	if err != nil {
		return None, Unsupported()
	}
	for name, value := range params {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return None, Unsupported()
		}
	}
	switch media {
	case "application/json":
		return JSON, nil
	case "application/x-www-form-urlencoded":
		return Form, nil
	}
	return None, Unsupported()
}

// Unsupported returns the 415 for a body of another type, or of none.
func Unsupported() error {
	return problem.New(http.StatusUnsupportedMediaType, CodeUnsupported,
		"Send application/json or application/x-www-form-urlencoded, in UTF-8 and not compressed.")
}
