package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/store"
)

// ErrInvalid says that a refresh token buys nothing: it was not made here, or its session has ended.
var ErrInvalid = errors.New("session: the refresh token is not valid")

// maxRaces is how often a refresh looks again because others were faster. One look is enough unless they go on using
// what they got.
const maxRaces = 4

// Refresh buys new tokens for a refresh token, or returns [ErrInvalid].
//
// The newest token makes a successor; of several callers with it, one does, in one conditional write, and all get the same
// successor. The token before it gives that successor again, however late: its answer may have been lost, and what it
// leads to has not been used. Once that has been used, it does so for the grace only. An older token that this server
// made has been copied, or its holder has: the session ends.
func (s *Service) Refresh(ctx context.Context, text string, client Client) (Tokens, error) {
	tokens, err := s.refresh(ctx, text, client)
	if errors.Is(err, ErrInvalid) {
		s.counts.refused.Add(1)
	}
	return tokens, err
}

func (s *Service) refresh(ctx context.Context, text string, client Client) (Tokens, error) {
	t, ok := parseRefreshToken(s.Key, text)
	if !ok {
		return Tokens{}, ErrInvalid
	}
	for range maxRaces {
		record, user, err := s.Store.Session(ctx, t.session.String())
		if errors.Is(err, store.ErrNotFound) {
			return Tokens{}, ErrInvalid
		}
		if err != nil {
			return Tokens{}, fmt.Errorf("refresh: %w", err)
		}
		now := s.Now().UTC()
		if err := s.alive(ctx, record, user, now); err != nil {
			return Tokens{}, err
		}
		tokens, err := s.follow(ctx, t, record, user, client, now)
		if !errors.Is(err, store.ErrConflict) {
			return tokens, err
		}
	}
	return Tokens{}, fmt.Errorf("refresh: %w", store.ErrConflict)
}

// alive returns ErrInvalid for a session that has ended. One that has expired is deleted, so that no clock that is set
// back revives it.
func (s *Service) alive(ctx context.Context, record store.Session, user store.User, now time.Time) error {
	switch {
	case record.Epoch != user.Epoch, user.Disabled():
		return ErrInvalid
	case !now.Before(record.ExpiresAt), !now.Before(s.end(record)):
		if _, err := s.Store.EndSessions(ctx, user.ID, store.Which{Only: record.ID}, s.until(now)); err != nil {
			return fmt.Errorf("refresh: %w", err)
		}
		return ErrInvalid
	}
	return nil
}

// follow finds the token in the session's chain. ErrConflict says that the record has changed meanwhile.
func (s *Service) follow(ctx context.Context, t refreshToken, record store.Session, user store.User, client Client, now time.Time) (Tokens, error) {
	c, err := decodeChain(record.Chain)
	if err != nil {
		return Tokens{}, err
	}
	generation := int64(t.generation)
	switch behind := record.Generation - generation; {
	case behind == 0 && c.newest == t.hash():
		return s.rotate(ctx, t, c, record, user, client, now)
	case behind == 1 && c.parent.is(t):
		return s.again(c.parent, t, record, user, now)
	case behind == 2 && c.grandparent.is(t) && now.Sub(c.usedAt).Abs() < s.Limits.Grace:
		return s.again(c.grandparent, t, record, user, now)
	case behind >= 2:
		return Tokens{}, s.reused(ctx, record, client)
	default:
		// Made here, and of another history than the record: the database was restored from a copy older than the token.
		// Nobody has used an old token, so nobody is suspected, but what came after the copy is lost.
		return Tokens{}, ErrInvalid
	}
}

// rotate makes the successor of the newest token.
func (s *Service) rotate(ctx context.Context, t refreshToken, c chain, record store.Session, user store.User, client Client, now time.Time) (Tokens, error) {
	if t.generation == math.MaxUint32 {
		return Tokens{}, ErrInvalid
	}
	successor := newRefreshToken(t.session, t.generation+1)
	c = c.next(t, successor, now)
	record.Generation++
	record.Chain = c.encode()
	record.Device, record.Client = plain(client.Device), client.Addr
	if now.After(record.LastUsedAt) {
		record.LastUsedAt = now
	}
	record.ExpiresAt = s.expiry(record, now)
	if err := s.Store.RotateSession(ctx, record); err != nil {
		if errors.Is(err, store.ErrNotFound) { // ended meanwhile
			return Tokens{}, ErrInvalid
		}
		return Tokens{}, fmt.Errorf("refresh: %w", err)
	}
	s.counts.rotated.Add(1)
	return s.tokens(record, user, successor, now)
}

// again gives the successor that the token has already.
func (s *Service) again(l link, t refreshToken, record store.Session, user store.User, now time.Time) (Tokens, error) {
	successor, err := l.successor(t)
	if err != nil {
		return Tokens{}, err
	}
	s.counts.repeated.Add(1)
	return s.tokens(record, user, successor, now)
}

// reused ends the session of which an old token has turned up, and returns ErrInvalid.
func (s *Service) reused(ctx context.Context, record store.Session, client Client) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout) // whoever has sent it may hang up
	defer cancel()
	if err := s.End(ctx, record.UserID, store.Which{Only: record.ID}); err != nil {
		return fmt.Errorf("end a session whose old refresh token was used: %w", err)
	}
	s.counts.reused.Add(1)
	s.Log.LogAttrs(ctx, slog.LevelWarn, "an old refresh token was used: its session has been ended",
		slog.String("user", record.UserID), slog.String("session", record.ID), slog.String("client", client.Addr),
		slog.String("request_id", client.RequestID))
	err := s.Audit.Record(ctx, store.Event{
		Kind: "refresh", Result: audit.Failed, Reason: "reused", UserID: record.UserID, Client: client.Addr, RequestID: client.RequestID,
	})
	if err != nil {
		return fmt.Errorf("refresh: %w", err)
	}
	return ErrInvalid
}

// endTimeout bounds what has to be done whether its client still waits or not.
const endTimeout = 15 * time.Second

// Whose returns the user and the session that a refresh token of whatever age belongs to, or [ErrInvalid]: to end a
// session any of its tokens will do.
func (s *Service) Whose(ctx context.Context, text string) (userID, session string, err error) {
	t, ok := parseRefreshToken(s.Key, text)
	if !ok {
		return "", "", ErrInvalid
	}
	record, user, err := s.Store.Session(ctx, t.session.String())
	if errors.Is(err, store.ErrNotFound) {
		return "", "", ErrInvalid
	}
	if err != nil {
		return "", "", fmt.Errorf("session of a refresh token: %w", err)
	}
	return user.ID, record.ID, nil
}
