package login

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/ratelimit"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/token"
	"github.com/countersign-auth/countersign/password"
)

// ErrInvalid says that the attempt was refused: unknown subject, wrong credential, disabled user. Which of them it was
// stands in the audit event alone.
var ErrInvalid = errors.New("login: invalid credentials")

// Attempt is somebody trying to log in.
type Attempt struct {
	// Method is the login method's name.
	Method string
	// Client is who attempts.
	Client Client
	// Account is the canonical name of the account or, when what was given is none, that text. It is throttled the same
	// whether there is such an account or not.
	Account string
	// Guess is the secret that is tried, by which one secret tried on many accounts is noticed. Empty when the method's
	// secrets cannot be guessed.
	Guess string
	// Reserve keeps a place for the check, or returns why there is none, such as a [password.OverloadError]. It must be
	// cheap: a flood gets no further. Release is called when the check begins or is not to be. Nil means that there
	// is always a place.
	Reserve func() (release func(), err error)
	// Verify checks the credential and returns the id of its user; false when it is not right. It does the same work
	// whether the user exists or not. An error is a technical fault, or says that nothing was checked.
	Verify func(ctx context.Context) (userID string, ok bool, err error)
	// Passed, if set, is called when the login is certain, for what the method does then.
	Passed func(ctx context.Context)
}

// Client is where a request comes from.
type Client struct {
	Addr      netip.Addr
	RequestID string
	// Devices are the tokens of earlier logins that the client sent along.
	Devices []string
}

// Text returns the address as text; empty when there is none, as for a command.
func (c Client) Text() string {
	if !c.Addr.IsValid() {
		return ""
	}
	return c.Addr.String()
}

// Network names all that may be one client: an address or, of IPv6, a whole site (/48), whose 65,536 networks would
// otherwise have as many turns.
func (c Client) Network() string { return cmp.Or(api.Site(c.Addr), api.Source(c.Addr)) }

// Session is a login that succeeded.
type Session struct {
	User   store.User
	Access token.Access
	// Device is the token by which the client's device is known from now on.
	Device string
}

// Config is what a Flow is made of. Every field is required.
type Config struct {
	Users   store.Users
	Tokens  *token.Service
	Logins  *ratelimit.Logins
	Devices *ratelimit.Devices
	Spray   *ratelimit.Spray
	Audit   *audit.Log
	// SubjectKey makes the fingerprints by which the audit log tells accounts apart.
	SubjectKey []byte
	Log        *slog.Logger
	Now        func() time.Time
}

// Flow leads an attempt to a session. It is safe for concurrent use.
type Flow struct{ Config }

// NewFlow returns a Flow.
func NewFlow(cfg Config) *Flow { return &Flow{cfg} }

// settleTimeout bounds what has to be written after a check, whether its client still waits or not.
const settleTimeout = 15 * time.Second

// Attempt verifies and, on success, opens a session. ErrInvalid refuses after a check; a [ratelimit.Refusal] and a
// [password.OverloadError] refuse without one and say when to come back.
//
// The throttles count before the check, so that of many guesses at once no more are checked than are allowed. What was
// checked has its consequences even if the client hangs up meanwhile.
func (f *Flow) Attempt(ctx context.Context, a Attempt) (Session, error) {
	release := func() {}
	if a.Reserve != nil {
		var err error
		if release, err = a.Reserve(); err != nil {
			return Session{}, f.refused(a, err)
		}
		defer release()
	}
	deviceToken, deviceID := f.device(a)
	entry, err := f.Logins.Enter(ctx, ratelimit.Attempt{Account: a.Account, Client: a.Client.Addr, Device: deviceID})
	if err != nil {
		return Session{}, f.refused(a, err)
	}
	release()
	userID, ok, err := a.Verify(ctx)
	hungUp := ctx.Err() != nil
	passing := ctx

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	if err != nil {
		return Session{}, f.unchecked(ctx, a, entry, err, hungUp)
	}
	user, err := f.Users.User(ctx, userID) // also when it is not needed, for its time
	switch {
	case !ok:
		return Session{}, f.failed(ctx, a, entry, userID, "wrong_credential")
	case errors.Is(err, store.ErrNotFound): // deleted meanwhile
		return Session{}, f.failed(ctx, a, entry, userID, "no_user")
	case err != nil:
		return Session{}, fmt.Errorf("login by %s: %w", a.Method, err)
	case user.Disabled():
		return Session{}, f.failed(ctx, a, entry, userID, "disabled")
	}
	if a.Passed != nil {
		a.Passed(passing)
	}
	return f.open(ctx, a, entry, user, deviceToken)
}

