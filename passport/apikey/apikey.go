package apikey

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/problem"
)

// Record is what a program knows of one key.
type Record[U any] struct {
	// User is whom the key speaks for.
	User U
	// Hash is the key's: see [Key.Hash].
	Hash Hash
	// ExpiresAt is when the key ends; zero is never.
	ExpiresAt time.Time
	// Used, if not nil, is called when a request has proved to have the key: for a program that keeps when it was used. The
	// request waits for it.
	Used func()
}

// Load finds the record of a key by its id. False means that there is none, or no longer; it must take as
// long as true does. An error is a technical fault, but for a [problem.Error] with a 4xx status, which is the answer.
type Load[U any] func(ctx context.Context, id string) (r Record[U], ok bool, err error)

// Options adjust [New]. The zero value takes the key from X-API-Key or from "Authorization: Bearer".
type Options struct {
	// Header is the header field that holds a key and nothing else; empty means X-API-Key.
	Header string
	// Query is the parameter of the URL's query that may hold the key, too; empty is none. URLs end in logs, histories and
	// referrers: switch it on only for clients that know no other way. The guard's handler then answers with
	// Cache-Control: no-store and Referrer-Policy: no-referrer.
	Query string
	// Realm is the realm of the challenge; empty leaves it out.
	Realm string
	// Now is the clock for what expires; nil means time.Now.
	Now func() time.Time
}

// Codes of the answers besides "unauthorized", which asks for a key.
const (
	// CodeInvalidKey is the code of the 401 for a key that is refused, whatever is wrong with it.
	CodeInvalidKey = "invalid_api_key"
	// CodeInvalidRequest is the code of the 400 for more than one key.
	CodeInvalidRequest = "invalid_request"
)

// Strategy checks the API key that a request carries. [New] makes it. Its info is the key's id, a string.
type Strategy[U any] struct {
	load          Load[U]
	header, query string
	realm         string
	now           func() time.Time
	absent        passport.Failure
	nobodys       Hash // of a key that nobody has
}

// New returns a strategy that takes the key of a request, and asks load for its record.
func New[U any](load Load[U], opt Options) (*Strategy[U], error) {
	if load == nil {
		return nil, errors.New("apikey: New needs a load function")
	}
	if opt.Header == "" {
		opt.Header = "X-API-Key"
	}
	if !isFieldName(opt.Header) || strings.EqualFold(opt.Header, "Authorization") {
		return nil, errors.New("apikey: Header is not the name of a header field that can hold a key alone")
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	absent := problem.New(http.StatusUnauthorized, "unauthorized", "This needs an API key.").WithChallenges(problem.Bearer(opt.Realm))
	return &Strategy[U]{
		load: load, header: http.CanonicalHeaderKey(opt.Header), query: opt.Query, realm: opt.Realm, now: opt.Now,
		absent: passport.Failure{Problem: absent, Absent: true}, nobodys: Generate().Hash(),
	}, nil
}

// Authenticate implements [passport.Strategy]: 401 without an error code when there is no key, 401 invalid_api_key when it is
// refused, 400 invalid_request when there are several. A bearer token that does not begin as a key is none, so that the strategy
// stands beside that of passport/bearer in one guard.
func (s *Strategy[U]) Authenticate(r *http.Request) (passport.Outcome[U], error) {
	f := s.find(r)
	var o passport.Outcome[U]
	var err error
	switch f.count {
	case 0:
		o = passport.Fail[U](s.absent)
	case 1:
		o, err = s.check(r.Context(), f.text)
	default:
		o = passport.Fail[U](s.failure(http.StatusBadRequest, CodeInvalidRequest, CodeInvalidRequest, "The request has more than one API key; send exactly one."))
	}
	if f.inURL {
		o = o.CredentialInURL()
	}
	return o, err
}

func (s *Strategy[U]) check(ctx context.Context, text string) (passport.Outcome[U], error) {
	key, err := Parse(text)
	if err != nil {
		return s.refuse("The API key is not valid."), nil
	}
	record, ok, err := s.load(ctx, key.ID())
	if err != nil {
		return s.fromLoad(err)
	}
	if !ok { // and yet it is compared with something: an id that is unknown must take as long as a secret that is wrong
		record.Hash = s.nobodys
	}
	matches := record.Hash.Matches(key)
	switch {
	case !ok, !matches:
		return s.refuse("The API key is not valid."), nil
	case !record.ExpiresAt.IsZero() && !s.now().Before(record.ExpiresAt):
		return s.refuse("The API key has expired."), nil // which only whoever has the key is told
	}
	if record.Used != nil {
		record.Used()
	}
	return passport.Success(record.User, key.ID()), nil
}

// fromLoad answers an error of load, and adds the challenge to a 401 that has none.
func (s *Strategy[U]) fromLoad(err error) (passport.Outcome[U], error) {
	if p := problem.From(err); p.Status == http.StatusUnauthorized && p.Challenges == nil {
		err = p.WithChallenges(problem.BearerError(s.realm, invalidToken, p.Detail))
	}
	return passport.FromError[U](err)
}

// invalidToken is how RFC 6750, section 3.1, calls in a challenge what is refused.
const invalidToken = "invalid_token"

func (s *Strategy[U]) refuse(detail string) passport.Outcome[U] {
	return passport.Fail[U](s.failure(http.StatusUnauthorized, CodeInvalidKey, invalidToken, detail))
}

func (s *Strategy[U]) failure(status int, code, challenged, detail string) passport.Failure {
	challenge := problem.BearerError(s.realm, challenged, detail)
	return passport.Failure{Problem: problem.New(status, code, detail).WithChallenges(challenge)}
}
