package bearer

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/problem"
)

// Verifier checks a token; *jwt.Verifier is one. It is used by many goroutines. A refused token is a [jwt.Error] other
// than [jwt.ErrKeysUnavailable]. Any other error says nothing of the token and is a technical fault.
type Verifier interface {
	Verify(ctx context.Context, token string) (*jwt.Token, error)
}

// Load finds the user of a verified token. False means that there is none any more, or that the token means nothing
// here: the answer is that for a bad token. An error is a technical fault, but for a [problem.Error] with a 4xx status,
// which is the answer.
type Load[U any] func(ctx context.Context, token *jwt.Token) (user U, ok bool, err error)

// Options adjust [NewStrategy] and [NewCached]. The zero value takes the token from "Authorization: Bearer".
type Options struct {
	// Extract says where the token stands.
	Extract Extractor
	// Realm is the realm of the challenge; empty leaves it out.
	Realm string
	// Scheme is the scheme of the challenge, for AuthScheme with another one; empty means Bearer.
	Scheme string
	// Revocations, when not nil, is asked whether a token that was verified still holds. [NewFeed] makes one.
	Revocations Revocations
}

// CodeInvalidToken is the code of the 401 for a token that is refused; it is the error code of RFC 6750, section 3.1.
const CodeInvalidToken = "invalid_token"

// Strategy checks the token that a request carries. [NewStrategy] makes it. Its info is the *jwt.Token.
type Strategy[U any] struct {
	verifier    Verifier
	revocations Revocations // nil for none
	marked      marked      // the same, when it goes by marks
	load        Load[U]
	find        find
	where       where
	challenge   problem.Challenge
	absent      passport.Failure
	cache       *Cache[U] // nil for none
}

// NewStrategy returns a strategy that takes the token of a request, has verifier check it, and asks load for its user.
func NewStrategy[U any](verifier Verifier, load Load[U], opt Options) (*Strategy[U], error) {
	if verifier == nil || isNilPointer(verifier) || load == nil {
		return nil, errors.New("bearer: NewStrategy needs a verifier and a load function")
	}
	if isNilPointer(opt.Revocations) {
		return nil, errors.New("bearer: Revocations is a nil pointer")
	}
	extract := opt.Extract.orDefault()
	if extract.err != nil {
		return nil, extract.err
	}
	challenge := problem.Bearer(opt.Realm)
	if opt.Scheme != "" {
		if !isToken(opt.Scheme) {
			return nil, errors.New("bearer: the challenge's scheme is not a token")
		}
		challenge.Scheme = opt.Scheme
	}
	absent := problem.New(http.StatusUnauthorized, "unauthorized", "This needs a token.").WithChallenges(challenge)
	byMarks, _ := opt.Revocations.(marked)
	return &Strategy[U]{
		verifier:    verifier,
		marked:      byMarks,
		revocations: opt.Revocations,
		load:        load,
		find:        extract.find,
		where:       extract.where,
		challenge:   challenge,
		absent:      passport.Failure{Problem: absent, Absent: true},
	}, nil
}

func isNilPointer(v any) bool {
	r := reflect.ValueOf(v)
	return r.Kind() == reflect.Pointer && r.IsNil()
}

// Authenticate implements [passport.Strategy]: 401 without an error code when there is no token, 401 invalid_token when
// it is refused, 400 invalid_request when there are several (RFC 6750, section 3.1). When the keys cannot be had, that is
// an error, with status 503.
func (s *Strategy[U]) Authenticate(r *http.Request) (passport.Outcome[U], error) {
	token, inURL, err := s.find(r)
	var o passport.Outcome[U]
	switch {
	case err != nil:
		o, err = s.refuse(err)
	case token == "":
		o = passport.Fail[U](s.absent)
	default:
		o, err = s.check(r.Context(), token)
	}
	if inURL {
		o = o.CredentialInURL()
	}
	return o, err
}

func (s *Strategy[U]) check(ctx context.Context, token string) (passport.Outcome[U], error) {
	if s.cache == nil {
		return s.verify(ctx, token)
	}
	l := s.cache.lookUp(token)
	if l.found != nil {
		if err := s.ended(l.found); err != nil {
			return s.revoked(err)
		}
		return passport.Success(l.found.user, l.found.token), nil
	}
	if l.again { // then it is remembered, and must not hold on to a long header
		token = strings.Clone(token)
	}
	o, err := s.verify(ctx, token)
	if user, ok := o.User(); ok {
		s.cache.remember(l, token, o.Info().(*jwt.Token), user)
	}
	return o, err
}

// ended returns why a token that is remembered does not hold any more; nil when it does.
func (s *Strategy[U]) ended(e *entry[U]) error {
	switch {
	case s.marked != nil:
		return s.marked.judge(e.marks, e.token)
	case s.revocations != nil:
		return s.revocations.Check(e.token)
	}
	return nil
}

func (s *Strategy[U]) verify(ctx context.Context, token string) (passport.Outcome[U], error) {
	tok, err := s.verifier.Verify(ctx, token)
	if err != nil {
		return s.unverified(err)
	}
	if tok == nil {
		return passport.Outcome[U]{}, errors.New("bearer: the verifier returned neither a token nor an error")
	}
	if s.revocations != nil {
		if err := s.revocations.Check(tok); err != nil {
			return s.revoked(err)
		}
	}
	user, ok, err := s.load(ctx, tok)
	if err != nil {
		return s.refuse(err)
	}
	if !ok {
		return s.invalidToken("The token is not valid.", nil), nil
	}
	return passport.Success(user, tok), nil
}

// unverified answers an error of the verifier. Only what is known to be about the token refuses it.
func (s *Strategy[U]) unverified(err error) (passport.Outcome[U], error) {
	var refused *jwt.Error
	switch {
	case errors.Is(err, jwt.ErrKeysUnavailable):
		p := problem.New(http.StatusServiceUnavailable, "keys_unavailable", "Tokens cannot be checked at the moment. Try again.")
		return passport.Outcome[U]{}, p.WithRetryAfter(5 * time.Second).WithCause(err)
	case !errors.As(err, &refused):
		return passport.Outcome[U]{}, err
	case errors.Is(err, jwt.ErrExpired):
		return s.invalidToken("The token has expired.", err), nil
	}
	return s.invalidToken("The token is not valid.", err), nil
}

func (s *Strategy[U]) invalidToken(detail string, cause error) passport.Outcome[U] {
	p := problem.New(http.StatusUnauthorized, CodeInvalidToken, detail).WithCause(cause)
	p.Challenges = []problem.Challenge{s.withError(p.Code, detail)}
	return passport.Fail[U](passport.Failure{Problem: p})
}

// refuse adds the challenge to a refusal by an extractor or by load, where RFC 6750 or RFC 9110 wants one.
func (s *Strategy[U]) refuse(err error) (passport.Outcome[U], error) {
	p := problem.From(err)
	if p.Status < 500 && p.Challenges == nil {
		switch {
		case p.Code == CodeInvalidRequest:
			err = p.WithChallenges(s.withError(p.Code, p.Detail))
		case p.Status == http.StatusUnauthorized:
			err = p.WithChallenges(s.withError(CodeInvalidToken, p.Detail))
		}
	}
	return passport.FromError[U](err)
}

func (s *Strategy[U]) withError(code, description string) problem.Challenge {
	c := problem.Challenge{Scheme: s.challenge.Scheme}
	c.Params = append(c.Params, s.challenge.Params...)
	c.Params = append(c.Params, problem.Param{Name: "error", Value: code}, problem.Param{Name: "error_description", Value: description})
	return c
}
