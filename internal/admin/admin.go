// Package admin is what operators do to users, whether by command or over HTTP: it finds and makes them, changes them, ends
// what they have of sessions, and deletes them. Each thing done is an event of the audit log that says who did it.
package admin

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/countersign-auth/countersign/internal/account"
	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/login/withpassword"
	"github.com/countersign-auth/countersign/internal/ratelimit"
	"github.com/countersign-auth/countersign/internal/session"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/problem"
)

// ErrVersion says that a user has another version than the one that was to be changed.
var ErrVersion = errors.New("admin: the user has another version")

// Config is what a Service is made of. Every field is required.
type Config struct {
	Users interface {
		store.Users
		store.Directory
	}
	Sessions  *session.Service
	Passwords *withpassword.Service
	Logins    *ratelimit.Logins
	Audit     *audit.Log
	Now       func() time.Time
}

// Service does it. It is safe for concurrent use, and several processes on one store are. Its verbs return
// [store.ErrNotFound] when there is no such user.
type Service struct{ Config }

// New returns a Service.
func New(cfg Config) *Service { return &Service{cfg} }

// byOperator is the reason in events of what users can do themselves.
const byOperator = "operator"

// Create makes a user. The error is a [withpassword.InvalidError] that names every field that is refused, or one of
// [withpassword.Service.Create].
func (s *Service) Create(ctx context.Context, n withpassword.NewUser) (store.User, error) {
	var wrong []problem.Field
	if n.ID != "" && !isReachable(n.ID) {
		wrong = append(wrong, problem.Field{Name: "id", Code: "format",
			Detail: "An id has 1 to 255 bytes of text that prints, and as a path it would be a plain one: it is not . or .., and does not begin or end with a slash."})
	}
	roles, more := checkRoles(n.Roles)
	wrong = slices.Concat(wrong, more, account.CheckData("data", n.Data), account.CheckData("admin_data", n.AdminData))
	if len(wrong) > 0 {
		_, err := s.Passwords.CheckNew(n.Email, n.Password)
		var invalid *withpassword.InvalidError
		if err != nil && !errors.As(err, &invalid) {
			return store.User{}, err
		}
		if invalid != nil {
			wrong = append(wrong, invalid.Fields...)
		}
		return store.User{}, &withpassword.InvalidError{Fields: wrong}
	}
	n.Roles = roles
	return s.Passwords.Create(ctx, n)
}

// isReachable reports whether the id can stand in a path, in which its slashes are encoded and may be decoded on the way.
func isReachable(id string) bool { return account.IsID(id) && path.Clean("/"+id) == "/"+id }

// checkRoles returns roles as a store keeps them, or what is wrong with them.
func checkRoles(roles []string) ([]string, []problem.Field) {
	sorted, err := account.AddRoles(nil, roles...)
	if err != nil {
		return nil, []problem.Field{{Name: "roles", Code: "format",
			Detail: fmt.Sprintf("A user has at most %d roles, each of 1 to 64 of the characters a-z 0-9 : _ . -", account.MaxRoles)}}
	}
	return sorted, nil
}

// Change says what of a user is to be another. What is nil stays as it is.
type Change struct {
	// Disabled refuses the user's logins and ends all sessions and tokens, or lets the user log in again.
	Disabled *bool
	// Roles returns the roles in the place of those that the user has; its error is that of Change. It may be called more than
	// once, and leaves have as it is.
	Roles func(have []string) ([]string, error)
	// AdminData replaces the operator's data.
	AdminData api.Object
	// Version is the one that the user must have; 0 changes the user as it is, whatever it was when somebody looked.
	Version int64
}

// Change makes the change, all of it at once, and returns the user as it is then. The error is ErrVersion, a
// [withpassword.InvalidError], or that of ch.Roles, and then nothing is changed.
func (s *Service) Change(ctx context.Context, by audit.By, id string, ch Change) (store.User, error) {
	if wrong := account.CheckData("admin_data", ch.AdminData); len(wrong) > 0 {
		return store.User{}, &withpassword.InvalidError{Fields: wrong}
	}
	var before store.User
	edit := func(u *store.User) (err error) {
		before = *u
		return ch.apply(u)
	}
	var after store.User
	var err error
	if ch.Disabled != nil && *ch.Disabled {
		after, err = s.Sessions.EndAll(ctx, id, edit)
	} else {
		after, err = s.edit(ctx, id, edit)
	}
	if after.ID != "" {
		s.Audit.Done(ctx, changes(by, before, after)...)
	}
	return after, err
}

