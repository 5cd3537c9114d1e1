// Package eks computes bcrypt (Provos and Mazières, "A Future-Adaptable Password Scheme", USENIX 1999) for several
// passwords at a time on one core.
//
// Each round of Blowfish waits for table look-ups whose addresses come out of the round before, so that one hash leaves
// most of a core idle. A [Batch] advances up to [Width] hashes, its lanes, in the same instructions: the look-ups of one
// lane run while another waits for its own. Lanes join and leave between rounds, whatever their costs.
//
// The package takes keys as they enter the key schedule. What a password is, and what of it makes the key, is the
// caller's business.
package eks

import "encoding/binary"

const (
	// KeyBytes is the size of a key: 18 words of 32 bits.
	KeyBytes = 72
	// SaltBytes is the size of a salt.
	SaltBytes = 16
	// SumBytes is the size of a sum: 24 bytes of text, of which the first implementation lost the last.
	SumBytes = 23
)

// A lane is the state of the cipher for one hash: the subkeys and the four S-boxes. The order of its fields is known to
// pass_amd64.s.
type lane struct {
	p [18]uint32
	s [4][256]uint32
}

// A Hash is one hash to be computed. It is made by [NewHash] and given to one [Batch].
type Hash struct {
	key  [18]uint32
	salt [18]uint32 // the four words of the salt, over and over
	left uint64     // rounds
	sum  [SumBytes]byte
}

// NewHash returns a hash of the key, with 2^cost rounds of the key schedule. Cost is at most 31.
func NewHash(key *[KeyBytes]byte, salt *[SaltBytes]byte, cost int) *Hash {
	h := &Hash{left: 1 << cost}
	for i := range h.key {
		h.key[i] = binary.BigEndian.Uint32(key[4*i:])
		h.salt[i] = binary.BigEndian.Uint32(salt[4*i%SaltBytes:])
	}
	return h
}

// Done reports whether the hash has been computed.
func (h *Hash) Done() bool { return h.left == 0 }

// Sum returns the sum of a hash that is done.
func (h *Hash) Sum() []byte { return h.sum[:] }

// Wipe overwrites the key.
func (h *Hash) Wipe() { clear(h.key[:]) }

// A Batch computes up to [Width] hashes side by side. The zero value is empty and ready. It is not safe for concurrent
// use. It holds about 17 KiB, which stay the same, and no state of a hash that has left it.
type Batch struct {
	lanes  [Width]lane // the first n are in use
	hashes [Width]*Hash
	n      int
}

// Len returns the number of hashes in the batch.
func (b *Batch) Len() int { return b.n }

// Add begins to compute h. It panics if there are [Width] hashes already.
func (b *Batch) Add(h *Hash) {
	l := &b.lanes[b.n]
	l.p, l.s = piP, piS
	l.expandSalted(&h.key, &h.salt)
	b.hashes[b.n] = h
	b.n++
}

// Run advances every hash by at most so many rounds, and returns the sum of the rounds. It returns earlier when a hash
// is done, which then leaves the batch.
//
// While it computes, the goroutine is to Go's scheduler as one in a system call: see leaveScheduler.
func (b *Batch) Run(rounds int) (done int) {
	each := uint64(rounds)
	for _, h := range b.hashes[:b.n] {
		each = min(each, h.left)
	}
	b.advance(each)
	done = int(each) * b.n
	for i := b.n - 1; i >= 0; i-- {
		h := b.hashes[i]
		h.left -= each
		if h.left == 0 {
			h.sum = b.lanes[i].finish()
			b.remove(i)
		}
	}
	return done
}

// advance runs rounds of ExpandKey with the key and with the salt. Nothing that it calls may grow the stack, allocate,
// or write a pointer.
//
//go:nosplit
//go:norace
func (b *Batch) advance(rounds uint64) {
	leaveScheduler()
	for range rounds {
		for i := range b.n {
			b.lanes[i].mix(&b.hashes[i].key)
		}
		b.pass()
		for i := range b.n {
			b.lanes[i].mix(&b.hashes[i].salt)
		}
		b.pass()
	}
	enterScheduler()
}

// Drop takes h out of the batch, if it is there. It will not be done.
func (b *Batch) Drop(h *Hash) {
	for i, other := range b.hashes[:b.n] {
		if other == h {
			b.remove(i)
			return
		}
	}
}

// remove closes the gap at i with the last lane, and overwrites what that leaves behind.
func (b *Batch) remove(i int) {
	b.n--
	if i < b.n {
		b.lanes[i] = b.lanes[b.n]
	}
	b.hashes[i] = b.hashes[b.n]
	b.hashes[b.n] = nil
	b.lanes[b.n] = lane{}
}
