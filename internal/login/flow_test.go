package login_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/login"
)

func TestGate(t *testing.T) {
	t.Parallel()
	g := login.NewGate(1)
	var overload *login.OverloadError
	err := g.Do(t.Context(), func(ctx context.Context) error {
		if d, ok := ctx.Deadline(); !ok || time.Until(d) > 10*time.Second {
			t.Errorf("no deadline that a stopping server could wait for: %v", d)
		}
		return g.Do(ctx, func(context.Context) error { t.Error("a second one has the place"); return nil })
	})
	if !errors.As(err, &overload) || overload.RetryAfter <= 0 {
		t.Errorf("a full gate: %v", err)
	}
	if err := g.Do(t.Context(), func(context.Context) error { return context.DeadlineExceeded }); !errors.As(err, &overload) {
		t.Errorf("a check that took too long: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	if err := g.Do(gone, func(ctx context.Context) error { cancel(); return ctx.Err() }); !errors.Is(err, context.Canceled) {
		t.Errorf("a client that left: %v", err)
	}
	if err := g.Do(t.Context(), func(context.Context) error { return nil }); err != nil {
		t.Errorf("the place did not come back: %v", err)
	}
}
