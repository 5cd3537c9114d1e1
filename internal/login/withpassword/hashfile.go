package withpassword

import (
	"bytes"
	"crypto/sha1" // the choice of Have I Been Pwned; it hides nothing here
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"math"
)

const (
	// readSize is how much one read of a list takes: a page, some 90 lines.
	readSize = 4096
	// hashLine is the length of the longest line: 40 digits, a colon, a count, a line end.
	hashLine = 64
	// maxGuesses is how many places are guessed before the search halves. Three or four are enough in a real file, of any
	// size, because hashes are spread evenly.
	maxGuesses = 8
	// samples is how many places of a list are looked at before it is used.
	samples = 16
)

type sha1Hash [sha1.Size]byte

// key is the beginning of a hash, as the number that tells where in a file it stands.
func (h sha1Hash) key() uint64 { return binary.BigEndian.Uint64(h[:]) }

// errNotHashes and errUnsorted say what is wrong with a list.
var (
	errNotHashes = errors.New("has a line that is not 40 hexadecimal digits, a colon and a count")
	errUnsorted  = errors.New("is not in ascending order of its hashes")
)

// hashFile is a list of SHA-1 hashes in ascending order, as Have I Been Pwned gives it out: tens of gigabytes, and so
// searched where it lies. Its passwords count in the case they have there.
type hashFile struct {
	io.Closer
	file io.ReaderAt
	size int64 // without the line ends behind the last line
}

// newHashFile returns a list after a look at a few places of it.
func newHashFile(file io.ReaderAt, size int64) (*hashFile, error) {
	f := &hashFile{file: file, size: size}
	if err := f.trim(); err != nil {
		return nil, err
	}
	var before sha1Hash
	buf := make([]byte, readSize)
	for i := range int64(samples) {
		w, err := f.read(buf, span{to: f.size}, f.size/(samples-1)*i)
		if err != nil {
			return nil, err
		}
		first, _, _, err := w.scan(sha1Hash{})
		if err != nil {
			return nil, err
		}
		if bytes.Compare(first[:], before[:]) < 0 {
			return nil, errUnsorted
		}
		before = first
	}
	return f, nil
}

// trim leaves the line ends at the end of the file out.
func (f *hashFile) trim() error {
	tail := make([]byte, min(hashLine, f.size))
	if err := f.readAt(tail, f.size-int64(len(tail))); err != nil {
		return err
	}
	rest := bytes.TrimRight(tail, "\r\n")
	if len(rest) == 0 {
		return errNotHashes
	}
	f.size -= int64(len(tail) - len(rest))
	return nil
}

func (f *hashFile) load() error { return nil }

func (f *hashFile) holds(pw string) (bool, error) { return f.find(sha1.Sum([]byte(pw))) }

// find searches by guessing where in the file a hash stands. Each read shrinks what is left, and after maxGuesses
// halves it, so that no file can keep the search going.
func (f *hashFile) find(want sha1Hash) (bool, error) {
	buf := make([]byte, readSize)
	s := span{to: f.size, high: math.MaxUint64}
	for reads := 0; s.from < s.to; reads++ {
		w, err := f.read(buf, s, s.guess(want.key(), reads))
		if err != nil {
			return false, err
		}
		first, last, found, err := w.scan(want)
		switch {
		case err != nil || found:
			return found, err
		case bytes.Compare(want[:], first[:]) < 0:
			s.to, s.high = w.start, first.key()
		case bytes.Compare(want[:], last[:]) > 0:
			s.from, s.low = w.start+int64(len(w.lines)), last.key()
		default:
			return false, nil
		}
	}
	return false, nil
}

// span is the part of a file that a hash can stand in: whole lines, and between which keys they lie.
type span struct {
	from, to  int64
	low, high uint64
}

func (s span) guess(key uint64, reads int) int64 {
	part := 0.5
	if reads < maxGuesses && s.low <= key && key <= s.high && s.low < s.high {
		part = float64(key-s.low) / float64(s.high-s.low)
	}
	return s.from + int64(part*float64(s.to-s.from))
}

// window is some whole lines of a file.
type window struct {
	lines []byte
	start int64
}

// read returns the lines around a place in a span. There is at least one.
func (f *hashFile) read(buf []byte, s span, place int64) (window, error) {
	buf = buf[:min(readSize, s.to-s.from)]
	start := max(s.from, min(place-readSize/2, s.to-int64(len(buf))))
	if err := f.readAt(buf, start); err != nil {
		return window{}, err
	}
	if start+int64(len(buf)) < s.to { // it ends within a line
		i := bytes.LastIndexByte(buf, '\n')
		if len(buf)-i > hashLine {
			return window{}, errNotHashes
		}
		buf = buf[:i+1]
	}
	if start > s.from { // it begins within one
		i := bytes.IndexByte(buf, '\n')
		if i < 0 || i >= hashLine {
			return window{}, errNotHashes
		}
		buf, start = buf[i+1:], start+int64(i)+1
	}
	return window{buf, start}, nil
}

func (f *hashFile) readAt(buf []byte, offset int64) error {
	n, err := f.file.ReadAt(buf, offset)
	if n == len(buf) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = errors.New("has become shorter")
	}
	return withoutPath(err)
}

// withoutPath takes the name of the file out of an error.
func withoutPath(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// scan returns the first and the last hash of a window, and whether it holds the one that is wanted.
func (w window) scan(want sha1Hash) (first, last sha1Hash, found bool, err error) {
	begun := false
	for line := range bytes.Lines(w.lines) {
		h, ok := parseHash(line)
		if !ok {
			return first, last, false, errNotHashes
		}
		if !begun {
			first, begun = h, true
		} else if bytes.Compare(h[:], last[:]) < 0 {
			return first, last, false, errUnsorted
		}
		last, found = h, found || h == want
	}
	return first, last, found, nil
}

// parseHash reads a line: 40 hexadecimal digits, and a colon and a count unless somebody has cut them off.
func parseHash(line []byte) (h sha1Hash, ok bool) {
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	const digits = 2 * len(h)
	if len(line) < digits || len(line) > hashLine-2 {
		return h, false
	}
	if _, err := hex.Decode(h[:], line[:digits]); err != nil {
		return h, false
	}
	count := line[digits:]
	if len(count) == 0 {
		return h, true
	}
	return h, count[0] == ':' && len(count) > 1 && len(bytes.Trim(count[1:], "0123456789")) == 0
}
