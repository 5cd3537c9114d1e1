package bearer

import (
	"errors"
	"net/http"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/problem"
)

// Revocations says of a verified token whether it still holds; *[Feed] is one. It is asked before Load, for every
// request, by many goroutines. Nil means that it holds. The sentinels of this package say why not; a [problem.Error] with a
// 4xx status is the answer; any other error is a technical fault.
type Revocations interface {
	Check(token *jwt.Token) error
}

// marked are Revocations that go by the marks of a token alone, as a [Feed] does.
type marked interface {
	judge(m marks, token *jwt.Token) error
}

// The reasons of [Revocations] not to take a token.
var (
	// ErrSessionEnded means that the session of the token, or all of its user, has ended: 401 invalid_token.
	ErrSessionEnded = errors.New("bearer: the session has ended")
	// ErrTooOldToTell means that so many sessions have ended that what is known of them does not reach back to when the
	// token was issued: 401 invalid_token. A new one can be judged.
	ErrTooOldToTell = errors.New("bearer: the token is older than what is known of ended sessions")
	// ErrRevocationsUnavailable means that nobody has said for too long which sessions have ended: 503.
	ErrRevocationsUnavailable = errors.New("bearer: it is not known which sessions have ended")
)

// CodeRevocationsUnavailable is the code of the 503 while it is not known which sessions have ended.
const CodeRevocationsUnavailable = "revocations_unavailable"

// revoked answers an error of Revocations.
func (s *Strategy[U]) revoked(err error) (passport.Outcome[U], error) {
	switch {
	case errors.Is(err, ErrSessionEnded):
		return s.invalidToken("The session has ended.", err), nil
	case errors.Is(err, ErrTooOldToTell):
		return s.invalidToken("The token is too old to be checked. Get a new one.", err), nil
	case errors.Is(err, ErrRevocationsUnavailable):
		p := problem.New(http.StatusServiceUnavailable, CodeRevocationsUnavailable, "Sessions cannot be checked at the moment. Try again.")
		return passport.Outcome[U]{}, p.WithRetryAfter(5 * time.Second).WithCause(err)
	}
	return s.refuse(err)
}
