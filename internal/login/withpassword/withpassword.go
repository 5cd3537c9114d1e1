// Package withpassword is the login method of an e-mail address and a password. It owns sign-up, login and every rule
// about passwords.
package withpassword

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/login"
	"github.com/countersign-auth/countersign/internal/ratelimit"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/password"
	"github.com/countersign-auth/countersign/problem"
)

// Method is the name of this method in credentials and events.
const Method = "password"

// ErrTaken says that the address belongs to a user already.
var ErrTaken = errors.New("withpassword: the address is taken")

// ErrIDTaken says that the id that a new user was to have belongs to a user already.
var ErrIDTaken = errors.New("withpassword: the id is taken")

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
	Reserve() (release func(), err error)
}

// Config is what a Service is made of. Every field is required.
type Config struct {
	Users interface {
		store.Users
		store.Credentials
	}
	// Hasher returns the hasher for what is asked under that claim.
	Hasher  func(password.Claim) Hasher
	Flow    *login.Flow
	Signups *ratelimit.Signups
	Audit   *audit.Log
	Log     *slog.Logger
	Now     func() time.Time
	// Policy decides which new passwords are taken.
	Policy *Policy
	// HideTaken makes a sign-up with a taken address look like any other.
	HideTaken bool
}

// Service signs users up and logs them in. It is safe for concurrent use.
type Service struct{ Config }

// New returns a Service.
func New(cfg Config) *Service { return &Service{cfg} }

// data is what a credential of this method holds.
type data struct {
	Hash string `json:"hash"`
	// Imported marks a hash that other software made: it is compared with the password as sent, bcrypt as Node's does, until
	// its first login here.
	Imported bool `json:"imported,omitempty"`
}

// decode returns what is in a credential of this method.
func decode(c store.Credential) (d data, err error) {
	if err := json.Unmarshal(c.Data, &d); err != nil {
		return d, errors.New("a credential is not readable") // the decoder's error could quote the hash
	}
	return d, nil
}

func (d data) encode() []byte {
	b, _ := json.Marshal(d) // a string and a bool always marshal
	return b
}

// credential returns the first credential of a user.
func (d data) credential(u store.User) store.Credential {
	return store.Credential{
		UserID: u.ID, Method: Method, Key: u.EmailKey, Data: d.encode(), CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt, Version: 1,
	}
}

// Imported returns the credential of a user whose password other software has hashed, in one of the forms that
// [password.Inspect] calls verifiable. The first login renews it.
func Imported(u store.User, hash string) store.Credential {
	return data{Hash: hash, Imported: true}.credential(u)
}

// Hashed returns the credential of a user whose password the service's Hasher has hashed.
func Hashed(u store.User, hash string) store.Credential { return data{Hash: hash}.credential(u) }

// LogIn opens a session for the user with that address and password. Its errors are those of [login.Flow.Attempt].
func (s *Service) LogIn(ctx context.Context, email, pw string, brief bool, client login.Client) (login.Session, error) {
	account := email
	address, err := login.ParseAddress(email)
	if err == nil {
		account = address.Key
	}
	a := s.attempt(account, address.Key, pw, client)
	a.Brief = brief
	return s.Flow.Attempt(ctx, a)
}

// attempt is one at the password of the user with that key. Account names the same for the throttles.
func (s *Service) attempt(account, key, pw string, client login.Client) login.Attempt {
	hasher := s.Hasher(claim(client, account))
	return login.Attempt{
		Method: Method, Proves: "pwd", Client: client, Account: account, Guess: pw,
		Reserve: hasher.Reserve, Key: key,
		Verify: func(ctx context.Context, c store.Credential) (bool, error) {
			return check(ctx, hasher, c, pw)
		},
		Passed: func(ctx context.Context, c store.Credential) store.Credential {
			return s.renewIfNeeded(ctx, hasher, c, pw)
		},
	}
}

// claim is for whom a hash is computed: the client's turn, and of the account no more than a few at a time.
func claim(client login.Client, account string) password.Claim {
	return password.Claim{Client: client.Network(), Subject: account}
}

// check reports whether a password is that of a credential. It does the same work for an empty one, which stands for a user
// who is not there, or has no password.
func check(ctx context.Context, hasher Hasher, c store.Credential, pw string) (bool, error) {
	if c.Method == "" {
		return false, hasher.VerifyAbsent(ctx, pw)
	}
	d, err := decode(c)
	if err != nil {
		return false, err
	}
	if d.Imported {
		return hasher.VerifyImported(ctx, d.Hash, pw)
	}
	return hasher.Verify(ctx, d.Hash, pw)
}

// verify checks the password of the user with that address, and returns the credential as it is now.
func (s *Service) verify(ctx context.Context, hasher Hasher, key, pw string) (c store.Credential, ok bool, err error) {
	c, err = s.Users.Credential(ctx, Method, key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return c, false, err
	}
	ok, err = check(ctx, hasher, c, pw)
	return c, ok, err
}

// renewIfNeeded renews a hash that is not what would be written today, and returns the credential as it is then.
func (s *Service) renewIfNeeded(ctx context.Context, hasher Hasher, c store.Credential, pw string) store.Credential {
	if d, err := decode(c); err != nil || !d.Imported && !hasher.NeedsRehash(d.Hash) {
		return c
	}
	return s.renew(ctx, hasher, c, pw)
}

// renew hashes a password that was right under the settings of today. What goes wrong here must not refuse a login
// that is right; it is tried again at the next one. A password change that happens meanwhile wins, by Version, but the
// renewal by another login of the same user does not refuse this one.
func (s *Service) renew(ctx context.Context, hasher Hasher, c store.Credential, pw string) store.Credential {
	hash, err := hasher.Hash(ctx, pw)
	if err == nil {
		renewed := c
		renewed.Data, renewed.UpdatedAt = data{Hash: hash}.encode(), s.Now()
		if err = s.Users.UpdateCredential(ctx, renewed); err == nil {
			renewed.Version++
			return renewed
		}
	}
	if !errors.Is(err, store.ErrConflict) {
		s.Log.LogAttrs(ctx, slog.LevelWarn, "password hash not renewed", slog.String("user", c.UserID), slog.Any("error", err))
		return c
	}
	return s.changed(ctx, hasher, c, pw)
}

// changed returns the credential as somebody else has written it since, if the password is still right; else as it was,
// which no longer opens a session.
func (s *Service) changed(ctx context.Context, hasher Hasher, c store.Credential, pw string) store.Credential {
	if now, ok, err := s.verify(ctx, hasher, c.Key, pw); err == nil && ok && now.UserID == c.UserID {
		return now
	}
	return c
}
