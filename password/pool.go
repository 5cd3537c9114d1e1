package password

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/countersign-auth/countersign/password/internal/eks"
)

// A PoolConfig says how much a [Pool] may do at once. The zero value is for a server that has the machine to itself.
type PoolConfig struct {
	// Workers is how many threads hash. Zero means GOMAXPROCS at the time of [NewPool].
	Workers int

	// MaxWait is how long a hash may wait before it begins. One that cannot be expected to begin in that time, at the
	// rate measured, is refused at once with an [OverloadError]. Zero means 5 seconds.
	MaxWait time.Duration

	// MaxQueue bounds how many hashes wait. When it is reached, the client with the most of them waiting loses its last
	// one to a client with fewer. Zero means 1024.
	MaxQueue int

	// MaxMemoryKiB bounds the memory of the hashes of argon2 and scrypt that are computed at the same moment; those
	// beyond it wait. One that alone needs more is computed alone. Zero means 262144 (256 MiB).
	MaxMemoryKiB int
}

const (
	defaultMaxWait   = 5 * time.Second
	defaultMaxQueue  = 1024
	defaultMaxMemory = 256 << 10 // KiB

	// maxPerSubject is how many hashes may wait for one [Claim.Subject].
	maxPerSubject = 16
)

// A Pool computes the hashes of one or more Hashers on a bounded number of threads, in slices of one to two milliseconds.
// At the end of a slice the hashes that are done leave, waiting ones join, and those whose context has ended are
// dropped. bcrypt runs in lanes, up to four hashes side by side on a core in not much more time than one takes alone;
// other algorithms run one to a thread.
//
// While it computes bcrypt, a thread holds none of Go's processors (GOMAXPROCS), so that other goroutines run, and
// garbage is collected, as if it were not there, and the kernel shares out the cores. Where it has priorities of threads
// (Linux), these have a lower one than the rest of the process: beside a thread that wants all of a core, they get about
// a fifth of it, and all when it pauses. Elsewhere, and when built with the tag purego, they share alike. Other
// algorithms are ordinary goroutines. Threads begin with the first hash, and end when there has been none for some seconds.
//
// A worker holds about 17 KiB of state, whatever it does, and overwrites it after each hash.
//
// Make a Pool with [NewPool]; the zero value is not usable. It is safe for concurrent use, and needs no closing.
type Pool struct {
	config PoolConfig

	mu     sync.Mutex
	lanes  crew
	whole  crew
	memory int64 // bytes in use by whole hashes in progress
	// foreign is how long the hashes of other software took of late: their strings differ too much for a formula.
	foreign time.Duration
}

// A crew is the workers of one kind and what waits for them.
type crew struct {
	width   int // how many tasks a worker computes side by side
	waiting queue
	running time.Duration // nominal of the tasks being computed
	tasks   int           // how many those are
	workers int
	idle    int // of the workers, those that wait and have not been roused
	wake    chan struct{}
	// speed is how fast hashes are computed, as a multiple of nominal: what is measured when there is enough to do,
	// including what other threads took of the cores.
	speed float64
}

// NewPool returns a Pool, or an error that names the field that is negative.
func NewPool(c PoolConfig) (*Pool, error) {
	for name, n := range map[string]int{
		"Workers": c.Workers, "MaxWait": int(c.MaxWait), "MaxQueue": c.MaxQueue, "MaxMemoryKiB": c.MaxMemoryKiB,
	} {
		if n < 0 {
			return nil, fmt.Errorf("password: %s %d is negative", name, n)
		}
	}
	if c.Workers == 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if c.MaxWait == 0 {
		c.MaxWait = defaultMaxWait
	}
	if c.MaxQueue == 0 {
		c.MaxQueue = defaultMaxQueue
	}
	if c.MaxMemoryKiB == 0 {
		c.MaxMemoryKiB = defaultMaxMemory
	}
	newCrew := func(width int) crew {
		return crew{width: width, waiting: newQueue(), wake: make(chan struct{}, c.Workers), speed: 1}
	}
	return &Pool{config: c, lanes: newCrew(eks.Width), whole: newCrew(1), foreign: nominalForeign}, nil
}

// A Claim says for whom a hash is computed, so that nobody can keep others out. See [Hasher.For].
type Claim struct {
	// Client is who asks, for example an address. The clients with hashes waiting take turns.
	Client string
	// Subject is what is asked about, for example an account. At most 16 hashes wait for one; empty means that none
	// is named.
	Subject string
}

// An OverloadError says that a hash was not begun because it could not be in time.
type OverloadError struct {
	// RetryAfter is when it is worth another try: about when half of what waits will be done, at the rate measured.
	RetryAfter time.Duration
}

