package login

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/token"
)

// ErrInvalid says that the attempt was refused: unknown subject, wrong credential, disabled user. Which of them it was
// stands in the audit event alone.
var ErrInvalid = errors.New("login: invalid credentials")

// Attempt is somebody trying to log in.
type Attempt struct {
	// Method is the login method's name.
	Method string
	// Client is who attempts.
	Client Client
	// Verify checks the credential and returns the id of its user; false when it is not right. It does the same work
	// whether the user exists or not. An error is a technical fault.
	Verify func(ctx context.Context) (userID string, ok bool, err error)
}

// Client is where a request comes from, for the audit.
type Client struct {
	Addr      netip.Addr
	RequestID string
}

// Text returns the address as text; empty when there is none, as for a command.
func (c Client) Text() string {
	if !c.Addr.IsValid() {
		return ""
	}
	return c.Addr.String()
}

// Session is a login that succeeded.
type Session struct {
	User   store.User
	Access token.Access
}

// Flow leads an attempt to a session. It is safe for concurrent use.
type Flow struct {
	users  store.Users
	tokens *token.Service
	gate   *Gate
	audit  *audit.Log
}

// NewFlow returns a Flow.
func NewFlow(users store.Users, tokens *token.Service, gate *Gate, log *audit.Log) *Flow {
	return &Flow{users: users, tokens: tokens, gate: gate, audit: log}
}

// Attempt verifies and, on success, opens a session. ErrInvalid refuses; an [OverloadError] asks to come back later.
func (f *Flow) Attempt(ctx context.Context, a Attempt) (Session, error) {
	var userID string
	var ok bool
	err := f.gate.Do(ctx, func(ctx context.Context) (err error) {
		userID, ok, err = a.Verify(ctx)
		return err
	})
	if err != nil {
		return Session{}, fmt.Errorf("login by %s: %w", a.Method, err)
	}
	if !ok {
		return Session{}, f.invalid(ctx, a, userID, "wrong_credential")
	}
	user, err := f.users.User(ctx, userID)
	switch {
	case errors.Is(err, store.ErrNotFound): // deleted meanwhile
		return Session{}, f.invalid(ctx, a, userID, "no_user")
	case err != nil:
		return Session{}, fmt.Errorf("login by %s: %w", a.Method, err)
	case user.Disabled():
		return Session{}, f.invalid(ctx, a, userID, "disabled")
	}

	id, err := uuid.NewV7()
	if err != nil {
		return Session{}, err
	}
	access, err := f.tokens.Mint(token.User{ID: user.ID, Email: user.Email}, id.String())
	if err != nil {
		return Session{}, fmt.Errorf("login by %s: %w", a.Method, err)
	}
	if err := f.record(ctx, a, userID, audit.OK, ""); err != nil {
		return Session{}, err // no session that the audit log does not know of
	}
	return Session{User: user, Access: access}, nil
}

// invalid records an attempt that was checked and is refused, and returns ErrInvalid.
func (f *Flow) invalid(ctx context.Context, a Attempt, userID, reason string) error {
	if err := f.record(ctx, a, userID, audit.Failed, reason); err != nil {
		return err
	}
	return ErrInvalid
}

func (f *Flow) record(ctx context.Context, a Attempt, userID, result, reason string) error {
	err := f.audit.Record(ctx, store.Event{
		Kind: "login", Result: result, Reason: reason, UserID: userID, Method: a.Method, Client: a.Client.Text(), RequestID: a.Client.RequestID,
	})
	if err != nil {
		return fmt.Errorf("login by %s: %w", a.Method, err)
	}
	return nil
}

// OverloadError says that more work waits than can be done in time.
type OverloadError struct{ RetryAfter time.Duration }

// Error implements error.
func (e *OverloadError) Error() string { return "login: too many password checks are waiting" }

// Gate bounds how many password checks are wanted at once, so that a storm of logins is refused quickly instead of
// being queued until every client has given up. It is safe for concurrent use.
type Gate struct{ places chan struct{} }

// gateWait is about how long the last of a full gate waits: what a refused client is told to wait too.
const gateWait = 2 * time.Second

// gateDeadline is when a check that has waited or worked for so long is given up. It is less than a stopping server
// waits for requests in flight, and than any answer may take.
const gateDeadline = 8 * time.Second

// NewGate returns a Gate with that many places; zero or less means no bound.
func NewGate(places int) *Gate {
	if places <= 0 {
		return &Gate{}
	}
	return &Gate{places: make(chan struct{}, places)}
}

// Enter takes a place, which leave gives back. It never waits: with all places taken it returns an [OverloadError].
func (g *Gate) Enter() (leave func(), err error) {
	if g.places == nil {
		return func() {}, nil
	}
	select {
	case g.places <- struct{}{}:
		return func() { <-g.places }, nil
	default:
		return nil, &OverloadError{RetryAfter: gateWait}
	}
}

// Do runs f in a place of the gate and gives it up at a deadline: both that and a full gate are an [OverloadError].
func (g *Gate) Do(ctx context.Context, f func(context.Context) error) error {
	leave, err := g.Enter()
	if err != nil {
		return err
	}
	defer leave()
	bounded, cancel := context.WithTimeout(ctx, gateDeadline)
	defer cancel()
	if err = f(bounded); errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return &OverloadError{RetryAfter: gateWait}
	}
	return err
}
