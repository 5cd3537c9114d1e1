package transfer

import (
	"math/bits"
	"slices"
)

// lineEnds is where lines end, as a bit for each byte: a dump that is nothing but line ends takes no more than another.
type lineEnds struct {
	from  int64 // the offset of the first bit, a multiple of 64
	words []uint64
}

func (l *lineEnds) add(offset int64) {
	word := int((offset - l.from) / 64)
	if missing := word + 1 - len(l.words); missing > 0 {
		l.words = append(l.words, make([]uint64, missing)...)
	}
	l.words[word] |= 1 << (offset % 64)
}

// before counts those before an offset that is not before from.
func (l *lineEnds) before(offset int64) (n int) {
	word := int((offset - l.from) / 64)
	for _, w := range l.words[:min(word, len(l.words))] {
		n += bits.OnesCount64(w)
	}
	if word < len(l.words) {
		n += bits.OnesCount64(l.words[word] & (1<<(offset%64) - 1))
	}
	return n
}

// drop forgets some of those before offset, and says how many.
func (l *lineEnds) drop(offset int64) (n int) {
	from := offset &^ 63
	n = l.before(from)
	l.words = slices.Delete(l.words, 0, min(int((from-l.from)/64), len(l.words)))
	l.from = from
	return n
}