// Error implements error.
func (e *OverloadError) Error() string {
	return fmt.Sprintf("password: too many hashes are waiting; try again in %v", e.RetryAfter.Round(time.Second))
}

// PoolStats are the state of a [Pool] at a moment.
type PoolStats struct {
	// Waiting is how many hashes wait, and Running how many are being computed.
	Waiting, Running int
	// Cost10PerSecond is about how many bcrypt hashes of cost 10 are computed in a second when there is enough to do,
	// by the newest measurement; before any, a guess.
	Cost10PerSecond float64
}

// Stats returns the state of the pool.
func (p *Pool) Stats() PoolStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	perHash := bcryptNominal(DefaultBcryptCost).Seconds()
	return PoolStats{
		Waiting:         p.lanes.waiting.n + p.whole.waiting.n,
		Running:         p.lanes.tasks + p.whole.tasks,
		Cost10PerSecond: p.lanes.speed * float64(p.config.Workers) / perHash,
	}
}

// run computes the works of t one after the other. The error is an [OverloadError], or that of ctx if it ended before
// all was done.
func (p *Pool) run(ctx context.Context, t *task) error {
	t.ctx, t.done = ctx, make(chan struct{})
	t.deadline = time.Now().Add(p.config.MaxWait)
	if d, ok := ctx.Deadline(); ok && d.Before(t.deadline) {
		t.deadline = d
	}
	err := ctx.Err()
	if err == nil {
		err = p.submit(t)
	}
	if err != nil {
		t.wipe()
		return err
	}
	late := time.NewTimer(p.config.MaxWait)
	defer late.Stop()
	for {
		select {
		case <-t.done:
			return t.err
		case <-ctx.Done():
			// If it has begun, its worker drops it at the end of the slice. Nobody has to wait for that.
			p.abandon(t, ctx.Err())
			return ctx.Err()
		case <-late.C:
			p.abandon(t, nil) // if it has begun, it goes on
		}
	}
}

// submit admits t to the queue of its first work, and sees to a worker.
func (p *Pool) submit(t *task) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.estimate(t)
	c := &p.whole
	if t.works[0].hash != nil {
		c = &p.lanes
	}
	wait := time.Until(t.deadline)
	if err := p.admit(c, t.claim, wait); err != nil {
		return err
	}
	if t.works[len(t.works)-1].hash == nil && c == &p.lanes { // it will have to wait there too
		if err := p.admit(&p.whole, t.claim, wait); err != nil {
			return err
		}
	}
	if c.waiting.n >= p.config.MaxQueue {
		victim := c.waiting.evictFor(t.claim.Client)
		if victim == nil {
			return p.refusal(p.expect(c, t.claim.Client))
		}
		victim.end(p.refusal(p.expect(c, victim.claim.Client)))
	}
	c.waiting.push(t)
	p.rouse(c)
	return nil
}

// estimate replaces what is not known of the works of t by what was measured.
func (p *Pool) estimate(t *task) {
	for i := range t.works {
		if w := &t.works[i]; w.guessed {
			t.nominal += p.foreign - w.nominal
			w.nominal = p.foreign
		}
	}
}

// admit returns why a task of that claim cannot wait in c for so long, or nil. The lock is held.
func (p *Pool) admit(c *crew, claim Claim, wait time.Duration) error {
	expected := p.expect(c, claim.Client)
	if expected > wait || claim.Subject != "" && c.waiting.subjects[claim.Subject] >= maxPerSubject {
		return p.refusal(expected)
	}
	return nil
}

// expect returns after what time a new task of the client can be expected to begin.
func (p *Pool) expect(c *crew, client string) time.Duration {
	if c.waiting.places == 0 && c.tasks < p.config.Workers*c.width {
		return 0
	}
	// Of what is being computed, half is done on average.
	work := c.running/2 + c.waiting.ahead(client)
	return time.Duration(float64(work) / (c.speed * float64(p.config.Workers)))
}

// refusal returns the error of who would have to wait so long.
func (p *Pool) refusal(expected time.Duration) *OverloadError {
	return &OverloadError{RetryAfter: max(expected/2, time.Second)}
}

// abandon ends t with err if it waits or, if err is nil, with a refusal if it has not begun.
func (p *Pool) abandon(t *task, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil && t.begun {
		return
	}
	for _, c := range []*crew{&p.lanes, &p.whole} {
		if c.waiting.remove(t) {
			if err == nil {
				err = p.refusal(p.expect(c, t.claim.Client))
			}
			t.end(err)
		}
	}
}
