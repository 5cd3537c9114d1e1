package login

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"

	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/ratelimit"
	"github.com/countersign-auth/countersign/internal/session"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/password"
)

// trial is an attempt that the throttles have let in, until it is settled.
type trial struct {
	*Flow
	Attempt
	kind  string
	entry *ratelimit.Entry
}

// open opens the session, and settles the attempt in the same commit: nobody is told of it before the audit log knows.
func (t *trial) open(ctx context.Context, p passed) (Session, error) {
	event, err := t.Audit.Stamp(t.event(t.kind, t.Attempt, p.user.ID, audit.OK, ""))
	if err != nil {
		return Session{}, err
	}
	counters, now := t.entry.Passing()
	opened, err := t.Sessions.Open(ctx, session.Login{
		User:    p.user,
		Proof:   store.Proof{Method: p.credential.Method, Key: p.credential.Key, Version: p.credential.Version},
		Methods: []string{t.Proves}, Brief: t.Brief,
		Client:   session.Client{Addr: t.Client.Text(), Device: t.Client.Agent, RequestID: t.Client.RequestID},
		Counters: counters, CountedAt: now, Events: []store.Event{event},
	})
	if err != nil {
		return Session{}, err
	}
	t.Audit.Say(ctx, event)
	t.passed(ctx, p.user.ID, opened.Swapped...)
	if p.device == "" {
		p.device = t.Devices.Issue(t.Account, t.Now())
	}
	return Session{User: p.user, Tokens: opened.Tokens, Device: p.device}, nil
}

// confirmed settles an attempt that was right and opens nothing.
func (t *trial) confirmed(ctx context.Context, userID string) error {
	if err := t.record(ctx, userID, audit.OK, ""); err != nil {
		return err
	}
	t.passed(ctx, userID)
	return nil
}

// passed takes back what was counted against an attempt that was right. If that fails, its owner may have to wait the longer
// next time, but is in.
func (t *trial) passed(ctx context.Context, userID string, swapped ...bool) {
	if err := t.entry.Passed(ctx, swapped...); err != nil {
		t.warn(ctx, "a login that is right still counts as failed", userID, err)
	}
}

// failed settles an attempt that was checked and is refused, and returns ErrInvalid.
func (t *trial) failed(ctx context.Context, userID, reason string) error {
	t.entry.Failed()
	if t.Guess != "" && reason == "wrong_credential" {
		n, noticed := t.Spray.Failed(t.Guess, t.Account)
		if err := t.entry.Weigh(ctx, t.Spray.Weight(n)); err != nil {
			t.warn(ctx, "a sprayed password counts no more than another", userID, err)
		}
		if noticed {
			t.Log.LogAttrs(ctx, slog.LevelWarn, "one wrong password is tried on many accounts",
				slog.Int("accounts", n), slog.String("client", t.Client.Text()), slog.String("request_id", t.Client.RequestID))
			reason = "sprayed_credential"
		}
	}
	if err := t.record(ctx, userID, audit.Failed, reason); err != nil {
		return err
	}
	return ErrInvalid
}

// unchecked settles an attempt whose credential was not checked, and returns err. Who hangs up meanwhile has made the server
// work all the same: that stays on the account of the address, if not of the user.
func (t *trial) unchecked(ctx context.Context, err error, hungUp bool) error {
	settle := t.entry.Withdraw
	if hungUp {
		settle = t.entry.Abandoned
		t.Audit.Refused(t.event(t.kind, t.Attempt, "", audit.Refused, "hung_up"))
	}
	if settleErr := settle(ctx); settleErr != nil {
		t.warn(ctx, "an attempt that was not checked still counts as failed", "", settleErr)
	}
	return t.refused(t.kind, t.Attempt, err)
}

func (t *trial) record(ctx context.Context, userID, result, reason string) error {
	if err := t.Audit.Record(ctx, t.event(t.kind, t.Attempt, userID, result, reason)); err != nil {
		return fmt.Errorf("%s by %s: %w", t.kind, t.Method, err)
	}
	return nil
}

func (t *trial) warn(ctx context.Context, what, userID string, err error) {
	t.Log.LogAttrs(ctx, slog.LevelWarn, what, slog.String("user", userID), slog.Any("error", err))
}

// refused counts an attempt that was not checked, if that is what err says, and returns err.
func (f *Flow) refused(kind string, a Attempt, err error) error {
	var refusal *ratelimit.Refusal
	var overload *password.OverloadError
	switch {
	case errors.As(err, &refusal):
		f.Audit.Refused(f.event(kind, a, "", audit.Refused, "throttled_"+refusal.Reason))
	case errors.As(err, &overload):
		f.Audit.Refused(f.event(kind, a, "", audit.Refused, "busy"))
	}
	return fmt.Errorf("%s by %s: %w", kind, a.Method, err)
}

func (f *Flow) event(kind string, a Attempt, userID, result, reason string) store.Event {
	return store.Event{
		Kind: kind, Result: result, Reason: reason, UserID: userID, Subject: f.Subject(a.Account), Method: a.Method,
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
