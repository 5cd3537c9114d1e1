package password

import (
	"context"
	"time"

	"github.com/countersign-auth/countersign/password/internal/eks"
)

// What the work is worth: about what a round of bcrypt takes of a core with all lanes at work, and a pass of argon2 over
// a KiB, on the machine that the figures are from. They serve as units: the pool measures how fast it is in fact.
const (
	nominalRound = 17 * time.Microsecond
	nominalKiB   = time.Microsecond

	// nominalForeign stands for the hashes of other software, of which all is possible up to some seconds.
	nominalForeign = 100 * time.Millisecond
)

func bcryptNominal(cost int) time.Duration { return nominalRound << cost }

func argon2Nominal(p Argon2Params) time.Duration {
	return time.Duration(p.MemoryKiB) * time.Duration(p.Time) * nominalKiB
}

// A task is the hash operations of one attempt, which are computed in their order. Those in lanes stand before others.
type task struct {
	claim    Claim
	works    []work // those that are left, the first being next
	nominal  time.Duration
	memory   int64 // bytes that are set aside while it is computed
	ctx      context.Context
	deadline time.Time // when it must have begun
	begun    bool      // guarded by the pool's lock
	done     chan struct{}
	err      error // set before done is closed
}

// A work is one hash operation: either hash, in a lane, or derive, which has a thread for itself.
type work struct {
	hash *eks.Hash

	derive func(key []byte) []byte
	key    []byte // for derive; the work's own
	memory int64  // bytes that derive holds

	nominal time.Duration
	guessed bool   // nominal says nothing of this work
	begin   func() // called before the work
	finish  func(sum []byte)
}

func (w *work) wipe() {
	if w.hash != nil {
		w.hash.Wipe()
	}
	clear(w.key)
}

// add puts a work behind the others.
func (t *task) add(w work) {
	t.works = append(t.works, w)
	t.nominal += w.nominal
	if t.works[0].hash == nil {
		t.memory = t.wholeMemory()
	}
}

// wholeMemory returns the most that any of the works needs.
func (t *task) wholeMemory() (most int64) {
	for _, w := range t.works {
		most = max(most, w.memory)
	}
	return most
}

// next ends the first work with its sum, and returns whether there is another to do.
func (t *task) next(sum []byte) bool {
	t.works[0].finish(sum)
	t.works[0].wipe()
	t.works = t.works[1:]
	return len(t.works) > 0
}

// end tells the caller. It is called once, and after it nobody but the caller looks at t.
func (t *task) end(err error) {
	t.wipe()
	t.err = err
	close(t.done)
}

func (t *task) wipe() {
	for i := range t.works {
		t.works[i].wipe()
	}
}