// apply changes the user, whose UpdatedAt is the time of the change.
func (ch Change) apply(u *store.User) (err error) {
	if ch.Version != 0 && ch.Version != u.Version {
		return ErrVersion
	}
	if ch.Roles != nil {
		if u.Roles, err = ch.Roles(u.Roles); err != nil {
			return err
		}
	}
	if ch.AdminData != nil {
		u.AdminData = ch.AdminData
	}
	switch {
	case ch.Disabled == nil:
	case !*ch.Disabled:
		u.DisabledAt = time.Time{}
	case !u.Disabled():
		u.DisabledAt = u.UpdatedAt
	}
	return nil
}

// edit changes a user whose sessions go on, whatever else changes meanwhile.
func (s *Service) edit(ctx context.Context, id string, f func(*store.User) error) (store.User, error) {
	for {
		u, err := s.Users.User(ctx, id)
		if err != nil {
			return store.User{}, fmt.Errorf("change a user: %w", err)
		}
		u.UpdatedAt = s.Now()
		if err := f(&u); err != nil {
			return store.User{}, err
		}
		err = s.Users.UpdateUser(ctx, u)
		if errors.Is(err, store.ErrConflict) {
			continue // somebody was faster: look again
		}
		if err != nil {
			return store.User{}, fmt.Errorf("change a user: %w", err)
		}
		u.Version++
		return u, nil
	}
}

// changes returns an event of each thing that has become another.
func changes(by audit.By, before, after store.User) (events []store.Event) {
	switch {
	case before.Disabled() == after.Disabled():
	case after.Disabled():
		events = append(events, by.Event("user_disabled", "", after.ID))
	default:
		events = append(events, by.Event("user_enabled", "", after.ID))
	}
	for _, role := range after.Roles {
		if !slices.Contains(before.Roles, role) {
			events = append(events, by.Event("role_added", role, after.ID))
		}
	}
	for _, role := range before.Roles {
		if !slices.Contains(after.Roles, role) {
			events = append(events, by.Event("role_removed", role, after.ID))
		}
	}
	if string(before.AdminData) != string(after.AdminData) {
		events = append(events, by.Event("admin_data_changed", "", after.ID))
	}
	return events
}

// Unlock forgets the failed logins that strangers made at a user's account, as [ratelimit.Logins.Unlock] does. It is recorded
// whether there were any or not.
func (s *Service) Unlock(ctx context.Context, by audit.By, id string) error {
	u, err := s.Users.User(ctx, id)
	if err != nil {
		return fmt.Errorf("unlock a user: %w", err)
	}
	if err := s.Logins.Unlock(ctx, u.EmailKey); err != nil {
		return err
	}
	s.Audit.Done(ctx, by.Event("user_unlocked", "", id))
	return nil
}

// Delete deletes a user with all that belongs to it, sessions and tokens included.
func (s *Service) Delete(ctx context.Context, by audit.By, id string) error {
	err := s.Sessions.Delete(ctx, id)
	if session.IsDone(err) {
		s.Audit.Done(ctx, by.Event("user_deleted", byOperator, id))
	}
	return err
}

// EndSession ends a session of a user, with all its tokens. [store.ErrNotFound] says that the user has no such session.
func (s *Service) EndSession(ctx context.Context, by audit.By, userID, id string) error {
	err := s.Sessions.End(ctx, userID, store.Which{Only: id})
	if session.IsDone(err) {
		s.Audit.Done(ctx, by.Event("session", byOperator, userID))
	}
	return err
}

// EndSessions ends all that a user has of sessions and tokens, and what logins are about to make.
func (s *Service) EndSessions(ctx context.Context, by audit.By, userID string) error {
	user, err := s.Sessions.EndAll(ctx, userID, nil)
	if user.ID != "" { // also with an error
		s.Audit.Done(ctx, by.Event("session", byOperator+"_all", userID))
	}
	return err
}
