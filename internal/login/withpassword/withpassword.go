// Package withpassword is the login method of an e-mail address and a password. It owns sign-up, login and every rule
// about passwords.
package withpassword

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/login"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/problem"
)

// Method is the name of this method in credentials and events.
const Method = "password"

// ErrTaken says that the address belongs to a user already.
var ErrTaken = errors.New("withpassword: the address is taken")

// InvalidError says what is wrong with what somebody wanted to sign up with.
type InvalidError struct{ Fields []problem.Field }

// Error implements error.
func (e *InvalidError) Error() string {
	text := "not valid:"
	for _, f := range e.Fields {
		text += " " + f.Name + ": " + f.Detail
	}
	return text
}

// Hasher is what the service asks of package password.
type Hasher interface {
	Hash(ctx context.Context, password string) (string, error)
	Verify(ctx context.Context, encoded, password string) (bool, error)
	VerifyImported(ctx context.Context, encoded, password string) (bool, error)
	VerifyAbsent(ctx context.Context, password string) error
	NeedsRehash(encoded string) bool
}

// Config is what a Service is made of. Every field is required.
type Config struct {
	Users interface {
		store.Users
		store.Credentials
	}
	Hasher Hasher
	Flow   *login.Flow
	Gate   *login.Gate
	Audit  *audit.Log
	Log    *slog.Logger
	Now    func() time.Time
	// Policy decides which new passwords are taken.
	Policy *Policy
}

// Service signs users up and logs them in. It is safe for concurrent use.
type Service struct{ Config }

// New returns a Service.
func New(cfg Config) *Service { return &Service{cfg} }

// data is what a credential of this method holds.
type data struct {
	Hash string `json:"hash"`
	// Imported marks a bcrypt hash that other software made: it compares as Node's bcrypt does, until its first login here.
	Imported bool `json:"imported,omitempty"`
}

func (d data) encode() []byte {
	b, _ := json.Marshal(d) // a string and a bool always marshal
	return b
}

// SignUp makes a user. An [InvalidError] names every field that is refused; ErrTaken says that somebody has the address.
func (s *Service) SignUp(ctx context.Context, email, pw string, client login.Client) (store.User, error) {
	var invalid InvalidError
	address, err := login.ParseAddress(email)
	if err != nil {
		invalid.Fields = append(invalid.Fields, problem.Field{Name: "email", Code: "format", Detail: "This is not an e-mail address."})
	}
	fields, err := s.Policy.Check(pw, address)
	if err != nil {
		return store.User{}, fmt.Errorf("sign up: %w", err)
	}
	invalid.Fields = append(invalid.Fields, fields...)
	if len(invalid.Fields) > 0 {
		return store.User{}, &invalid
	}

	hash, err := s.hash(ctx, pw)
	if err != nil {
		return store.User{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return store.User{}, err
	}
	now := s.Now()
	user := store.User{ID: id.String(), Email: address.Given, EmailKey: address.Key, CreatedAt: now, UpdatedAt: now, Version: 1}
	err = s.Users.CreateUser(ctx, user, store.Credential{
		UserID: user.ID, Method: Method, Key: address.Key, Data: data{Hash: hash}.encode(), CreatedAt: now, UpdatedAt: now, Version: 1,
	})
	if errors.Is(err, store.ErrExists) {
		return store.User{}, ErrTaken
	}
	if err != nil {
		return store.User{}, fmt.Errorf("sign up: %w", err)
	}
	err = s.Audit.Record(ctx, store.Event{
		Kind: "signup", Result: audit.OK, UserID: user.ID, Method: Method, Client: client.Text(), RequestID: client.RequestID,
	})
	if err != nil { // the user is there, and an answer that denies it helps nobody
		s.Log.LogAttrs(ctx, slog.LevelError, "a sign-up is not in the audit log", slog.String("user", user.ID), slog.Any("error", err))
	}
	return user, nil
}

func (s *Service) hash(ctx context.Context, pw string) (hash string, err error) {
	err = s.Gate.Do(ctx, func(ctx context.Context) error {
		hash, err = s.Hasher.Hash(ctx, pw)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("hash: %w", err)
	}
	return hash, nil
}

// LogIn opens a session for the user with that address and password, or returns [login.ErrInvalid].
func (s *Service) LogIn(ctx context.Context, email, pw string, client login.Client) (login.Session, error) {
	return s.Flow.Attempt(ctx, login.Attempt{
		Method: Method,
		Client: client,
		Verify: func(ctx context.Context) (string, bool, error) { return s.verify(ctx, email, pw) },
	})
}

// verify does the same hashing whether the address has a user or not.
func (s *Service) verify(ctx context.Context, email, pw string) (userID string, ok bool, err error) {
	address, err := login.ParseAddress(email)
	if err != nil {
		return "", false, s.Hasher.VerifyAbsent(ctx, pw)
	}
	c, err := s.Users.Credential(ctx, Method, address.Key)
	if errors.Is(err, store.ErrNotFound) {
		return "", false, s.Hasher.VerifyAbsent(ctx, pw)
	}
	if err != nil {
		return "", false, err
	}
	var d data
	if err := json.Unmarshal(c.Data, &d); err != nil {
		return "", false, errors.New("a credential is not readable") // the decoder's error could quote the hash
	}
	check := s.Hasher.Verify
	if d.Imported {
		check = s.Hasher.VerifyImported
	}
	if ok, err = check(ctx, d.Hash, pw); !ok || err != nil {
		return c.UserID, false, err
	}
	if d.Imported || s.Hasher.NeedsRehash(d.Hash) {
		s.renew(ctx, c, pw)
	}
	return c.UserID, true, nil
}

// renew hashes a password that was right under the settings of today. What goes wrong here must not refuse a login
// that is right; it is tried again at the next one. A password change that happens meanwhile wins, by Version.
func (s *Service) renew(ctx context.Context, c store.Credential, pw string) {
	hash, err := s.Hasher.Hash(ctx, pw)
	if err == nil {
		c.Data, c.UpdatedAt = data{Hash: hash}.encode(), s.Now()
		err = s.Users.UpdateCredential(ctx, c)
	}
	if err != nil && !errors.Is(err, store.ErrConflict) {
		s.Log.LogAttrs(ctx, slog.LevelWarn, "password hash not renewed", slog.String("user", c.UserID), slog.Any("error", err))
	}
}

// SetPassword gives a user a new password, whatever the old one was.
func (s *Service) SetPassword(ctx context.Context, user store.User, pw string) error {
	fields, err := s.Policy.Check(pw, login.Address{Given: user.Email, Key: user.EmailKey})
	if err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	if len(fields) > 0 {
		return &InvalidError{Fields: fields}
	}
	hash, err := s.hash(ctx, pw)
	if err != nil {
		return err
	}
	for {
		c, err := s.Users.Credential(ctx, Method, user.EmailKey)
		if err == nil && c.UserID != user.ID {
			err = store.ErrNotFound // the user was deleted meanwhile, and somebody else has the address
		}
		if err != nil {
			return fmt.Errorf("set password: %w", err)
		}
		c.Data, c.UpdatedAt = data{Hash: hash}.encode(), s.Now()
		// A login may renew the hash between the two calls; the new password is to win over that.
		if err = s.Users.UpdateCredential(ctx, c); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}
