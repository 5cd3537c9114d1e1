package ratelimit

import (
	"context"
	"net/netip"
	"time"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/store"
)

// Attempt is somebody who wants to log in.
type Attempt struct {
	// Account is the canonical address, or what was given as one if it is none. Accounts that do not exist are throttled
	// exactly as those that do: else a refusal would tell who exists.
	Account string
	// Client is where the attempt comes from.
	Client netip.Addr
	// Device is the id of a device that logged in to this account before, as [Devices.Check] returns it, or "".
	Device string
	// Look, if set, reads the counters, together with what else the attempt needs of the store.
	Look func(ctx context.Context, now time.Time, keys ...string) ([]store.Counter, error)
}

// Logins throttles attempts to log in. It is safe for concurrent use, and right across the nodes on one store.
//
// An attempt is one of three kinds. A device that logged in before has failures of its own and is held up by nobody
// else's. A client at an address from which the account was logged in to before, a known pair, has its own too, and
// those of its address. All others are strangers, who share the account's failures. A device or known pair that has used
// up its own is a stranger, so that in a row an account sees at most 100 failures of strangers, and 20 of each device and
// address that its owner used.
type Logins struct {
	policy   Policy
	disabled bool
	keys     keyer
	ledger   *ledger
	refused  *memory
}

// NewLogins returns a Logins.
func NewLogins(cfg Config) (*Logins, error) {
	cfg, err := cfg.prepared()
	if err != nil {
		return nil, err
	}
	return &Logins{policy: cfg.Policy, disabled: cfg.Disabled, keys: keyer{cfg.Key}, ledger: newLedger(cfg), refused: newMemory()}, nil
}

// The places of an attempt's counters in what is read for it. The last two may be missing.
const (
	account = iota
	pair
	addressPlace
	fixedPlaces
)

// names are the names of an attempt's counters; device and network may be "".
type names struct{ account, pair, address, network, device string }

func (l *Logins) names(a Attempt) names {
	client := api.Source(a.Client)
	n := names{
		account: l.accountKey(a.Account),
		pair:    l.keys.of("login-pair", a.Account, client),
		address: l.keys.of("login-address", client),
	}
	if wide := api.Site(a.Client); wide != "" {
		n.network = l.keys.of("login-network", wide)
	}
	if a.Device != "" {
		n.device = l.keys.of("login-device", a.Account, a.Device)
	}
	return n
}

func (l *Logins) accountKey(account string) string { return l.keys.of("login-account", account) }

// list returns the names that there are: account, pair and address always in their places.
func (n names) list() []string {
	list := []string{account: n.account, pair: n.pair, addressPlace: n.address}
	for _, key := range []string{n.network, n.device} {
		if key != "" {
			list = append(list, key)
		}
	}
	return list
}

// who is what refusals of this very client at this account are remembered under.
func (n names) who() string { return n.pair + n.device }

// Enter lets an attempt in, or returns a [Refusal]. It is called before the credential is checked, and counts the attempt
// as failed until the Entry says otherwise: of any number of attempts at once, on all nodes, only so many are checked as
// may fail. Any other error is a technical fault, and the attempt must not go on.
func (l *Logins) Enter(ctx context.Context, a Attempt) (*Entry, error) {
	if l.disabled {
		return &Entry{}, nil
	}
	n := l.names(a)
	remembered := []string{n.who(), n.address}
	if n.device != "" {
		remembered = remembered[:1] // its address does not hold a device up
	}
	recall := func() *Refusal { return l.refused.refusal(l.ledger.now(), remembered...) }
	if r := recall(); r != nil {
		return nil, r
	}
	remember := func(r *Refusal) {
		under := n.who()
		if r.Reason == ReasonAddress && n.device == "" {
			under = n.address
		}
		l.refused.remember(under, r)
	}
	look := a.Look
	if look == nil {
		look = l.ledger.counters.Counters
	}
	charges, seen, err := l.ledger.reserve(ctx, n.list(), look, recall, remember, func(now time.Time, seen []store.Counter) []charge {
		return l.policy.charges(n, seen, now)
	})
	if err != nil {
		return nil, err
	}
	return &Entry{logins: l, names: n, seen: seen, charges: charges}, nil
}

// find returns the counter of that name, or an empty one.
func find(seen []store.Counter, key string) store.Counter {
	for _, c := range seen {
		if c.Key == key {
			return c
		}
	}
	return store.Counter{}
}

// charges says which counters an attempt raises, and which of them may refuse it.
func (p *Policy) charges(n names, seen []store.Counter, now time.Time) []charge {
	device, pairRule := find(seen, n.device), p.Pair
	known := within(seen[pair].KnownAt, p.Known, now)
	if known {
		pairRule.Keep = p.Known // or whoever shares the address would have 20 guesses a day
	}
	ownDevice := n.device != "" && p.Device.count(device, now) < p.Own
	var list []charge
	switch {
	case ownDevice:
		list = append(list, charge{rule: p.Device, reason: ReasonDevice, gates: true, before: device})
	case known && pairRule.count(seen[pair], now) < p.Own:
		list = append(list, charge{rule: pairRule, reason: ReasonPair, gates: true, before: seen[pair]})
	default:
		list = append(list,
			charge{rule: p.Account, reason: ReasonAccount, gates: true, before: seen[account]},
			charge{rule: pairRule, reason: ReasonPair, gates: true, before: seen[pair]})
	}
	// Many share an address, and one of them can keep it full. That must not hold up who has proved to be somebody.
	list = append(list, charge{rule: p.Address, reason: ReasonAddress, gates: !ownDevice, before: seen[addressPlace]})
	if n.network != "" {
		list = append(list, charge{rule: p.Network, reason: ReasonAddress, gates: !ownDevice, before: find(seen, n.network)})
	}
	return list
}

// Unlock clears the failures of strangers at an account. Nodes that refused somebody within the last second may do so
// for the rest of that second.
func (l *Logins) Unlock(ctx context.Context, account string) error {
	if l.disabled {
		return nil
	}
	edits, err := l.ledger.reread(ctx, []edit{{seen: store.Counter{Key: l.accountKey(account)}, apply: applyCleared}})
	if err != nil {
		return err
	}
	return l.ledger.change(ctx, edits)
}

func applyCleared(c store.Counter, now time.Time) (store.Counter, bool) {
	return cleared(c, now), c.Count > 0
}
