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
	address, err := s.CheckNew(email, pw)
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
		user, err = s.create(ctx, NewUser{Email: email, Password: pw, Client: client}, hash, address)
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
		user, err = s.newUser(NewUser{}, address)
	}
	if err == nil {
		time.Sleep(hideStep - time.Since(hashed)%hideStep)
	}
	return user, err
}

// NewUser is a user who is to be made.
type NewUser struct {
	Email, Password string
	// ID is the id that the user is to have; empty makes one.
	ID string
	// Roles, Data and AdminData are the user's, as the store keeps them.
	Roles           []string
	Data, AdminData []byte
	// Client is who asks for it, and Actor on whose behalf, for the event; both are empty for who signs up by themselves or
	// where there is none.
	Client login.Client
	Actor  string
}

// Create makes a user for an operator, without a limit. Its errors are those of SignUp, and ErrIDTaken.
func (s *Service) Create(ctx context.Context, n NewUser) (store.User, error) {
	address, err := s.CheckNew(n.Email, n.Password)
	if err != nil {
		return store.User{}, err
	}
	hash, err := s.Hasher(claim(n.Client, "signup "+address.Key)).Hash(ctx, n.Password)
	if err != nil {
		return store.User{}, fmt.Errorf("sign up: %w", err)
	}
	return s.create(ctx, n, hash, address)
}

// CheckNew returns the address of a new user, or an [InvalidError].
func (s *Service) CheckNew(email, pw string) (login.Address, error) {
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

func (s *Service) newUser(n NewUser, address login.Address) (store.User, error) {
	now := s.Now()
	u := store.User{
		ID: n.ID, Email: address.Given, EmailKey: address.Key, Roles: n.Roles, Data: n.Data, AdminData: n.AdminData,
		Epoch: session.NewEpoch(), CreatedAt: now, UpdatedAt: now, Version: 1,
	}
	if u.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return store.User{}, err
		}
		u.ID = id.String()
	}
	return u, nil
}

// create writes the user, and an event of either outcome.
func (s *Service) create(ctx context.Context, n NewUser, hash string, address login.Address) (store.User, error) {
	user, err := s.newUser(n, address)
	if err != nil {
		return store.User{}, err
	}
	// From here on it is done to its end, whether the client still waits or not.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTimeout)
	defer cancel()
	event := s.event(n.Client, address)
	event.Result, event.UserID, event.Actor = audit.OK, user.ID, n.Actor
	if event, err = s.Audit.Stamp(event); err != nil {
		return store.User{}, fmt.Errorf("sign up: %w", err)
	}
	err = s.Users.CreateUser(ctx, user, Hashed(user, hash), event)
	switch {
	case errors.Is(err, store.ErrExists):
		return store.User{}, s.taken(ctx, n, address)
	case err != nil:
		return store.User{}, fmt.Errorf("sign up: %w", err)
	}
	s.Audit.Say(ctx, event)
	return user, nil
}

// taken records that a user could not be made, and returns why.
func (s *Service) taken(ctx context.Context, n NewUser, address login.Address) error {
	reason, why := "email_taken", ErrTaken
	if n.ID != "" {
		switch _, err := s.Users.User(ctx, n.ID); {
		case err == nil:
			reason, why = "id_taken", ErrIDTaken
		case !errors.Is(err, store.ErrNotFound):
			return fmt.Errorf("sign up: %w", err)
		}
	}
	event := s.event(n.Client, address)
	event.Result, event.Reason, event.Actor = audit.Failed, reason, n.Actor
	s.Audit.Done(ctx, event)
	return why
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
