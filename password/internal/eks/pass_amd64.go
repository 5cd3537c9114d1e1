//go:build !purego

package eks

//go:generate go run gen_pass.go

// Width is the greatest number of hashes in a [Batch]: as many as have their two words in registers.
const Width = 5

// pass is the second half of ExpandKey, for every lane: each two words of the subkeys and S-boxes become the encryption
// of the two before them. It is one call of some 30 to 40 µs, which the scheduler of Go cannot interrupt.
func (b *Batch) pass() {
	switch b.n {
	case 1:
		pass1(&b.lanes)
	case 2:
		pass2(&b.lanes)
	case 3:
		pass3(&b.lanes)
	case 4:
		pass4(&b.lanes)
	case 5:
		pass5(&b.lanes)
	}
}

// These work on the first so many lanes.

//go:noescape
func pass1(lanes *[Width]lane)

//go:noescape
func pass2(lanes *[Width]lane)

//go:noescape
func pass3(lanes *[Width]lane)

//go:noescape
func pass4(lanes *[Width]lane)

//go:noescape
func pass5(lanes *[Width]lane)
