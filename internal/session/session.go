// Package session keeps logins alive and ends them.
//
// A login opens a session. Its holder has an access token, which is good for minutes and is checked without the
// database, and a refresh token, which buys the next pair. A session ends when it is not used for too long, when it is
// too old, when somebody ends it, and when one of its old refresh tokens turns up, which only a copy of it can explain.
package session

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/token"
)

// Limits says how long sessions live.
type Limits struct {
	// Idle ends a session that was not refreshed for so long, Max any session so long after its login.
	Idle, Max time.Duration
	// Brief ends, in place of Idle and Max, a session that is not to be remembered.
	Brief time.Duration
	// PerUser is how many sessions a user may have; beyond it those used the longest ago end. 0 is no limit.
	PerUser int
	// Grace is how long the token before the newest two is good, once the newest was made.
	Grace time.Duration
	// Fresh is how long after a login what is sensitive may be done.
	Fresh time.Duration
}

// Revoked knows which sessions and epochs have ended. *revocation.Set is it.
type Revoked interface {
	// Ended reports whether one of them has.
	Ended(session, epoch string) bool
	// Load takes in what the store has of them.
	Load(ctx context.Context) error
}

// Config is what a Service is made of. Every field but Cookies is required.
type Config struct {
	Store interface {
		store.Users
		store.Credentials
		store.Sessions
		store.Revocations
	}
	Tokens  *token.Service
	Revoked Revoked
	Audit   *audit.Log
	// Key makes the MACs of refresh tokens.
	Key    []byte
	Limits Limits
	// Cookies carry the tokens of browsers.
	Cookies Cookies
	Log     *slog.Logger
	Now     func() time.Time
}

// Service opens, refreshes and ends sessions. It is safe for concurrent use, and several processes on one store are.
type Service struct {
	Config
	counts struct{ opened, rotated, repeated, refused, reused atomic.Uint64 }
}

// Stats counts what a Service has done since the process began.
type Stats struct {
	// Opened sessions; refreshes that Rotated the token, that Repeated the successor it had, that Reused an old one and so
	// ended their session, and that were Refused for another reason.
	Opened, Rotated, Repeated, Refused, Reused uint64
}

// Stats returns the counts of now.
func (s *Service) Stats() Stats {
	c := &s.counts
	return Stats{c.opened.Load(), c.rotated.Load(), c.repeated.Load(), c.refused.Load(), c.reused.Load()}
}

// New returns a Service.
func New(cfg Config) (*Service, error) {
	l := cfg.Limits
	switch {
	case len(cfg.Key) < 32:
		return nil, errors.New("session: the key is too short")
	case l.Idle <= 0, l.Max <= 0, l.Brief <= 0, l.Grace < 0, l.Fresh <= 0, l.PerUser < 0:
		return nil, errors.New("session: a limit is missing")
	}
	return &Service{Config: cfg}, nil
}

// Client is who uses a session: the address, and how the client describes itself.
type Client struct{ Addr, Device, RequestID string }

// Login is a login that has succeeded.
type Login struct {
	User store.User
	// Proof is the credential that was proved.
	Proof store.Proof
	// Methods are the ways in which it was proved (RFC 8176).
	Methods []string
	// Brief says that the session is not to be remembered.
	Brief  bool
	Client Client
	// Counters are swapped, as they were at CountedAt, and Events appended, in the commit that opens the session.
	Counters  []store.Counter
	CountedAt time.Time
	Events    []store.Event
}

// Opened is a new session.
type Opened struct {
	Session store.Session
	Tokens  Tokens
	// Swapped says of each of the login's Counters whether it was written.
	Swapped []bool
}

// Tokens are what the holder of a session has.
type Tokens struct {
	Access  token.Access
	Refresh string
	// RefreshTTL is how long Refresh is good if it is not used. Brief says that the session is not to be remembered.
	RefreshTTL time.Duration
	Brief      bool
}

// NewEpoch returns a text that no user has as epoch.
func NewEpoch() string { return rand.Text() }

// Open opens a session. It returns [store.ErrConflict] when the credential has changed since it was proved, or when the
// user was disabled or all their sessions ended since they were read; [store.ErrNotFound] when the user is gone.
func (s *Service) Open(ctx context.Context, l Login) (Opened, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Opened{}, err
	}
	now := s.Now().UTC()
	t := newRefreshToken(id, 1)
	c := chain{newest: t.hash()}
	record := store.Session{
		ID: id.String(), UserID: l.User.ID, Epoch: l.User.Epoch, Generation: 1, Chain: c.encode(),
		Methods: l.Methods, Brief: l.Brief, Device: plain(l.Client.Device), Client: l.Client.Addr,
		AuthAt: now, CreatedAt: now, LastUsedAt: now,
	}
	record.ExpiresAt = s.expiry(record, now)
	opened, err := s.Store.CreateSession(ctx, store.Opening{
		Session: record, Proof: l.Proof, Limit: s.Limits.PerUser, Until: s.until(now),
		Counters: l.Counters, Now: l.CountedAt, Events: l.Events,
	})
	if err != nil {
		return Opened{}, fmt.Errorf("open a session: %w", err)
	}
	s.counts.opened.Add(1)
	if opened.Ended > 0 {
		if err := s.synced(ctx); err != nil {
			s.Log.LogAttrs(ctx, slog.LevelWarn, "a session was opened, and others may have ended", slog.Any("error", err))
		}
	}
	tokens, err := s.tokens(record, l.User, t, now)
	return Opened{Session: record, Tokens: tokens, Swapped: opened.Swapped}, err
}

// tokens mints the access token that goes with a refresh token.
func (s *Service) tokens(record store.Session, user store.User, t refreshToken, now time.Time) (Tokens, error) {
	access, err := s.Tokens.Mint(token.Grant{
		User: user, Session: record.ID, AuthAt: record.AuthAt, Methods: record.Methods, NotAfter: s.ends(record),
	})
	if errors.Is(err, token.ErrEnded) { // in the very second in which it ends
		return Tokens{}, ErrInvalid
	}
	if err != nil {
		return Tokens{}, fmt.Errorf("session: %w", err)
	}
	return Tokens{Access: access, Refresh: t.encode(s.Key), RefreshTTL: record.ExpiresAt.Sub(now), Brief: record.Brief}, nil
}

// end is when the session ends however much it is used. It follows the settings, not those at the login.
func (s *Service) end(record store.Session) time.Time {
	if record.Brief {
		return record.CreatedAt.Add(s.Limits.Brief)
	}
	return record.CreatedAt.Add(s.Limits.Max)
}

// ends is when the session ends if it is not used again.
func (s *Service) ends(record store.Session) time.Time {
	if end := s.end(record); end.Before(record.ExpiresAt) { // the settings have changed
		return end
	}
	return record.ExpiresAt
}

// expiry is when the session ends if it is not used after now.
func (s *Service) expiry(record store.Session, now time.Time) time.Time {
	end := s.end(record)
	if idle := now.Add(s.Limits.Idle); idle.Before(end) {
		return idle
	}
	return end
}

// until is how long it must be known that a token issued by now is void.
func (s *Service) until(now time.Time) time.Time {
	return now.Add(s.Tokens.Lifetime())
}

// maxDevice is how much of a client's description of itself is kept, in bytes.
const maxDevice = 200

// plain returns a User-Agent as it may be shown: without what does not print, and not too long.
func plain(device string) string {
	device = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, device)
	if len(device) > maxDevice {
		device = strings.ToValidUTF8(device[:maxDevice], "")
	}
	return device
}
