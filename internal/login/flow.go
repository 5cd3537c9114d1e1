package login

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/ratelimit"
	"github.com/countersign-auth/countersign/internal/session"
	"github.com/countersign-auth/countersign/internal/store"
)

// ErrInvalid says that the attempt was refused: unknown subject, wrong credential, disabled user. Which of them it was
// stands in the audit event alone.
var ErrInvalid = errors.New("login: invalid credentials")

// Attempt is somebody trying to log in.
type Attempt struct {
	// Method is the login method's name.
	Method string
	// Proves is what the method proves, as RFC 8176 names it.
	Proves string
	// Brief says that the session is not to be remembered.
	Brief bool
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
	// Key is what the method would know the user's credential by. There may be none.
	Key string
	// Verify checks the credential of that key, which is empty when there is none; false when it is not right. It does the
	// same work in both cases. An error is a technical fault, or says that nothing was checked.
	Verify func(ctx context.Context, c store.Credential) (ok bool, err error)
	// Passed, if set, is called when the login is certain, for what the method does then. It returns the credential as
	// it is after that.
	Passed func(ctx context.Context, c store.Credential) store.Credential
}

// Client is where a request comes from.
type Client struct {
	Addr      netip.Addr
	RequestID string
	// Devices are the tokens of earlier logins that the client sent along.
	Devices []string
	// Agent is how the client describes itself.
	Agent string
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
	Tokens session.Tokens
	// Device is the token by which the client's device is known from now on.
	Device string
}

// Config is what a Flow is made of. Every field is required.
type Config struct {
	Store    store.Logins
	Sessions *session.Service
	Logins   *ratelimit.Logins
	Devices  *ratelimit.Devices
	Spray    *ratelimit.Spray
	Audit    *audit.Log
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
	var opened Session
	err := f.attempt(ctx, "login", a, func(ctx context.Context, t *trial, p passed) (err error) {
		opened, err = t.open(ctx, p)
		return err
	})
	return opened, err
}

// Confirm verifies as Attempt does, with the same throttles, and opens nothing: somebody who is logged in proves again who
// they are, for what kind says. It returns the credential that was proved.
func (f *Flow) Confirm(ctx context.Context, kind string, a Attempt) (store.User, store.Credential, error) {
	var proved passed
	err := f.attempt(ctx, kind, a, func(ctx context.Context, t *trial, p passed) error {
		proved = p
		return t.confirmed(ctx, p.user.ID)
	})
	return proved.user, proved.credential, err
}

// passed is an attempt that was right.
type passed struct {
	user       store.User
	credential store.Credential
	// device is the token by which the client's device is known already; empty when it is not.
	device string
}

// attempt verifies, and calls then if all is well, which settles the trial.
func (f *Flow) attempt(ctx context.Context, kind string, a Attempt, then func(context.Context, *trial, passed) error) error {
	release := func() {}
	if a.Reserve != nil {
		var err error
		if release, err = a.Reserve(); err != nil {
			return f.refused(kind, a, err)
		}
		defer release()
	}
	deviceToken, deviceID := f.device(a)
	entry, candidate, err := f.enter(ctx, a, deviceID)
	if err != nil {
		return f.refused(kind, a, err)
	}
	release()
	t := &trial{Flow: f, Attempt: a, kind: kind, entry: entry}
	user, credential := candidate.User, candidate.Credential
	ok, err := a.Verify(ctx, credential)
	hungUp := ctx.Err() != nil
	passing := ctx

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	if err != nil {
		return t.unchecked(ctx, err, hungUp)
	}
	switch {
	case !ok:
		return t.failed(ctx, user.ID, "wrong_credential")
	case user.Disabled():
		return t.failed(ctx, user.ID, "disabled")
	}
	if a.Passed != nil {
		credential = a.Passed(passing, credential)
	}
	err = then(ctx, t, passed{user, credential, deviceToken})
	switch {
	case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrNotFound): // the credential or the user changed meanwhile
		return t.failed(ctx, user.ID, "changed_credential")
	case err != nil:
		return fmt.Errorf("%s by %s: %w", kind, a.Method, err)
	}
	return nil
}

// enter lets an attempt in, and returns who it may be: both in one look into the store.
func (f *Flow) enter(ctx context.Context, a Attempt, device string) (*ratelimit.Entry, store.Candidate, error) {
	var candidate store.Candidate
	looked := false
	look := func(ctx context.Context, now time.Time, counters ...string) (_ []store.Counter, err error) {
		candidate, err = f.Store.Candidate(ctx, a.Method, a.Key, now, counters...)
		looked = true
		return candidate.Counters, err
	}
	entry, err := f.Logins.Enter(ctx, ratelimit.Attempt{Account: a.Account, Client: a.Client.Addr, Device: device, Look: look})
	if err == nil && !looked { // nothing is counted
		_, err = look(ctx, f.Now())
	}
	return entry, candidate, err
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
