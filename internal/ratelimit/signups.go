package ratelimit

import (
	"context"
	"net/netip"
	"time"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/store"
)

// Signups throttles the making of users by address. It is safe for concurrent use, and right across the nodes on one
// store.
type Signups struct {
	policy   Policy
	disabled bool
	keys     keyer
	ledger   *ledger
	refused  *memory
}

// NewSignups returns a Signups.
func NewSignups(cfg Config) (*Signups, error) {
	cfg, err := cfg.prepared()
	if err != nil {
		return nil, err
	}
	return &Signups{policy: cfg.Policy, disabled: cfg.Disabled, keys: keyer{cfg.Key}, ledger: newLedger(cfg), refused: newMemory()}, nil
}

// Enter counts an attempt to sign up, or returns a [Refusal]. It counts whatever comes of it: a new user costs a hash
// and a row, and a refusal because the address is taken tells who exists.
func (s *Signups) Enter(ctx context.Context, client netip.Addr) (*Signup, error) {
	if s.disabled {
		return &Signup{}, nil
	}
	keys := []string{s.keys.of("signup-address", api.Source(client))}
	rules := []Bucket{s.policy.Signup, s.policy.SignupNetwork}
	if wide := api.Site(client); wide != "" {
		keys = append(keys, s.keys.of("signup-network", wide))
	}
	recall := func() *Refusal { return s.refused.refusal(s.ledger.now(), keys[0]) }
	if r := recall(); r != nil {
		return nil, r
	}
	remember := func(r *Refusal) { s.refused.remember(keys[0], r) }
	charges, _, err := s.ledger.reserve(ctx, keys, s.ledger.counters.Counters, recall, remember, func(_ time.Time, seen []store.Counter) []charge {
		list := make([]charge, len(seen))
		for i, c := range seen {
			list[i] = charge{rule: rules[i], reason: ReasonAddress, gates: true, before: c}
		}
		return list
	})
	if err != nil {
		return nil, err
	}
	return &Signup{signups: s, charges: charges}, nil
}

// Signup is an attempt to sign up that was counted. It belongs to one goroutine.
type Signup struct {
	signups *Signups // nil when nothing is counted
	charges []charge
}

// Withdraw takes the count back, once: nothing was done, as the queue was full or the client went away. It goes on when
// ctx has ended.
func (s *Signup) Withdraw(ctx context.Context) error {
	if s.signups == nil {
		return nil
	}
	charges := s.charges
	s.charges = nil
	return s.signups.ledger.change(ctx, undo(charges))
}
