package local

import (
	"context"
	"errors"
	"net/http"

	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/problem"
)

// Config configures [New]. Its zero value is a login form with the fields "username" and "password".
type Config struct {
	// Reader finds the credentials.
	Reader Reader
	// Challenge goes with a 401, which RFC 9110 does not allow without one. No registered scheme stands for a form, and
	// browsers ask for a password when they see Basic. So the default is the unregistered
	//
	//	WWW-Authenticate: Form realm="login"
	//
	// which clients skip. Set it to what the API otherwise takes, for example problem.Bearer("api").
	Challenge problem.Challenge
}

// Verify looks a user up and checks the password. False means that there is no such user or that the password is wrong:
// it must not be told, and take the same time, which of the two. An error is a technical fault, but for a
// [problem.Error] with a 4xx status, such as a 429, which is the answer.
type Verify[U any] func(ctx context.Context, c Credentials) (user U, ok bool, err error)

// Strategy checks a user name and a password that came in the body of a request. [New] makes it.
type Strategy[U any] struct {
	verify    Verify[U]
	reader    Reader
	challenge []problem.Challenge
}

// CodeCredentials is the code of the 401 that a wrong user name or password gets.
const CodeCredentials = "invalid_credentials"

// New returns a strategy that reads credentials as cfg says and asks verify about them.
func New[U any](verify Verify[U], cfg Config) (*Strategy[U], error) {
	if verify == nil {
		return nil, errors.New("local: New needs a verify function")
	}
	if err := cfg.Reader.Validate(); err != nil {
		return nil, err
	}
	if cfg.Challenge.Scheme == "" {
		if cfg.Challenge.Params != nil {
			return nil, errors.New("local: the challenge has no scheme")
		}
		cfg.Challenge = problem.Challenge{Scheme: "Form", Params: []problem.Param{{Name: "realm", Value: "login"}}}
	}
	return &Strategy[U]{verify: verify, reader: cfg.Reader, challenge: []problem.Challenge{cfg.Challenge}}, nil
}

// Authenticate implements [passport.Strategy]. A request with neither field, or with a body of a type that it does not
// read, is a 400 or 415 where the strategy stands alone, and counts as one without credentials in an ordered fallback.
func (s *Strategy[U]) Authenticate(r *http.Request) (passport.Outcome[U], error) {
	c, err := s.reader.Read(r)
	if err != nil {
		return s.unread(err)
	}
	user, ok, err := s.verify(r.Context(), c)
	if err != nil {
		return passport.FromError[U](err)
	}
	if !ok {
		p := problem.New(http.StatusUnauthorized, CodeCredentials, "The user name or the password is wrong.")
		return passport.Fail[U](passport.Failure{Problem: p, Challenges: s.challenge}), nil
	}
	return passport.Success(user, nil), nil
}

func (s *Strategy[U]) unread(err error) (passport.Outcome[U], error) {
	var p *problem.Error
	if !errors.As(err, &p) || p.Status >= 500 {
		return passport.Outcome[U]{}, err
	}
	absent := p.Code == CodeUnsupported || p.Code == CodeMissing && len(p.Fields) == 2
	o := passport.Fail[U](passport.Failure{Problem: p, Absent: absent, Challenges: s.challenge})
	if p.Code == CodeInQuery {
		o = o.CredentialInURL()
	}
	return o, nil
}
