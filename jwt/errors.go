package jwt

import (
	"errors"
	"time"
)

// The reasons to refuse a token, for errors.Is. [Verifier.Verify] returns them inside an [*Error].
//
// All but ErrKeysUnavailable mean that the token is bad. When several checks fail, the error is of the first in
// the order of [Verifier.Explain]: a token with a bad signature is ErrSignature whatever its claims say.
var (
	ErrTooLarge       = errors.New("the token is over a limit")
	ErrMalformed      = errors.New("the token is malformed")
	ErrUnsupported    = errors.New("the token uses a feature that is not supported")
	ErrCritical       = errors.New("the token names a critical header that is not understood")
	ErrAlgorithm      = errors.New("the algorithm is not allowed")
	ErrUnknownKey     = errors.New("the token names no known key")
	ErrSignature      = errors.New("the signature is wrong")
	ErrType           = errors.New("the token is of another type")
	ErrClaim          = errors.New("a claim is missing or malformed")
	ErrExpired        = errors.New("the token has expired")
	ErrNotYetValid    = errors.New("the token is not valid yet")
	ErrIssuedInFuture = errors.New("the token was issued in the future")
	ErrTooOld         = errors.New("the token is too old")
	ErrIssuer         = errors.New("the issuer is not the expected one")
	ErrAudience       = errors.New("the token is for another audience")
	ErrSubject        = errors.New("the subject is not the expected one")

	// ErrKeysUnavailable means that the [KeySet] failed. It says nothing of the token: answer it as a fault of
	// the server (5xx), never as a failed login.
	ErrKeysUnavailable = errors.New("the keys are not available")
)

// ErrKey is wrapped by the errors of everything that makes a [Key] or a set of them.
var ErrKey = errors.New("jwt: unusable key")

// Error says which check refused a token. Its text never repeats anything from the token.
type Error struct {
	Check string        // the check's name, one of the Check… constants
	By    time.Duration // for checks of time: how far the token is out, before leeway; else 0

	kind   error  // one of the sentinels
	reason string // constant words
	cause  error  // of ErrKeysUnavailable
}

// Error names the check and the reason.
func (e *Error) Error() string {
	text := "jwt: " + e.kind.Error() + ": " + reason(e.reason, e.By)
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap returns the sentinel, and for [ErrKeysUnavailable] what the [KeySet] returned.
func (e *Error) Unwrap() []error {
	if e.cause != nil {
		return []error{e.kind, e.cause}
	}
	return []error{e.kind}
}

func reason(words string, by time.Duration) string {
	if by == 0 {
		return words
	}
	if by > time.Second || by < -time.Second {
		by = by.Round(time.Second)
	}
	return words + " by " + by.String()
}
