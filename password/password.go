package password

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"
)

// An Algorithm names a password hashing scheme, as in a configuration file.
// The zero value stands for [Bcrypt].
type Algorithm string

// The algorithms that a [Hasher] can be configured to write.
const (
	// Bcrypt is bcrypt (Provos and Mazières 1999), written as $2b$.
	Bcrypt Algorithm = "bcrypt"
	// Argon2id is argon2id version 1.3 (RFC 9106), written as a PHC string.
	Argon2id Algorithm = "argon2id"
)

const (
	// DefaultBcryptCost is the cost that a zero [Config.BcryptCost] stands for.
	DefaultBcryptCost = 10
	// MinBcryptCost and MaxBcryptCost bound the cost, binary logarithm of the
	// rounds, both of a configuration and of a stored string. The upper bound
	// is some seconds of one core.
	MinBcryptCost = 4
	MaxBcryptCost = 16

	// MaxBytes is the greatest length of a password, in bytes of its
	// normalized form.
	MaxBytes = 1024

	// bcryptBytes is how much of a password bcrypt sees: 18 words of 32 bits.
	bcryptBytes = 72
)

// A Config says how a [Hasher] writes new hashes. The zero value is bcrypt at
// cost 10.
type Config struct {
	// Algorithm writes new hashes; empty means [Bcrypt]. Passwords over 72
	// bytes are hashed with [Argon2id] in either case.
	Algorithm Algorithm

	// BcryptCost is the binary logarithm of bcrypt's rounds, from
	// [MinBcryptCost] to [MaxBcryptCost]. Zero means [DefaultBcryptCost].
	// 4 to 9 are allowed for tests and small devices, but are weak: a stolen
	// table is searched two to 64 times as fast as at the default.
	BcryptCost int

	// Argon2 holds the parameters of argon2id. A zero field has its default.
	Argon2 Argon2Params

	// Pool computes the hashes, for this and perhaps for other Hashers. Nil
	// means one of the Hasher's own, with a zero [PoolConfig].
	Pool *Pool

	// Rand is the source of salts; it must be safe for concurrent use. Nil
	// means crypto/rand.
	Rand io.Reader
}

// A Hasher hashes and verifies passwords. Make one with [New]; the zero value
// is not usable. Its methods may be called from several goroutines.
type Hasher struct {
	algorithm Algorithm
	cost      int
	argon2    Argon2Params
	rand      io.Reader
	pool      *Pool
	claim     Claim

	// What a guess is checked against where there is nothing to match. They
	// are values and not strings: a string with a slip in it would be refused
	// by its parser within a microsecond, and the equal work would be gone.
	dummyBcrypt, dummyArgon2id record

	// observe, when set by a test before the first call, is told of each hash
	// operation before it is computed.
	observe func(operation)
}

// New returns a Hasher for the configuration, or an error that names the field
// that is out of bounds (it is [ErrParameters] for the cost and for argon2id).
func New(c Config) (*Hasher, error) {
	h := &Hasher{algorithm: c.Algorithm, cost: c.BcryptCost, argon2: c.Argon2.withDefaults(), rand: c.Rand, pool: c.Pool}
	switch h.algorithm {
	case "":
		h.algorithm = Bcrypt
	case Bcrypt, Argon2id:
	default:
		return nil, fmt.Errorf("password: algorithm %q is neither %q nor %q", c.Algorithm, Bcrypt, Argon2id)
	}
	if h.cost == 0 {
		h.cost = DefaultBcryptCost
	}
	if err := checkBcryptCost(h.cost); err != nil {
		return nil, err
	}
	if err := h.argon2.check(); err != nil {
		return nil, err
	}
	if h.pool == nil {
		h.pool, _ = NewPool(PoolConfig{}) // nothing of which is negative
	}
	if h.rand == nil {
		h.rand = rand.Reader
	}
	return h, h.makeDummies()
}

// makeDummies prepares the hashes that nothing matches, with the parameters and
// lengths of real ones. Their sums are random.
func (h *Hasher) makeDummies() error {
	h.dummyBcrypt = record{algorithm: Bcrypt, variant: 'b', cost: h.cost,
		salt: make([]byte, bcryptSaltBytes), sum: make([]byte, bcryptSumBytes)}
	h.dummyArgon2id = record{algorithm: Argon2id, argon2: h.argon2,
		salt: make([]byte, argon2SaltBytes), sum: make([]byte, argon2SumBytes)}
	for _, r := range []record{h.dummyBcrypt, h.dummyArgon2id} {
		if err := h.random(r.salt); err != nil {
			return err
		}
		if err := h.random(r.sum); err != nil {
			return err
		}
	}
	return nil
}

// Hash returns a string to store for a new password. It is a bcrypt string of
// 60 bytes or an argon2id string of about 100 bytes, all of it ASCII.
//
// The error is [ErrEmpty], [ErrEncoding], [ErrNUL] or [ErrTooLong] where the
// password cannot be taken, found before any work (see [Check]); an
// [OverloadError] if it could not begin in time; that of ctx if it ended before
// the work was done; or that of the source of salts.
//
// Where bcrypt is configured, the argon2id hash of a password over 72 bytes has
// a salt of 24 bytes, of which the last 8 derive from the others. It is an
// ordinary argon2id string to any software; to a Hasher it says that no guess
// of 72 bytes or less can match.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	g, err := newGuess(password)
	if err != nil {
		return "", err
	}
	defer g.wipe()
	r, err := h.newRecord(g.long())
	if err != nil {
		return "", err
	}
	t := &task{claim: h.claim}
	t.add(h.work(step{record: r}, g.normal, func(sum []byte) { copy(r.sum, sum) }))
	if err := h.pool.run(ctx, t); err != nil {
		return "", err
	}
	return r.String(), nil
}

