package bearer

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/countersign-auth/countersign/jwt"
)

// The sizes that an entry may have. Only its first eight bytes are compared.
const (
	minEntry = 8
	maxEntry = 32
)

// keepSeconds is how long an entry counts after the newest document that had it. The nodes of a server say what they
// know in documents of their own, by clocks of their own; one that does not know yet takes nothing back.
const keepSeconds = 120

// maxKnown bounds what is kept of earlier documents: four times what the largest can say.
const maxKnown = 1 << 18

// document is what a document of the feed says.
type document struct {
	issued  int64 // seconds since 1970
	since   int64
	entries []uint64 // sorted
}

// readDocument reads the claims of a verified token as a document.
func readDocument(t *jwt.Token) (document, error) {
	since, ok := number(t, "since")
	if !ok {
		return document{}, errors.New("since is not a number of seconds")
	}
	size, ok := number(t, "size")
	if !ok || size < minEntry || size > maxEntry {
		return document{}, fmt.Errorf("size is not between %d and %d", minEntry, maxEntry)
	}
	text, ok := t.String("entries")
	if !ok {
		return document{}, errors.New("entries is not a string")
	}
	entries, err := readEntries(text, int(size))
	return document{issued: t.IssuedAt.Unix(), since: since, entries: entries}, err
}

// number returns a claim that is a whole number, not negative.
func number(t *jwt.Token, name string) (int64, bool) {
	raw, ok := t.Claim(name)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(string(raw), 10, 63)
	return int64(n), err == nil
}

// readEntries returns the first eight bytes of each entry. They must be sorted, which also says that none is there
// twice.
func readEntries(text string, size int) ([]uint64, error) {
	if strings.ContainsAny(text, "\r\n") { // which the decoder would pass over
		return nil, errors.New("entries is not base64url")
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errors.New("entries is not base64url")
	}
	if len(data)%size != 0 {
		return nil, errors.New("entries has a part of an entry")
	}
	entries := make([]uint64, 0, len(data)/size)
	for last := []byte(nil); len(data) > 0; data = data[size:] {
		entry := data[:size]
		if last != nil && string(entry) <= string(last) {
			return nil, errors.New("entries is not sorted")
		}
		last = entry
		entries = append(entries, max(1, binary.BigEndian.Uint64(entry)))
	}
	return entries, nil
}

// known is what documents have said. It does not change.
type known struct {
	issued  int64 // when the newest document was issued
	since   int64
	entries []uint64 // sorted
	seen    []int64  // when the newest document that had the entry was issued

	slots []uint64 // the entries by their first bits, 0 for an empty slot; at least half of them are
	shift int
}

// has requires an entry that is not 0.
func (k *known) has(entry uint64) bool {
	if len(k.slots) == 0 {
		return false
	}
	for i := entry >> k.shift; ; i = (i + 1) & uint64(len(k.slots)-1) {
		switch k.slots[i] {
		case entry:
			return true
		case 0:
			return false
		}
	}
}

// with returns what is known once doc has come too. A document older than the newest one, from another node or played
// once more by somebody, can only add: it takes nothing back.
func (k *known) with(doc document) known {
	next := known{issued: max(k.issued, doc.issued), since: doc.since}
	switch {
	case doc.issued < k.issued:
		next.since = k.since
	case doc.issued == k.issued:
		next.since = max(k.since, doc.since)
	}
	next.merge(k, doc, next.issued-keepSeconds)
	if len(next.entries) > maxKnown {
		next.merge(&known{}, doc, 0)
	}
	next.index()
	return next
}

// merge sets the entries to those of doc and those that old has seen since oldest.
func (k *known) merge(old *known, doc document, oldest int64) {
	k.entries = make([]uint64, 0, len(doc.entries)+len(doc.entries)/8)
	k.seen = make([]int64, 0, cap(k.entries))
	add := func(entry uint64, seen int64) {
		k.entries, k.seen = append(k.entries, entry), append(k.seen, seen)
	}
	i := 0
	for j := range len(doc.entries) + 1 {
		for ; i < len(old.entries) && (j == len(doc.entries) || old.entries[i] < doc.entries[j]); i++ {
			if old.seen[i] >= oldest {
				add(old.entries[i], old.seen[i])
			}
		}
		if j == len(doc.entries) {
			return
		}
		seen := doc.issued
		if i < len(old.entries) && old.entries[i] == doc.entries[j] {
			seen = max(seen, old.seen[i])
			i++
		}
		add(doc.entries[j], seen)
	}
}

func (k *known) index() {
	width := bits.Len(uint(2 * len(k.entries)))
	k.slots, k.shift = make([]uint64, 1<<width), 64-width
	for _, e := range k.entries {
		i := e >> k.shift
		for k.slots[i] != 0 {
			i = (i + 1) & uint64(len(k.slots)-1)
		}
		k.slots[i] = e
	}
}
