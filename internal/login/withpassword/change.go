package withpassword

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/login"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/password"
	"github.com/countersign-auth/countersign/problem"
)

// ErrNoPassword says that a user has no password.
var ErrNoPassword = errors.New("withpassword: the user has no password")

// The fields of a change of password.
const (
	currentField = "current_password"
	newField     = "new_password"
)

// errWrong is the answer to a wrong current password. It is no 401: the client's token is good, and nothing that it could
// log in again for is wrong.
var errWrong = &InvalidError{Fields: []problem.Field{{Name: currentField, Code: "wrong", Detail: "This is not the current password."}}}

// The kinds of events: that somebody who is logged in was asked for their password, and that it is another one now.
const (
	kindConfirm = "password"
	kindChange  = "password_changed"
)

// changeTimeout bounds the writing of a new password.
const changeTimeout = 15 * time.Second

// Change is a user's wish for a new password.
type Change struct {
	// User is who wishes, and Session theirs, which is kept; empty keeps none.
	User    store.User
	Session string
	// Current and New are the passwords.
	Current, New string
	Client       login.Client
}

// ChangePassword gives a user who knows the current password a new one, and ends all other sessions. An [InvalidError]
// names every field that is refused, the current password if it is wrong. Its other errors are ErrNoPassword, ErrBlocklist,
// [store.ErrNotFound] when the user is gone and, when nothing was checked, those of [login.Flow.Attempt].
func (s *Service) ChangePassword(ctx context.Context, ch Change) error {
	if err := s.checkChange(ctx, ch); err != nil {
		return err
	}
	a := s.attempt(ch.User.EmailKey, ch.User.EmailKey, ch.Current, ch.Client)
	a.Passed = nil // the hash of a password that is about to go is not renewed
	user, proved, err := s.Flow.Confirm(ctx, kindConfirm, a)
	if errors.Is(err, login.ErrInvalid) || err == nil && user.ID != ch.User.ID { // deleted meanwhile, and somebody else has the address
		return errWrong
	}
	if err != nil {
		return err
	}
	hasher := s.Hasher(claim(ch.Client, ch.User.EmailKey))
	hash, err := hasher.Hash(ctx, ch.New)
	if err != nil {
		return fmt.Errorf("change a password: %w", err)
	}
	// From here on it is done to its end, whether the client still waits or not.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeTimeout)
	defer cancel()
	err = s.replace(ctx, proved, hash, ch.Session, func() (store.Credential, error) {
		// Another change wins, and its password is the current one now. A login that has renewed the hash does not.
		c, ok, err := s.verify(ctx, hasher, ch.User.EmailKey, ch.Current)
		if err == nil && (!ok || c.UserID != ch.User.ID) {
			err = errWrong
		}
		return c, err
	})
	if err == nil {
		s.Audit.Done(ctx, s.changeEvent(user, ch.Client, ""))
	}
	return err
}

func (s *Service) changeEvent(user store.User, client login.Client, reason string) store.Event {
	return store.Event{
		Kind: kindChange, Result: audit.OK, Reason: reason, UserID: user.ID, Subject: s.Flow.Subject(user.EmailKey), Method: Method,
		Client: client.Text(), RequestID: client.RequestID,
	}
}

// checkChange says what can be said before the current password is looked at.
func (s *Service) checkChange(ctx context.Context, ch Change) error {
	fields, err := s.Policy.Check(ch.New, login.Address{Given: ch.User.Email, Key: ch.User.EmailKey})
	if err != nil {
		return fmt.Errorf("change a password: %w", err)
	}
	for i := range fields {
		fields[i].Name = newField
	}
	if norm.NFC.String(ch.New) == norm.NFC.String(ch.Current) {
		fields = append(fields, problem.Field{Name: newField, Code: "same", Detail: "This is the current password."})
	}
	if len(fields) > 0 {
		return &InvalidError{Fields: fields}
	}
	c, err := s.Users.Credential(ctx, Method, ch.User.EmailKey)
	if errors.Is(err, store.ErrNotFound) || err == nil && c.UserID != ch.User.ID {
		return ErrNoPassword
	}
	return err
}

// maxRaces is how often a change of password looks again because a login has renewed the hash meanwhile.
const maxRaces = 4

// replace writes a hash over the credential, and ends all sessions but the one to keep. When the credential has changed
// since it was read, again returns it as it is, or why it is no longer to be written over.
func (s *Service) replace(ctx context.Context, c store.Credential, hash, keep string, again func() (store.Credential, error)) error {
	for range maxRaces {
		c.Data, c.UpdatedAt = data{Hash: hash}.encode(), s.Now()
		err := s.Flow.Sessions.ChangeCredential(ctx, c, keep)
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
		if c, err = again(); err != nil {
			return err
		}
	}
	return fmt.Errorf("change a password: %w", store.ErrConflict)
}

// SetPassword gives a user a new password for an operator, whatever the old one was, and ends all sessions.
func (s *Service) SetPassword(ctx context.Context, user store.User, pw string) error {
	fields, err := s.Policy.Check(pw, login.Address{Given: user.Email, Key: user.EmailKey})
	if err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	if len(fields) > 0 {
		return &InvalidError{Fields: fields}
	}
	hash, err := s.Hasher(password.Claim{}).Hash(ctx, pw)
	if err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	credential := func() (store.Credential, error) {
		c, err := s.Users.Credential(ctx, Method, user.EmailKey)
		if errors.Is(err, store.ErrNotFound) || err == nil && c.UserID != user.ID { // deleted meanwhile, and somebody else has the address
			return c, ErrNoPassword
		}
		return c, err
	}
	c, err := credential()
	if err == nil {
		err = s.replace(ctx, c, hash, "", credential) // which wins over whatever is written meanwhile
	}
	if err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	event := s.changeEvent(user, login.Client{}, "operator")
	event.Actor = audit.CLI
	s.Audit.Done(ctx, event)
	return nil
}
