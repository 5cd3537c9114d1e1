package basic

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/problem"
)

// Credentials are a user-id and a password, byte for byte as they came. Each may be empty: some clients send an API key
// as the one and leave the other out.
type Credentials struct {
	Username, Password string
}

// LogValue keeps credentials out of logs.
func (Credentials) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// String keeps credentials out of messages.
func (Credentials) String() string { return "[redacted]" }

// GoString keeps credentials out of messages.
func (Credentials) GoString() string { return "basic.Credentials{[redacted]}" }

// Verify looks a user up and checks the password. False means that there is no such user or that the password is wrong:
// it must take the same time, which of the two. An error is a technical fault, but for a [problem.Error] with a 4xx
// status, such as a 429, which is the answer.
type Verify[U any] func(ctx context.Context, c Credentials) (user U, ok bool, err error)

// Config configures [New].
type Config struct {
	// Realm names what the password opens. RFC 7617 demands one; empty means "restricted".
	Realm string
}

// Codes of the answers besides "unauthorized", which asks for credentials.
const (
	CodeCredentials    = "invalid_credentials" // 401
	CodeInvalidRequest = "invalid_request"     // 400
)

// maxHeader bounds the encoded credentials.
const maxHeader = 8 << 10

// Strategy checks the user-id and password of an Authorization header. [New] makes it.
type Strategy[U any] struct {
	verify            Verify[U]
	challenges        []problem.Challenge
	absent, malformed passport.Failure
}

// New returns a strategy that asks verify about the credentials of each request. Passwords come with every request, so
// verify had better be quick, or bounded.
func New[U any](verify Verify[U], cfg Config) (*Strategy[U], error) {
	if verify == nil {
		return nil, errors.New("basic: New needs a verify function")
	}
	if cfg.Realm == "" {
		cfg.Realm = "restricted"
	}
	challenges := []problem.Challenge{problem.Basic(cfg.Realm)}
	return &Strategy[U]{
		verify:     verify,
		challenges: challenges,
		absent: passport.Failure{
			Problem: problem.New(http.StatusUnauthorized, "unauthorized", "This needs a user name and a password.").WithChallenges(challenges...),
			Absent:  true,
		},
		malformed: passport.Failure{
			Problem: problem.New(http.StatusBadRequest, CodeInvalidRequest, "The request must have one Authorization header, as RFC 7617 says."),
		},
	}, nil
}

// Authenticate implements [passport.Strategy]: 401 without credentials, with others than Basic, and with wrong ones; 400
// for two Authorization headers and for credentials that are not base64 of UTF-8 text with a colon and without control
// characters.
func (s *Strategy[U]) Authenticate(r *http.Request) (passport.Outcome[U], error) {
	lines := r.Header["Authorization"]
	if len(lines) > 1 {
		return passport.Fail[U](s.malformed), nil
	}
	if len(lines) == 0 {
		return passport.Fail[U](s.absent), nil
	}
	scheme, encoded, _ := strings.Cut(lines[0], " ")
	if !strings.EqualFold(scheme, "Basic") {
		return passport.Fail[U](s.absent), nil
	}
	c, ok := decode(strings.Trim(encoded, " "))
	if !ok {
		return passport.Fail[U](s.malformed), nil
	}
	user, ok, err := s.verify(r.Context(), c)
	if err != nil {
		return passport.FromError[U](err)
	}
	if !ok {
		p := problem.New(http.StatusUnauthorized, CodeCredentials, "The user name or the password is wrong.")
		return passport.Fail[U](passport.Failure{Problem: p.WithChallenges(s.challenges...)}), nil
	}
	return passport.Success(user, nil), nil
}

// decode reads the credentials of RFC 7617, section 2. The first colon divides, so a password may have more.
func decode(encoded string) (Credentials, bool) {
	// encoding/base64 skips line breaks; a header has none, but not every caller is net/http.
	if encoded == "" || len(encoded) > maxHeader || strings.ContainsAny(encoded, "\r\n") {
		return Credentials{}, false
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || !utf8.Valid(raw) {
		return Credentials{}, false
	}
	for _, c := range raw {
		if c < ' ' || c == 0x7f {
			return Credentials{}, false
		}
	}
	username, password, ok := strings.Cut(string(raw), ":")
	return Credentials{Username: username, Password: password}, ok
}
