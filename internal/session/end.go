package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/countersign-auth/countersign/internal/store"
)

// errNotKnownYet is wrapped by errors of what has been done all the same: this node could not learn what has ended.
var errNotKnownYet = errors.New("ended, but this node does not know it yet")

// IsDone reports whether what a verb was asked for has been done, though its error may say that this node does not know it yet.
func IsDone(err error) bool { return err == nil || errors.Is(err, errNotKnownYet) }

// List returns the living sessions of a user, the one used last first.
func (s *Service) List(ctx context.Context, user store.User) ([]store.Session, error) {
	all, err := s.Store.ListSessions(ctx, user.ID)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	now := s.Now()
	alive := all[:0]
	for _, record := range all {
		record.ExpiresAt = s.ends(record)
		if record.Epoch == user.Epoch && now.Before(record.ExpiresAt) {
			alive = append(alive, record)
		}
	}
	return alive, nil
}

// End ends those sessions of a user that which selects, with all their tokens. [store.ErrNotFound] says that the one session
// asked for is not one of the user's.
func (s *Service) End(ctx context.Context, userID string, which store.Which) error {
	if id, err := uuid.Parse(which.Only); which.Only != "" && (err != nil || id.String() != which.Only) {
		return store.ErrNotFound // nothing else is asked of the database
	}
	n, err := s.Store.EndSessions(ctx, userID, which, s.until(s.Now()))
	if err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	if n == 0 && which.Only != "" {
		return store.ErrNotFound
	}
	return s.synced(ctx)
}

// EndOwn ends the session of a token that was verified, whether there is a record of it or not: the last refresh may have
// been too long ago, or a command has made the token.
func (s *Service) EndOwn(ctx context.Context, userID, session string) error {
	err := s.End(ctx, userID, store.Which{Only: session})
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err := s.Store.Revoke(ctx, store.Revocation{Key: session, ExpiresAt: s.until(s.Now())}); err != nil {
		return fmt.Errorf("end a session: %w", err)
	}
	return s.synced(ctx)
}

// EndAll ends all that a user has of sessions and tokens, and what logins are about to make, and changes the user at the
// same time. Change may be nil; when it returns an error, nothing is done, and that is returned. It may be called more than
// once. A user that is returned with an error has been changed all the same.
func (s *Service) EndAll(ctx context.Context, userID string, change func(*store.User) error) (store.User, error) {
	for {
		user, err := s.Store.User(ctx, userID)
		if err != nil {
			return store.User{}, fmt.Errorf("end all sessions: %w", err)
		}
		ended := s.revocation(user)
		user.Epoch, user.UpdatedAt = NewEpoch(), s.Now()
		if change != nil {
			if err := change(&user); err != nil {
				return store.User{}, err
			}
		}
		err = s.Store.UpdateUser(ctx, user, ended)
		if errors.Is(err, store.ErrConflict) {
			continue // somebody was faster, so this ends
		}
		if err != nil {
			return store.User{}, fmt.Errorf("end all sessions: %w", err)
		}
		user.Version++
		// They are dead by their epoch. This takes them away.
		if _, err := s.Store.EndSessions(ctx, user.ID, store.Which{}, s.until(s.Now())); err != nil {
			return user, fmt.Errorf("end all sessions: %w", err)
		}
		return user, s.synced(ctx)
	}
}

// ChangeCredential writes a credential over the record that has its Version, and ends the sessions of its user but for the
// one whose id is keep, if any, with all their tokens. [store.ErrConflict] says that the credential has changed meanwhile.
func (s *Service) ChangeCredential(ctx context.Context, c store.Credential, keep string) error {
	if err := s.Store.ChangeCredential(ctx, c, keep, s.until(s.Now())); err != nil {
		return fmt.Errorf("change a credential: %w", err)
	}
	return s.synced(ctx)
}

// Delete deletes a user, and ends all that they have of sessions and tokens.
func (s *Service) Delete(ctx context.Context, userID string) error {
	if err := s.Store.DeleteUser(ctx, userID, s.until(s.Now())); err != nil {
		return fmt.Errorf("delete a user: %w", err)
	}
	return s.synced(ctx)
}

// revocation makes void what tokens have the user's present epoch.
func (s *Service) revocation(user store.User) store.Revocation {
	return store.Revocation{Key: user.Epoch, ExpiresAt: s.until(s.Now())}
}

// synced makes this node know what has been ended before anybody is told so.
func (s *Service) synced(ctx context.Context) error {
	if err := s.Revoked.Load(ctx); err != nil {
		return fmt.Errorf("%w: %w", errNotKnownYet, err)
	}
	return nil
}
