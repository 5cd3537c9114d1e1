//go:build !amd64 || purego

package eks

// Width is the greatest number of hashes in a [Batch]. With more than three lanes, what the compiler makes of them no
// longer fits into the registers.
const Width = 3

// pass is the second half of ExpandKey, for every lane: each two words of the subkeys and S-boxes become the encryption
// of the two before them.
//
//go:nosplit
//go:norace
func (b *Batch) pass() {
	if b.n == Width {
		pass3(&b.lanes)
		return
	}
	for i := range b.lanes[:b.n] {
		pass1(&b.lanes[i])
	}
}

//go:nosplit
//go:norace
func pass1(a *lane) {
	var al, ar uint32
	for i := 0; i < len(a.p); i += 2 {
		al, ar = a.encrypt(al, ar)
		a.p[i], a.p[i+1] = al, ar
	}
	for i := range a.s {
		for j := 0; j < 256; j += 2 {
			al, ar = a.encrypt(al, ar)
			a.s[i][j], a.s[i][j+1] = al, ar
		}
	}
}

//go:nosplit
//go:norace
func pass3(lanes *[3]lane) {
	a, b, c := &lanes[0], &lanes[1], &lanes[2]
	var w words3
	for i := 0; i < len(a.p); i += 2 {
		w = encrypt3(a, b, c, w)
		a.p[i], a.p[i+1] = w.al, w.ar
		b.p[i], b.p[i+1] = w.bl, w.br
		c.p[i], c.p[i+1] = w.cl, w.cr
	}
	for i := range a.s {
		for j := 0; j < 256; j += 2 {
			w = encrypt3(a, b, c, w)
			a.s[i][j], a.s[i][j+1] = w.al, w.ar
			b.s[i][j], b.s[i][j+1] = w.bl, w.br
			c.s[i][j], c.s[i][j+1] = w.cl, w.cr
		}
	}
}

// words3 are the left and right words of three blocks.
type words3 struct{ al, ar, bl, br, cl, cr uint32 }

// encrypt3 is [lane.encrypt] of three lanes, round by round.
//
//go:nosplit
//go:norace
func encrypt3(a, b, c *lane, w words3) words3 {
	al, ar, bl, br, cl, cr := w.al, w.ar, w.bl, w.br, w.cl, w.cr
	al ^= a.p[0]
	bl ^= b.p[0]
	cl ^= c.p[0]
	for i := 1; i < 17; i += 2 {
		ar ^= a.f(al) ^ a.p[i]
		br ^= b.f(bl) ^ b.p[i]
		cr ^= c.f(cl) ^ c.p[i]
		al ^= a.f(ar) ^ a.p[i+1]
		bl ^= b.f(br) ^ b.p[i+1]
		cl ^= c.f(cr) ^ c.p[i+1]
	}
	return words3{ar ^ a.p[17], al, br ^ b.p[17], bl, cr ^ c.p[17], cl}
}
