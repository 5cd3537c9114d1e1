package revocation

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"math/bits"
	"slices"
	"time"
)

// padding makes entries that stand for nothing, so that the length of a document says little of how much has been
// revoked. They look like the others to whoever does not know the key: an HMAC here, a hash of something unguessable
// there. They are the same on all nodes and from one document to the next, or else whatever stays would be real;
// and like the others each stays for a time and then makes room for another, or else whatever goes would be.
type padding struct {
	key      []byte
	turnover time.Duration
}

// minStep is the least number of entries, and the least difference between two numbers that a document can have.
const minStep = 64

// padded returns the number of entries of a document that has n to tell of: the next multiple of a quarter of the
// largest power of two that is not over n. At 1,000 that is 1,024, at 1,100 1,280: at most a quarter more.
func padded(n int) int {
	step := minStep
	if n > 0 {
		step = max(step, 1<<bits.Len(uint(n))>>3)
	}
	return max(minStep, (n+step-1)/step*step)
}

// fill adds the padding and sorts all: what has no order tells nothing by it.
func (p padding) fill(hashes []uint64, limit int, now time.Time) []uint64 {
	want := min(padded(len(hashes)), max(limit, len(hashes)))
	hashes = slices.Grow(hashes, want-len(hashes))
	mac := hmac.New(sha256.New, p.key)
	var text [16]byte
	sum := make([]byte, 0, sha256.Size)
	for i := 0; len(hashes) < want; i++ {
		slot := uint64(i)
		binary.BigEndian.PutUint64(text[:8], slot)
		binary.BigEndian.PutUint64(text[8:], p.period(slot, now))
		mac.Reset()
		mac.Write(text[:])
		sum = mac.Sum(sum[:0])
		hashes = append(hashes, binary.BigEndian.Uint64(sum))
	}
	slices.Sort(hashes)
	return slices.Compact(hashes)
}

// period counts the turnovers of a slot. Each slot has its own moment for them, spread by the golden ratio.
func (p padding) period(slot uint64, now time.Time) uint64 {
	const golden = 0x9e3779b97f4a7c15 // 2^64 / 1.618…
	shift, _ := bits.Mul64(slot*golden, uint64(p.turnover))
	return (uint64(now.UnixNano()) + shift) / uint64(p.turnover)
}

// encode returns the hashes one after the other as base64url.
func encode(hashes []uint64) string {
	all := make([]byte, 0, EntrySize*len(hashes))
	for _, h := range hashes {
		all = binary.BigEndian.AppendUint64(all, h)
	}
	return base64.RawURLEncoding.EncodeToString(all)
}
