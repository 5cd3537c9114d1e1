package withpassword_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/login"
	"github.com/countersign-auth/countersign/internal/login/withpassword"
	"github.com/countersign-auth/countersign/internal/ratelimit"
	"github.com/countersign-auth/countersign/internal/revocation"
	"github.com/countersign-auth/countersign/internal/session"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/store/sqlstore"
	"github.com/countersign-auth/countersign/internal/token"
	"github.com/countersign-auth/countersign/password"
)

// counter is a real hasher that counts what it is asked. That each of these calls does the same work is held by the
// tests of package password; that each attempt makes exactly one is held here.
type counter struct {
	*password.Hasher
	calls []string
}

func (c *counter) Verify(ctx context.Context, encoded, pw string) (bool, error) {
	c.calls = append(c.calls, "verify")
	return c.Hasher.Verify(ctx, encoded, pw)
}

func (c *counter) VerifyImported(ctx context.Context, encoded, pw string) (bool, error) {
	c.calls = append(c.calls, "imported")
	return c.Hasher.VerifyImported(ctx, encoded, pw)
}

func (c *counter) VerifyAbsent(ctx context.Context, pw string) error {
	c.calls = append(c.calls, "absent")
	return c.Hasher.VerifyAbsent(ctx, pw)
}

func newService(t *testing.T) (*withpassword.Service, store.Store, *counter) {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "c.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	hasher, err := password.New(password.Config{BcryptCost: password.MinBcryptCost})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := token.Open(t.Context(), s, token.Config{Issuer: "i", Audience: "a", TTL: time.Minute, Secret: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	policy, err := withpassword.NewPolicy(withpassword.PolicyConfig{MinLength: 8})
	if err != nil {
		t.Fatal(err)
	}
	c, log, key := &counter{Hasher: hasher}, slog.New(slog.DiscardHandler), make([]byte, 32)
	limits := ratelimit.Config{Counters: s, Key: key}
	logins, err1 := ratelimit.NewLogins(limits)
	signups, err2 := ratelimit.NewSignups(limits)
	devices, err3 := ratelimit.NewDevices(key)
	spray, err4 := ratelimit.NewSpray(ratelimit.SprayConfig{})
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	events := audit.New(s, log, time.Now)
	revoked, err := revocation.New(s, revocation.Config{})
	if err != nil {
		t.Fatal(err)
	}
	sessions, err := session.New(session.Config{
		Store: s, Tokens: tokens, Revoked: revoked, Audit: events, Key: key, Log: log, Now: time.Now,
		Limits: session.Limits{Idle: time.Hour, Max: time.Hour, Brief: time.Hour, Fresh: time.Hour},
	})
	if err != nil {
		t.Fatal(err)
	}
	flow := login.NewFlow(login.Config{
		Store: s, Sessions: sessions, Logins: logins, Devices: devices, Spray: spray, Audit: events, SubjectKey: key, Log: log, Now: time.Now,
	})
	return withpassword.New(withpassword.Config{
		Users: s, Hasher: func(password.Claim) withpassword.Hasher { return c }, Flow: flow, Signups: signups, Audit: events, Log: log,
		Now: time.Now, Policy: policy,
	}), s, c
}

func TestEveryAttemptMakesOneCheck(t *testing.T) {
	t.Parallel()
	service, users, counts := newService(t)
	ctx := t.Context()
	for _, email := range []string{"mike@example.com", "disabled@example.com"} {
		u, err := service.SignUp(ctx, email, "correct horse", login.Client{})
		if err != nil {
			t.Fatal(err)
		}
		if email == "disabled@example.com" {
			u.DisabledAt = time.Now()
			if err := users.UpdateUser(ctx, u); err != nil {
				t.Fatal(err)
			}
		}
	}
	// Somebody who logs in by other means alone, as a later method will make users.
	err := users.CreateUser(ctx,
		store.User{ID: "other", Email: "other@example.com", EmailKey: "other@example.com", CreatedAt: time.Now(), UpdatedAt: time.Now(), Version: 1},
		store.Credential{UserID: "other", Method: "passkey", Key: "k", Data: []byte("{}"), CreatedAt: time.Now(), UpdatedAt: time.Now(), Version: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, email, pw, call string }{
		{"no password", "other@example.com", "correct horse", "absent"},
		{"right", "mike@example.com", "correct horse", "verify"},
		{"wrong", "mike@example.com", "wrong horse", "verify"},
		{"unknown", "nobody@example.com", "correct horse", "absent"},
		{"no address", "nobody", "correct horse", "absent"},
		{"disabled, right", "disabled@example.com", "correct horse", "verify"},
		{"disabled, wrong", "disabled@example.com", "wrong horse", "verify"},
	} {
		counts.calls = nil
		_, err := service.LogIn(ctx, tt.email, tt.pw, false, login.Client{})
		if (err == nil) != (tt.name == "right") || err != nil && !errors.Is(err, login.ErrInvalid) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff([]string{tt.call}, counts.calls); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestSetPasswordDoesNotHitAnotherUser(t *testing.T) {
	t.Parallel()
	service, users, _ := newService(t)
	ctx := t.Context()
	old, err := service.SignUp(ctx, "mike@example.com", "correct horse", login.Client{})
	if err != nil {
		t.Fatal(err)
	}
	if err := users.DeleteUser(ctx, old.ID, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := service.SignUp(ctx, "mike@example.com", "another horse", login.Client{}); err != nil {
		t.Fatal(err)
	}
	if err := service.SetPassword(ctx, old, "new horse battery"); !errors.Is(err, withpassword.ErrNoPassword) {
		t.Errorf("got %v", err)
	}
	if _, err := service.LogIn(ctx, "mike@example.com", "another horse", false, login.Client{}); err != nil {
		t.Errorf("the new user's password: %v", err)
	}
}
