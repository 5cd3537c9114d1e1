package password

import "encoding/binary"

// expandBcryptKey2x writes out the key of $2x$: crypt_blowfish before 1.1 (and
// PHP before 5.3.7 with it) took the bytes of a password as signed, so that
// when a byte of 0x80 or above is or-ed into a word, its sign fills what the
// word already holds of the three bytes before it (CVE-2011-2483). $2x$ names
// that algorithm for hashes from before the correction.
//
// Each word being computed from four bytes of the cycle alone, the fault is a
// matter of the 72 bytes that result, and the cipher needs to know nothing of it.
// The hashes of ASCII are those of $2b$. Those of other passwords are weaker:
// many passwords share one.
func expandBcryptKey2x(password []byte) (key bcryptKey) {
	next := cycle(password)
	for i := 0; i < len(key); i += 4 {
		var w uint32
		for range 4 {
			w = w<<8 | uint32(int32(int8(next())))
		}
		binary.BigEndian.PutUint32(key[i:], w)
	}
	return key
}