// open makes the session.
func (f *Flow) open(ctx context.Context, a Attempt, entry *ratelimit.Entry, user store.User, deviceToken string) (Session, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Session{}, err
	}
	access, err := f.Tokens.Mint(token.Grant{User: user, Session: id.String(), AuthAt: f.Now()})
	if err != nil {
		return Session{}, fmt.Errorf("login by %s: %w", a.Method, err)
	}
	if err := f.record(ctx, a, user.ID, audit.OK, ""); err != nil {
		return Session{}, err // no session that the audit log does not know of
	}
	if err := entry.Passed(ctx); err != nil { // its owner may have to wait the longer next time, but is in
		f.warn(ctx, "a login that is right still counts as failed", user.ID, err)
	}
	if deviceToken == "" {
		deviceToken = f.Devices.Issue(a.Account, f.Now())
	}
	return Session{User: user, Access: access, Device: deviceToken}, nil
}

// failed settles an attempt that was checked and is refused, and returns ErrInvalid.
func (f *Flow) failed(ctx context.Context, a Attempt, entry *ratelimit.Entry, userID, reason string) error {
	entry.Failed()
	if a.Guess != "" && reason == "wrong_credential" {
		n, noticed := f.Spray.Failed(a.Guess, a.Account)
		if err := entry.Weigh(ctx, f.Spray.Weight(n)); err != nil {
			f.warn(ctx, "a sprayed password counts no more than another", userID, err)
		}
		if noticed {
			f.Log.LogAttrs(ctx, slog.LevelWarn, "one wrong password is tried on many accounts",
				slog.Int("accounts", n), slog.String("client", a.Client.Text()), slog.String("request_id", a.Client.RequestID))
			reason = "sprayed_credential"
		}
	}
	if err := f.record(ctx, a, userID, audit.Failed, reason); err != nil {
		return err
	}
	return ErrInvalid
}

// unchecked settles an attempt whose credential was not checked, and returns err. Who hangs up meanwhile has made the server
// work all the same: that stays on the account of the address, if not of the user.
func (f *Flow) unchecked(ctx context.Context, a Attempt, entry *ratelimit.Entry, err error, hungUp bool) error {
	settle := entry.Withdraw
	if hungUp {
		settle = entry.Abandoned
		f.Audit.Refused(f.event(a, "", audit.Refused, "hung_up"))
	}
	if settleErr := settle(ctx); settleErr != nil {
		f.warn(ctx, "an attempt that was not checked still counts as failed", "", settleErr)
	}
	return f.refused(a, err)
}

// refused counts an attempt that was not checked, if that is what err says, and returns err.
func (f *Flow) refused(a Attempt, err error) error {
	var refusal *ratelimit.Refusal
	var overload *password.OverloadError
	switch {
	case errors.As(err, &refusal):
		f.Audit.Refused(f.event(a, "", audit.Refused, "throttled_"+refusal.Reason))
	case errors.As(err, &overload):
		f.Audit.Refused(f.event(a, "", audit.Refused, "busy"))
	}
	return fmt.Errorf("login by %s: %w", a.Method, err)
}

func (f *Flow) record(ctx context.Context, a Attempt, userID, result, reason string) error {
	if err := f.Audit.Record(ctx, f.event(a, userID, result, reason)); err != nil {
		return fmt.Errorf("login by %s: %w", a.Method, err)
	}
	return nil
}

func (f *Flow) event(a Attempt, userID, result, reason string) store.Event {
	return store.Event{
		Kind: "login", Result: result, Reason: reason, UserID: userID, Subject: f.Subject(a.Account), Method: a.Method,
		Client: a.Client.Text(), RequestID: a.Client.RequestID,
	}
}

// subjectBytes is how much of a fingerprint is kept: enough that no two accounts share one by chance.
const subjectBytes = 12

// Subject returns the fingerprint by which the audit log knows what was given as the name of an account.
func (f *Flow) Subject(account string) string {
	mac := hmac.New(sha256.New, f.SubjectKey)
	mac.Write([]byte(account))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:subjectBytes])
}

// device returns the client's token that is good for the account, and the id in it; nothing if there is none.
func (f *Flow) device(a Attempt) (deviceToken, id string) {
	for _, t := range a.Client.Devices {
		if id, ok := f.Devices.Check(t, a.Account, f.Now()); ok {
			return t, id
		}
	}
	return "", ""
}

func (f *Flow) warn(ctx context.Context, what, userID string, err error) {
	f.Log.LogAttrs(ctx, slog.LevelWarn, what, slog.String("user", userID), slog.Any("error", err))
}
