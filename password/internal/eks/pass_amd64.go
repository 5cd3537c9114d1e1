//go:build !purego

package eks

//go:generate go run gen_pass.go

// Width is the greatest number of hashes in a [Batch]. A fifth would still gain some percent on an idle core, and lose more on
// one whose other hyperthread works too: the states no longer fit into what is left of the first-level cache.
const Width = 4

// pass is the second half of ExpandKey, for every lane: each two words of the subkeys and S-boxes become the encryption
// of the two before them. It is one call of some 30 to 40 µs, which the scheduler of Go cannot interrupt.
//
//go:nosplit
//go:norace
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
