package revocation

import "sync/atomic"

// table is a set of hashes that any number of goroutines read while one adds to it: open addressing with linear
// probing, 0 for an empty slot. Nothing is ever taken out; a table that has too much in it is replaced by another.
type table struct {
	slots []atomic.Uint64
	at    []uint32 // the entry of each slot; for the writer alone
	used  int
}

const minSlots = 64

// newTable returns a table with room for n hashes and some more.
func newTable(n int) *table {
	size := minSlots
	for size/2 < n {
		size *= 2
	}
	return &table{slots: make([]atomic.Uint64, size), at: make([]uint32, size)}
}

// full reports that the table should be replaced before it takes another hash.
func (t *table) full() bool { return 4*(t.used+1) > 3*len(t.slots) }

func (t *table) has(hash uint64) bool {
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		switch t.slots[i].Load() {
		case hash:
			return true
		case 0:
			return false
		}
	}
}

// put adds hash as that of the entry at index, or returns the index that it has already.
func (t *table) put(hash uint64, index int) (at int, added bool) {
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		switch t.slots[i].Load() {
		case hash:
			return int(t.at[i]), false
		case 0:
			t.at[i] = uint32(index)
			t.slots[i].Store(hash)
			t.used++
			return index, true
		}
	}
}
