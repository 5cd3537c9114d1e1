package eks

import "encoding/binary"

// What runs between leaveScheduler and enterScheduler is nosplit and norace: see there.

// f is Blowfish's round function. Indexes of one byte need no check of bounds.
//
//go:nosplit
//go:norace
func (l *lane) f(x uint32) uint32 {
	return (l.s[0][byte(x>>24)] + l.s[1][byte(x>>16)] ^ l.s[2][byte(x>>8)]) + l.s[3][byte(x)]
}

// encrypt is Blowfish's encryption of one block.
//
//go:nosplit
//go:norace
func (l *lane) encrypt(left, right uint32) (uint32, uint32) {
	left ^= l.p[0]
	for i := 1; i < 17; i += 2 {
		right ^= l.f(left) ^ l.p[i]
		left ^= l.f(right) ^ l.p[i+1]
	}
	return right ^ l.p[17], left
}

// mix is the first half of ExpandKey: the words enter the subkeys.
//
//go:nosplit
//go:norace
func (l *lane) mix(words *[18]uint32) {
	for i := range l.p {
		l.p[i] ^= words[i]
	}
}

// expandSalted is the first ExpandKey of EksBlowfish, in which the salt enters every block.
func (l *lane) expandSalted(key, salt *[18]uint32) {
	l.mix(key)
	var left, right uint32
	next := 0
	block := func() {
		left, right = l.encrypt(left^salt[next], right^salt[next+1])
		next = (next + 2) % 4
	}
	for i := 0; i < len(l.p); i += 2 {
		block()
		l.p[i], l.p[i+1] = left, right
	}
	for i := range l.s {
		for j := 0; j < len(l.s[i]); j += 2 {
			block()
			l.s[i][j], l.s[i][j+1] = left, right
		}
	}
}

// finish encrypts the text 64 times.
func (l *lane) finish() (sum [SumBytes]byte) {
	text := []byte("OrpheanBeholderScryDoubt")
	for i := 0; i < len(text); i += 8 {
		left, right := binary.BigEndian.Uint32(text[i:]), binary.BigEndian.Uint32(text[i+4:])
		for range 64 {
			left, right = l.encrypt(left, right)
		}
		binary.BigEndian.PutUint32(text[i:], left)
		binary.BigEndian.PutUint32(text[i+4:], right)
	}
	copy(sum[:], text)
	return sum
}
