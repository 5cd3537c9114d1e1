package jwt

import "encoding/binary"

// decodedLen is how many bytes n characters of base64url stand for, without padding.
func decodedLen(n int) int { return n * 6 / 8 }

// decodeBase64URL decodes text, without padding, into dst, which has decodedLen(len(text)) bytes. It reports whether text is
// what encoding those bytes gives: nothing but the alphabet (RFC 4648 section 5), no line breaks, which encoding/base64
// skips, and zeros in the bits that are left over (section 3.5). So a token has one spelling.
//
// It does not stop at the first bad character, and what it then leaves in dst means nothing.
func decodeBase64URL(dst []byte, text string) bool {
	var bad, spare byte
	var none uint32
	for len(text) >= 8 && len(dst) >= 8 { // eight bytes are written, of which the last two are written again
		high := placed[0][text[0]] | placed[1][text[1]] | placed[2][text[2]] | placed[3][text[3]]
		low := placed[0][text[4]] | placed[1][text[5]] | placed[2][text[6]] | placed[3][text[7]]
		none |= high | low
		binary.BigEndian.PutUint64(dst, uint64(high)<<40|uint64(low)<<16)
		text, dst = text[8:], dst[6:]
	}
	for len(text) >= 4 {
		a, b, c, d := sextets[text[0]], sextets[text[1]], sextets[text[2]], sextets[text[3]]
		bad |= a | b | c | d
		dst[0], dst[1], dst[2] = a<<2|b>>4, b<<4|c>>2, c<<6|d
		text, dst = text[4:], dst[3:]
	}
	switch len(text) {
	case 1:
		return false
	case 2:
		a, b := sextets[text[0]], sextets[text[1]]
		bad, spare = bad|a|b, b&0x0f
		dst[0] = a<<2 | b>>4
	case 3:
		a, b, c := sextets[text[0]], sextets[text[1]], sextets[text[2]]
		bad, spare = bad|a|b|c, c&0x03
		dst[0], dst[1] = a<<2|b>>4, b<<4|c>>2
	}
	return none < 1<<24 && bad < 64 && spare == 0
}

// sextets are the six bits of each character, and 0xff for what is none.
var sextets = func() (sextets [256]byte) {
	for c := range sextets {
		sextets[c] = 0xff
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i, c := range []byte(alphabet) {
		sextets[c] = byte(i)
	}
	return sextets
}()

// placed are the sextets where they stand in 24 bits: those of a first, second, third and fourth character. What is none has
// bits above these.
var placed = func() (placed [4][256]uint32) {
	for i := range placed {
		for c, sextet := range sextets {
			placed[i][c] = uint32(sextet) << (18 - 6*i)
			if sextet == 0xff {
				placed[i][c] = 1 << 24
			}
		}
	}
	return placed
}()
