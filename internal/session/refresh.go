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

// errReused is the ErrInvalid of a token that has just ended its session.
var errReused = fmt.Errorf("%w: it was used before", ErrInvalid)

// Refresh buys new tokens for a refresh token, or returns [ErrInvalid].
//
// The newest token makes a successor; of several callers with it, one does, in one conditional write, and all get the same
// successor. The token before it gives that successor again, however late: its answer may have been lost, and what it
// leads to has not been used. Once that has been used, it does so for the grace only. An older token that this server
// made has been copied, or its holder has: the session ends.
func (s *Service) Refresh(ctx context.Context, text string, client Client) (tokens Tokens, err error) {
	tokens, err = s.refresh(ctx, text, client)
	if errors.Is(err, store.ErrConflict) { // somebody was faster with the same token, which is no longer the newest
		tokens, err = s.refresh(ctx, text, client)
	}
	switch {
	case err == nil:
		return tokens, nil
	case errors.Is(err, errReused):
		s.counts.reused.Add(1)
	case errors.Is(err, ErrInvalid):
		s.counts.refused.Add(1)
	}
	return Tokens{}, fmt.Errorf("refresh: %w", err)
}

func (s *Service) refresh(ctx context.Context, text string, client Client) (Tokens, error) {
	p, err := s.present(ctx, text)
	if err != nil {
		return Tokens{}, err
	}
	switch p.standing {
	case newest:
		return s.rotate(ctx, p, client)
	case parent:
		return s.again(p, p.chain.parent)
	case grandparent:
		return s.again(p, p.chain.grandparent)
	case old:
		return Tokens{}, s.reused(ctx, p.record, client)
	}
	return Tokens{}, ErrInvalid
}

// Whose returns the user and the session that a refresh token belongs to which is as good as for Refresh, or [ErrInvalid].
// An old one ends its session here too.
func (s *Service) Whose(ctx context.Context, text string, client Client) (userID, session string, err error) {
	p, err := s.present(ctx, text)
	switch {
	case err == nil && p.standing == old:
		err = s.reused(ctx, p.record, client)
	case err == nil && p.standing == unknown:
		err = ErrInvalid
	}
	if err != nil {
		return "", "", fmt.Errorf("session of a refresh token: %w", err)
	}
	return p.user.ID, p.record.ID, nil
}

// presented is a refresh token with its session, which is alive.
type presented struct {
	token    refreshToken
	record   store.Session
	user     store.User
	chain    chain
	standing standing
	now      time.Time
}

// standing is what a refresh token is to its session.
type standing int

const (
	// unknown is a token that was made here, and of another history than the record: the database was restored from a copy
	// older than the token. Nobody has used an old token, so nobody is suspected, but what came after the copy is lost.
	unknown standing = iota
	newest
	parent
	grandparent // within the grace
	old
)

// present finds the session of a token, or returns ErrInvalid.
func (s *Service) present(ctx context.Context, text string) (p presented, err error) {
	t, ok := parseRefreshToken(s.Key, text)
	if !ok {
		return p, ErrInvalid
	}
	record, user, err := s.Store.Session(ctx, t.session.String())
	if errors.Is(err, store.ErrNotFound) {
		return p, ErrInvalid
	}
	if err != nil {
		return p, err
	}
	now := s.Now().UTC()
	if err := s.alive(ctx, record, user, now); err != nil {
		return p, err
	}
	c, err := decodeChain(record.Chain)
	return presented{t, record, user, c, s.standing(t, record, c, now), now}, err
}

// alive returns ErrInvalid for a session that has ended. One that has expired is deleted, so that no clock that is set
// back revives it.
func (s *Service) alive(ctx context.Context, record store.Session, user store.User, now time.Time) error {
	switch {
	case record.Epoch != user.Epoch, user.Disabled():
		return ErrInvalid
	case !now.Before(s.ends(record)):
		if err := s.End(ctx, user.ID, store.Which{Only: record.ID}); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return ErrInvalid
	}
	return nil
}

func (s *Service) standing(t refreshToken, record store.Session, c chain, now time.Time) standing {
	switch behind := record.Generation - int64(t.generation); {
	case behind == 0 && c.newest == t.hash():
		return newest
	case behind == 1 && c.parent.is(t):
		return parent
	case behind == 2 && c.grandparent.is(t) && now.Sub(c.usedAt).Abs() < s.Limits.Grace:
		return grandparent
	case behind >= 2:
		return old
	}
	return unknown
}

// rotate makes the successor of the newest token. [store.ErrConflict] says that somebody was faster.
func (s *Service) rotate(ctx context.Context, p presented, client Client) (Tokens, error) {
	if p.token.generation == math.MaxUint32 {
		return Tokens{}, ErrInvalid
	}
	successor := newRefreshToken(p.token.session, p.token.generation+1)
	c := p.chain.next(p.token, successor, p.now)
	record := p.record
	record.Generation++
	record.Chain = c.encode()
	record.Device, record.Client = plain(client.Device), client.Addr
	if p.now.After(record.LastUsedAt) {
		record.LastUsedAt = p.now
	}
	record.ExpiresAt = s.expiry(record, p.now)
	err := s.Store.RotateSession(ctx, record)
	if errors.Is(err, store.ErrNotFound) { // ended meanwhile
		return Tokens{}, ErrInvalid
	}
	if err != nil {
		return Tokens{}, err
	}
	s.counts.rotated.Add(1)
	return s.tokens(record, p.user, successor, p.now)
}

// again gives the successor that the token has already.
func (s *Service) again(p presented, l link) (Tokens, error) {
	successor, err := l.successor(p.token)
	if err != nil {
		return Tokens{}, err
	}
	s.counts.repeated.Add(1)
	return s.tokens(p.record, p.user, successor, p.now)
}

// endTimeout bounds what has to be done whether its client still waits or not.
const endTimeout = 15 * time.Second

// reused ends the session of which an old token has turned up, and returns errReused; ErrInvalid if somebody else was
// faster.
func (s *Service) reused(ctx context.Context, record store.Session, client Client) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout) // whoever has sent it may hang up
	defer cancel()
	err := s.End(ctx, record.UserID, store.Which{Only: record.ID})
	if errors.Is(err, store.ErrNotFound) {
		return ErrInvalid
	}
	if err != nil {
		return fmt.Errorf("end a session whose old refresh token was used: %w", err)
	}
	s.Log.LogAttrs(ctx, slog.LevelWarn, "an old refresh token was used: its session has been ended",
		slog.String("user", record.UserID), slog.String("session", record.ID), slog.String("client", client.Addr),
		slog.String("request_id", client.RequestID))
	err = s.Audit.Record(ctx, store.Event{
		Kind: "refresh", Result: audit.Failed, Reason: "reused", UserID: record.UserID, Client: client.Addr, RequestID: client.RequestID,
	})
	if err != nil {
		return err
	}
	return errReused
}
