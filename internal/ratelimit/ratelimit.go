// Package ratelimit slows guessing down without letting anybody lock out a stranger.
//
// Logins throttles attempts to log in, Signups the making of users. Both count in the store, so that what they hold
// survives a restart and holds over all nodes. Devices knows a browser again that has logged in before; its owner goes
// past whatever strangers do to the account. Spray notices one password that is tried on many accounts.
// docs/throttling.md has the numbers and what they are to achieve.
package ratelimit

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

// minKey is the least length of a key for HMAC-SHA-256, in bytes.
const minKey = 32

// Reasons why an attempt is refused.
const (
	// ReasonAccount says that strangers failed too often at the account of late.
	ReasonAccount = "account"
	// ReasonExhausted says that strangers failed so often in a row at the account that they have to stay out until it
	// is unlocked, one who is known logs in, or the counter expires.
	ReasonExhausted = "exhausted"
	// ReasonPair says that this client failed too often at this account.
	ReasonPair = "pair"
	// ReasonDevice says that this device failed too often at its account.
	ReasonDevice = "device"
	// ReasonAddress says that too many attempts from this client's address, or network, failed.
	ReasonAddress = "address"
	// ReasonContention says that so many nodes wrote the same counters at once that this attempt could not be counted.
	ReasonContention = "contention"
)

// Refusal is the error of an attempt that was not let in. It was not counted.
type Refusal struct {
	// RetryAfter is how long to wait: as far as is known now, an attempt is let in as soon as it has passed.
	RetryAfter time.Duration
	// Reason is one of the Reason constants. It is the same for an account that exists and for one that does not.
	Reason string

	at time.Time // when it was so; zero for contention, which says nothing of the next attempt
}

// Error implements error.
func (r *Refusal) Error() string {
	return fmt.Sprintf("ratelimit: refused for %v (%s)", r.RetryAfter, r.Reason)
}

// Config is what Logins and Signups are made of.
type Config struct {
	// Counters is required. Nodes that share it must share Key too.
	Counters store.Counters
	// Key makes the keys of counters, by HMAC-SHA-256, so that the store shows neither addresses nor what somebody
	// typed as one. It has at least 32 bytes.
	Key []byte
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Policy is the numbers; a field that is zero has its default.
	Policy Policy
	// Disabled lets everything pass without a look into the store (limits.insecure_disabled).
	Disabled bool
}

// Policy is the numbers. Each field that is zero, down to those of its parts, has the default that stands here.
type Policy struct {
	// Account is for the failures of strangers at one account, wherever they come from: 10 are free, then the wait
	// doubles from 1 s to 15 min, at 100 in a row strangers are refused, 30 days after the last one all is forgotten.
	Account Backoff
	// Pair is for the failures of one client at one account: 5 free, up to 15 min, forgotten after 24 h.
	Pair Backoff
	// Device is for the failures of a device at its account: 5 free, up to 15 min, forgotten after 90 days.
	Device Backoff
	// Own is how many failures in a row a known pair or a device has to itself: 20. After them it counts as a stranger.
	Own int64
	// Known is how long a pair is known after a login: 90 days. A failure of a known pair is not forgotten before that.
	Known time.Duration
	// Address is for the failures of one address, an IPv6 /64 being one: a bucket of 100, one leaks in 10 s, the wait
	// is at most 60 s.
	Address Bucket
	// Network is for those of an IPv6 /48, which holds 65,536 such addresses: 1,000, one in 1 s, at most 60 s.
	Network Bucket
	// Signup is for attempts to sign up from one address: 20, one in 30 s, at most 10 min.
	Signup Bucket
	// SignupNetwork is for those from an IPv6 /48: 200, one in 3 s, at most 10 min.
	SignupNetwork Bucket
}

const day = 24 * time.Hour

func (p Policy) withDefaults() Policy {
	return Policy{
		Account:       p.Account.or(Backoff{Free: 10, MaxWait: 15 * time.Minute, Stop: 100, Keep: 30 * day}),
		Pair:          p.Pair.or(Backoff{Free: 5, MaxWait: 15 * time.Minute, Keep: day}),
		Device:        p.Device.or(Backoff{Free: 5, MaxWait: 15 * time.Minute, Keep: 90 * day}),
		Own:           cmp.Or(p.Own, 20),
		Known:         cmp.Or(p.Known, 90*day),
		Address:       p.Address.or(Bucket{Size: 100, Leak: 10 * time.Second, MaxWait: time.Minute}),
		Network:       p.Network.or(Bucket{Size: 1000, Leak: time.Second, MaxWait: time.Minute}),
		Signup:        p.Signup.or(Bucket{Size: 20, Leak: 30 * time.Second, MaxWait: 10 * time.Minute}),
		SignupNetwork: p.SignupNetwork.or(Bucket{Size: 200, Leak: 3 * time.Second, MaxWait: 10 * time.Minute}),
	}
}

func (p Policy) validate() error {
	if p.Own < 0 || p.Known < 0 {
		return errors.New("ratelimit: a number of the policy is negative")
	}
	for name, err := range map[string]error{
		"Account": p.Account.validate(), "Pair": p.Pair.validate(), "Device": p.Device.validate(),
		"Address": p.Address.validate(), "Network": p.Network.validate(),
		"Signup": p.Signup.validate(), "SignupNetwork": p.SignupNetwork.validate(),
	} {
		if err != nil {
			return fmt.Errorf("ratelimit: policy of %s: %w", name, err)
		}
	}
	return nil
}

// prepared checks the configuration and fills in what it leaves out.
func (c Config) prepared() (Config, error) {
	c.Policy = c.Policy.withDefaults()
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Disabled {
		return c, nil
	}
	if c.Counters == nil {
		return Config{}, errors.New("ratelimit: no counters")
	}
	if len(c.Key) < minKey {
		return Config{}, fmt.Errorf("ratelimit: a key of %d bytes; it takes %d", len(c.Key), minKey)
	}
	c.Key = slices.Clone(c.Key)
	return c, c.Policy.validate()
}
