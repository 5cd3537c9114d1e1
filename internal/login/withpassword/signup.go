package withpassword

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/login"
	"github.com/countersign-auth/countersign/internal/ratelimit"
	"github.com/countersign-auth/countersign/internal/session"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/password"
	"github.com/countersign-auth/countersign/problem"
)

// hideStep is what the time of a hidden sign-up after its hash is a multiple of: that of the commits, which a free address
// and a taken one differ in, is far less.
const hideStep = 100 * time.Millisecond

// createTimeout bounds the writing of a user.
const createTimeout = 10 * time.Second

// SignUp makes a user for a client, if its network does not make too many. An [InvalidError] names every field that is
// refused; ErrTaken says that somebody has the address. A [ratelimit.Refusal] and a [password.OverloadError] say when to
// come back.
//
// With HideTaken there is no ErrTaken: the answer is a user like a new one, who does not exist.
func (s *Service) SignUp(ctx context.Context, email, pw string, client login.Client) (store.User, error) {
	address, err := s.checkNew(email, pw)
	if err != nil {
		return store.User{}, err
	}
	hasher := s.Hasher(claim(client, "signup "+address.Key)) // not the account's: it could fill up the places of its logins
	release, err := hasher.Reserve()
	if err != nil {
		return store.User{}, s.refused(client, address, err)
	}
	defer release()
	entry, err := s.Signups.Enter(ctx, client.Addr)
	if err != nil {
		return store.User{}, s.refused(client, address, err)
	}
	release()
	hash, err := hasher.Hash(ctx, pw)
	hashed := time.Now()
	var user store.User
	if err == nil {
		user, err = s.create(ctx, hash, address, client)
	} else {
		err = fmt.Errorf("sign up: %w", err)
	}
	var overload *password.OverloadError
	if errors.As(err, &overload) { // nothing was done; what was, counts, even if the client has hung up
		if err := entry.Withdraw(ctx); err != nil {
			s.Log.LogAttrs(ctx, slog.LevelWarn, "a sign-up that was not made still counts", slog.Any("error", err))
		}
		return store.User{}, s.refused(client, address, err)
	}
	if !s.HideTaken {
		return user, err
	}
	if errors.Is(err, ErrTaken) {
		user, err = s.newUser(address)
	}
	if err == nil {
		time.Sleep(hideStep - time.Since(hashed)%hideStep)
	}
	return user, err
}

// Create makes a user for an operator, without a limit. Its errors are those of SignUp.
func (s *Service) Create(ctx context.Context, email, pw string) (store.User, error) {
	address, err := s.checkNew(email, pw)
	if err != nil {
		return store.User{}, err
	}
	hash, err := s.Hasher(password.Claim{}).Hash(ctx, pw)
	if err != nil {
		return store.User{}, fmt.Errorf("sign up: %w", err)
	}
	return s.create(ctx, hash, address, login.Client{})
}

// checkNew returns the address of a new user, or an [InvalidError].
func (s *Service) checkNew(email, pw string) (login.Address, error) {
	var invalid InvalidError
	address, err := login.ParseAddress(email)
	if err != nil {
		invalid.Fields = append(invalid.Fields, problem.Field{Name: "email", Code: "format", Detail: "This is not an e-mail address."})
	}
	fields, err := s.Policy.Check(pw, address)
	if err != nil {
		return login.Address{}, fmt.Errorf("sign up: %w", err)
	}
	if invalid.Fields = append(invalid.Fields, fields...); len(invalid.Fields) > 0 {
		return login.Address{}, &invalid
	}
	return address, nil
}

func (s *Service) newUser(address login.Address) (store.User, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return store.User{}, err
	}
	now := s.Now()
	return store.User{ID: id.String(), Email: address.Given, EmailKey: address.Key, Epoch: session.NewEpoch(),
		CreatedAt: now, UpdatedAt: now, Version: 1}, nil
}

// create writes the user, and an event of either outcome.
func (s *Service) create(ctx context.Context, hash string, address login.Address, client login.Client) (store.User, error) {
	user, err := s.newUser(address)
	if err != nil {
		return store.User{}, err
	}
	// From here on it is done to its end, whether the client still waits or not.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTimeout)
	defer cancel()
	event := s.event(client, address)
	event.Result, event.UserID = audit.OK, user.ID
	if event, err = s.Audit.Stamp(event); err != nil {
		return store.User{}, fmt.Errorf("sign up: %w", err)
	}
	err = s.Users.CreateUser(ctx, user, Hashed(user, hash), event)
	switch {
	case errors.Is(err, store.ErrExists):
		taken := s.event(client, address)
		taken.Result, taken.Reason = audit.Failed, "email_taken"
		s.Audit.Done(ctx, taken)
		return store.User{}, ErrTaken
	case err != nil:
		return store.User{}, fmt.Errorf("sign up: %w", err)
	}
	s.Audit.Say(ctx, event)
	return user, nil
}

// refused counts a sign-up that was not begun, if that is what err says, and returns err.
func (s *Service) refused(client login.Client, address login.Address, err error) error {
	event := s.event(client, address)
	event.Result = audit.Refused
	var refusal *ratelimit.Refusal
	var overload *password.OverloadError
	switch {
	case errors.As(err, &refusal):
		event.Reason = "throttled_" + refusal.Reason
	case errors.As(err, &overload):
		event.Reason = "busy"
	default:
		return err
	}
	s.Audit.Refused(event)
	return err
}

func (s *Service) event(client login.Client, address login.Address) store.Event {
	return store.Event{
		Kind: "signup", Subject: s.Flow.Subject(address.Key), Method: Method, Client: client.Text(), RequestID: client.RequestID,
	}
}
