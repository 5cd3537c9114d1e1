package transfer

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
)

const (
	// maxRecord bounds one record of a dump, in bytes. The largest that can be imported has some tens of KiB.
	maxRecord = 1 << 20
	// maxOther bounds one value of a dump that is no record, such as the clients of a Keycloak realm.
	maxOther = 16 << 20
)

var errTooLarge = errors.New("a record has over 1 MiB")

// input is a dump as it is read. It counts the lines for those who read ahead of what they understand, and bounds how
// far ahead that may be.
type input struct {
	r     *bufio.Reader
	begun bool
	// read is how many bytes have been read, and limit how many may be.
	read, limit int64
	// exceeded says that somebody wanted more.
	exceeded bool
	// ends are the line ends that passed has not got to, and lines how many it has.
	ends  lineEnds
	lines int
	// hashes says that there is a field for the hashes of passwords.
	hashes bool
	// fields tells which fields of the records are not taken.
	fields fields
}

func newInput(r io.Reader) *input { return &input{r: bufio.NewReader(r), limit: maxRecord} }

// byteOrderMark stands before a dump that came through some editors.
const byteOrderMark = "\ufeff"

// Read implements [io.Reader].
func (in *input) Read(p []byte) (int, error) {
	if in.read >= in.limit {
		in.exceeded = true
		return 0, errTooLarge
	}
	if !in.begun {
		in.begun = true
		if b, _ := in.r.Peek(len(byteOrderMark)); string(b) == byteOrderMark {
			_, _ = in.r.Discard(len(b)) // which are there
		}
	}
	p = p[:min(int64(len(p)), in.limit-in.read)]
	n, err := in.r.Read(p)
	for i, c := range p[:n] {
		if c == '\n' {
			in.ends.add(in.read + int64(i))
		}
	}
	in.read += int64(n)
	return n, err
}

// passed says that everything before offset is understood, so that as much as a value may have can be read behind it.
func (in *input) passed(offset, value int64) {
	in.lines += in.ends.drop(offset)
	in.limit = offset + value + readAhead
}

// readAhead is more than decoders read ahead of the value that they are at.
const readAhead = 64 << 10

// line returns the line of an offset that is not before what has passed, as people count.
func (in *input) line(offset int64) int { return in.lines + in.ends.before(offset) + 1 }

// at returns where an offset is, for people.
func (in *input) at(offset int64) string { return fmt.Sprintf("line %d", in.line(offset)) }

// fields tells which fields a dump has and which of them are taken.
type fields struct {
	seen  []string
	known map[string]bool // of each that was seen or taken, whether it was taken
}

// maxFields bounds how many names of fields are told to people.
const maxFields = 100

func (f *fields) see(name string) {
	if _, ok := f.known[name]; ok || len(f.seen) == maxFields {
		return
	}
	f.mark(name, false)
	f.seen = append(f.seen, name)
}

func (f *fields) take(name string) {
	if !f.known[name] {
		f.mark(name, true)
	}
}

func (f *fields) mark(name string, taken bool) {
	if f.known == nil {
		f.known = map[string]bool{}
	}
	f.known[name] = taken
}

// left returns the names of the fields that were not taken.
func (f *fields) left() (names []string) {
	for _, name := range f.seen {
		if !f.known[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