// For returns a Hasher like h whose hashes are computed for that claim: they
// take turns with those of other clients, and are bounded in number. Hashes
// without a claim are all of one client.
func (h *Hasher) For(claim Claim) *Hasher {
	with := *h
	with.claim = claim
	return &with
}

// Reserve keeps a place in the queue for a hash that is to come, or returns the
// [OverloadError] with which it would be refused at this moment. It costs next
// to nothing: it is for callers that have other work to do before the hash, so
// that no more of them set about it than can be served. Release gives the place
// up. It is called once, when the hash is asked for or is not to be.
//
// The place is the client's alone. It does not count for the claim's Subject,
// whose bound could otherwise be filled by those whom that other work refuses.
func (h *Hasher) Reserve() (release func(), err error) {
	p, claim := h.pool, Claim{Client: h.claim.Client}
	c, nominal := &p.lanes, bcryptNominal(h.cost)
	if h.algorithm == Argon2id {
		c, nominal = &p.whole, argon2Nominal(h.argon2)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.admit(c, claim, p.config.MaxWait); err != nil {
		return nil, err
	}
	c.waiting.keep(claim, nominal, 1)
	return sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		c.waiting.keep(claim, nominal, -1)
	}), nil
}

// newRecord returns a record for a new password, its salt drawn and its sum
// still zero.
func (h *Hasher) newRecord(long bool) (record, error) {
	if h.algorithm == Bcrypt && !long {
		r := record{algorithm: Bcrypt, variant: 'b', cost: h.cost,
			salt: make([]byte, bcryptSaltBytes), sum: make([]byte, bcryptSumBytes)}
		return r, h.random(r.salt)
	}
	r := record{algorithm: Argon2id, argon2: h.argon2,
		salt: make([]byte, argon2SaltBytes), sum: make([]byte, argon2SumBytes)}
	if err := h.random(r.salt); err != nil {
		return record{}, err
	}
	// Under argon2id a mark would serve nothing, and tell a thief of the table
	// something that the algorithm does not tell already.
	if h.algorithm == Bcrypt {
		r.salt = append(r.salt, longMark(r.salt)...)
	}
	return r, nil
}

// longMark returns the bytes that follow the random salt in the argon2id hash of
// a password over 72 bytes. A hash made by other software carries them with
// probability 2^-64.
func longMark(salt []byte) []byte {
	sum := sha256.Sum256(append([]byte("countersign: password over 72 bytes\x00"), salt...))
	return sum[:longMarkBytes]
}

// NeedsRehash reports whether encoded differs from what [Hasher.Hash] would
// write for the same password in anything but salt and sum: another algorithm,
// other parameters whether weaker or stronger (the equal time of answers rests
// on equal parameters), the bcrypt marks $2a$, $2x$ and $2y$, or a string that
// is no hash at all. It computes no hash.
//
// It is false for every result of Hash of a Hasher with the same configuration,
// so that renewal comes to an end. In particular, where bcrypt is configured it
// is false for an argon2id string that bears the mark of a password over 72
// bytes, and true for any other, which may be of a short password: renewing
// that one gives either a bcrypt string or a marked one.
//
// Call it when the password has just been verified. A string that is known to
// be imported is to be renewed in any case: it may look like one of ours, yet
// be of a password that was cut or not normalized.
func (h *Hasher) NeedsRehash(encoded string) bool {
	r, err := parse(encoded)
	if err != nil {
		return true
	}
	if r.algorithm == Bcrypt {
		return h.algorithm != Bcrypt || r.variant != 'b' || r.cost != h.cost
	}
	if r.argon2 != h.argon2 || len(r.sum) != argon2SumBytes || len(r.salt) < argon2SaltBytes {
		return true
	}
	return h.algorithm == Bcrypt && !r.long
}

func (h *Hasher) random(b []byte) error {
	if _, err := io.ReadFull(h.rand, b); err != nil {
		return fmt.Errorf("password: reading random salt: %w", err)
	}
	return nil
}

// Errors about a password, of [Hasher.Hash] and [Check]. None of the package's
// errors contains a password, a hash or a part of one.
var (
	ErrEmpty    = errors.New("password: empty")
	ErrEncoding = errors.New("password: not valid UTF-8")
	ErrNUL      = errors.New("password: contains NUL")
	ErrTooLong  = fmt.Errorf("password: longer than %d bytes", MaxBytes)
)

// Errors about a stored string, found before any work. They are wrapped in an
// error that says what is wrong: use [errors.Is].
var (
	// ErrFormat means that the string is malformed, or of a kind that is not
	// supported.
	ErrFormat = errors.New("password: malformed or unsupported hash")
	// ErrParameters means that a cost or parameter is out of bounds.
	ErrParameters = errors.New("password: hash parameter out of bounds")
)
