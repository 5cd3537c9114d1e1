package withpassword

import (
	"crypto/sha256"
	_ "embed" // for commonTable
	"encoding/binary"
	"sort"
)

// The passwords themselves are in no file here: a virus scanner or a reader of the binary finds hashes alone. Where they
// come from stands in gen_common.go.
//
//go:generate go run gen_common.go common.bin common-passwords.txt.gz passwords.json

// commonTable is the commonest passwords of all: for each the first commonWidth bytes of the SHA-256 of its folded form,
// in ascending order. It is searched where it lies, so that it costs nothing until then.
//
//go:embed common.bin
var commonTable string

const (
	// commonWidth makes a password that is not listed look listed with a probability of 56,110 / 2^48, or 2^-32.
	commonWidth = 6
	// commonLongest is the length of the longest listed password, in bytes.
	commonLongest = 21
	// joinedLength is the least length of a listed password that counts as half of another: one that would be refused
	// by itself under the default of password.min_length.
	joinedLength = 8
)

// digest is what a listed password is known by: the first bytes of the SHA-256 of its folded form.
func digest(folded string) uint64 {
	sum := sha256.Sum256([]byte(folded))
	return binary.BigEndian.Uint64(sum[:8])
}

// isCommon reports whether the password of that folded form is listed.
func isCommon(folded string) bool {
	if len(folded) > commonLongest {
		return false
	}
	want := digest(folded) >> (64 - 8*commonWidth)
	n := len(commonTable) / commonWidth
	i := sort.Search(n, func(i int) bool { return commonEntry(i) >= want })
	return i < n && commonEntry(i) == want
}

func commonEntry(i int) (v uint64) {
	for j := range commonWidth {
		v = v<<8 | uint64(commonTable[i*commonWidth+j])
	}
	return v
}

// isTwoCommon reports whether a password is nothing but two listed ones: passwordpassword, password12345678. They are
// what people come to where 15 characters are asked for, and few lists hold them.
func isTwoCommon(folded string) bool {
	if len(folded) > 2*commonLongest {
		return false
	}
	for i := joinedLength; i <= len(folded)-joinedLength; i++ {
		if isCommon(folded[:i]) && isCommon(folded[i:]) {
			return true
		}
	}
	return false
}
