// Package problem answers HTTP errors: as RFC 9457 problem details, with the challenges of RFC 9110 and RFC 6750.
//
// An [Error] is what a client may see. Everything else that goes wrong is answered as a bare "internal" and keeps its
// cause for the log. No text here repeats a value that the client sent.
package problem

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Error is an answer to a request that failed. Its fields, but for Cause, are sent to the client.
// An Error is a value to be copied, not changed, once it is shared: the With methods return copies.
type Error struct {
	// Status is the HTTP status, 400 to 599. Zero is answered as 500.
	Status int
	// Code names the failure for programs, in lower_snake_case. Codes are stable: clients switch on them.
	Code string
	// Detail says in a sentence what is wrong and, where possible, what to do.
	Detail string
	// Fields lists what is wrong field by field, when the failure lies in the request's content.
	Fields []Field
	// Challenges are sent as WWW-Authenticate headers, in this order.
	Challenges []Challenge
	// RetryAfter, when above zero, is sent as a Retry-After header in seconds, rounded up.
	RetryAfter time.Duration
	// Allow, when not empty, is sent as the Allow header of a 405.
	Allow []string
	// Cause is for the log. It is never sent.
	Cause error
}

// Field says what is wrong with one field of a request.
type Field struct {
	// Name is the field as the API documents it. It never comes from the request.
	Name string `json:"field"`
	// Code names the failure for programs.
	Code string `json:"code"`
	// Detail says in a sentence what is wrong.
	Detail string `json:"detail"`
}

// Internal is the code of every answer whose cause is not the client's business.
const Internal = "internal"

// New returns an Error of that status, code and detail.
func New(status int, code, detail string) *Error {
	return &Error{Status: status, Code: code, Detail: detail}
}

// Error describes e for the log, with its cause.
func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%d %s: %v", e.Status, e.Code, e.Cause)
	}
	return fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Detail)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is reports whether target is an Error of the same code, so that errors.Is finds an answer whatever its cause.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && other.Code == e.Code
}

// WithCause returns a copy of e that carries err for the log.
func (e *Error) WithCause(err error) *Error {
	c := *e
	c.Cause = err
	return &c
}

// WithFields returns a copy of e that lists these fields.
func (e *Error) WithFields(fields ...Field) *Error {
	c := *e
	c.Fields = fields
	return &c
}

// WithChallenges returns a copy of e that sends these challenges.
func (e *Error) WithChallenges(challenges ...Challenge) *Error {
	c := *e
	c.Challenges = challenges
	return &c
}

// WithRetryAfter returns a copy of e that asks the client to wait for d.
func (e *Error) WithRetryAfter(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// From returns the Error in err's chain. A body that grew over an [http.MaxBytesReader] is a 413.
// Any other error becomes a 500 that keeps err as its cause and tells the client nothing.
func From(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return New(http.StatusRequestEntityTooLarge, "body_too_large", "The request body is larger than this server takes.").WithCause(err)
	}
	return New(http.StatusInternalServerError, Internal, "Something went wrong on the server. The log has it under this request id.").WithCause(err)
}
