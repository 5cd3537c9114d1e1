package strictjson

import (
	"math/bits"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner walks a text that is known to be valid UTF-8. Its methods take the place in the text where something begins, and
// return the one behind it: a place that is passed in registers is faster by half than one that is kept here.
type scanner struct {
	data   string
	depth  int
	count  int // of members so far
	limits Limits
}

// peek returns the byte at i, or 0 at the end; a NUL is never part of well-formed JSON.
func (s *scanner) peek(i int) byte {
	if i < len(s.data) {
		return s.data[i]
	}
	return 0
}

func (s *scanner) space(i int) int {
	for i < len(s.data) && (s.data[i] == ' ' || s.data[i] == '\n' || s.data[i] == '\t' || s.data[i] == '\r') {
		i++
	}
	return i
}

// expect takes one byte, with the white space around it. Without that byte it takes the white space.
func (s *scanner) expect(c byte, i int) (int, bool) {
	if i+1 < len(s.data) && s.data[i] == c && s.data[i+1] > ' ' { // as programs write it
		return i + 1, true
	}
	i = s.space(i)
	if s.peek(i) != c {
		return i, false
	}
	return s.space(i + 1), true
}

// value takes a value and returns its kind. The members of the objects around it are passed on for their spare room, and
// by value, so that they need not be on the heap.
func (s *scanner) value(i int, around []member) (next int, kind Kind, err error) {
	switch c := s.peek(i); {
	case c == '"':
		inside, _, err := s.text(i)
		return int(inside.end) + 1, String, err
	case c == '{':
		_, next, err = s.object(i, around)
		return next, Object, err
	case c == '[':
		next, err = s.array(i, nil, around)
		return next, Array, err
	case c == '-' || '0' <= c && c <= '9':
		next, err = s.number(i)
		return next, Number, err
	case c == 't':
		next, err = s.literal(i, "true")
		return next, Bool, err
	case c == 'f':
		next, err = s.literal(i, "false")
		return next, Bool, err
	case c == 'n':
		next, err = s.literal(i, "null")
		return next, Null, err
	}
	return i, Invalid, ErrSyntax
}

// enter takes what opens an object or an array. Nothing is read after an error, so only leave undoes it.
func (s *scanner) enter(i int) (int, error) {
	s.depth++
	if s.depth > s.limits.Depth {
		return i, ErrDepth
	}
	return s.space(i + 1), nil
}

// leave takes what closes it.
func (s *scanner) leave(c byte, i int) (int, error) {
	if s.peek(i) != c {
		return i, ErrSyntax
	}
	s.depth--
	return i + 1, nil
}

// object takes an object and returns its members behind those around it.
func (s *scanner) object(i int, members []member) (_ []member, next int, err error) {
	if i, err = s.enter(i); err != nil {
		return nil, i, err
	}
	around := len(members)
	var known names
	for more := s.peek(i) != '}'; more; i, more = s.expect(',', i) {
		members = append(members, member{}) // and filled in there, for copying it would wait for that
		m := &members[len(members)-1]
		if i, err = s.member(i, m, members); err != nil {
			return nil, i, err
		}
		if s.count++; s.count > s.limits.Members {
			return nil, i, ErrMembers
		}
		if !known.add(s.data, members[around:len(members)-1], m) {
			return nil, i, ErrDuplicate
		}
	}
	i, err = s.leave('}', i)
	return members, i, err
}

func (s *scanner) member(i int, m *member, around []member) (next int, err error) {
	name, escaped, err := s.text(i)
	if err != nil {
		return i, err
	}
	i, ok := s.expect(':', int(name.end)+1)
	if !ok {
		return i, ErrSyntax
	}
	m.name, m.mark = name, escapedName
	if !escaped {
		m.mark = markOf(name.of(s.data))
	}
	next, m.kind, err = s.value(i, around)
	m.value = span{uint32(i), uint32(next)}
	return next, err
}

// array appends the elements to into, when that is not nil.
func (s *scanner) array(i int, into *[]Value, around []member) (next int, err error) {
	if i, err = s.enter(i); err != nil {
		return i, err
	}
	for more := s.peek(i) != ']'; more; i, more = s.expect(',', i) {
		start, kind := i, Invalid
		if i, kind, err = s.value(i, around); err != nil {
			return i, err
		}
		if into != nil {
			*into = append(*into, Value{kind, s.data[start:i]})
		}
	}
	return s.leave(']', i)
}

// text takes a string and returns where its inside is, and whether that must be unescaped.
func (s *scanner) text(i int) (inside span, escaped bool, err error) {
	if s.peek(i) != '"' {
		return inside, false, ErrSyntax
	}
	i++
	for start := i; ; {
		i = s.plain(i)
		switch s.peek(i) {
		case '"':
			return span{uint32(start), uint32(i)}, escaped, nil
		case '\\':
			escaped = true
			if i, err = s.escape(i); err != nil {
				return inside, false, err
			}
		default:
			return inside, false, ErrSyntax
		}
	}
}

// plain passes over the bytes of a string that neither end it, nor escape anything, nor are forbidden: eight at a time, for
// nearly all are, and this is the loop that sees most of a text.
func (s *scanner) plain(i int) (next int) {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for i+8 <= len(s.data) {
		d := s.data[i : i+8]
		x := uint64(d[0]) | uint64(d[1])<<8 | uint64(d[2])<<16 | uint64(d[3])<<24 |
			uint64(d[4])<<32 | uint64(d[5])<<40 | uint64(d[6])<<48 | uint64(d[7])<<56
		// The high bit of the first byte that is below 0x20, or '"', or '\\', is set; those above it mean nothing, for a
		// subtraction borrows. A byte over 0x7f is none of these.
		found := (x - 0x20*ones | (x ^ '"'*ones - ones) | (x ^ '\\'*ones - ones)) &^ x & high
		if found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
		i += 8
	}
	for i < len(s.data) && s.data[i] >= 0x20 && s.data[i] != '"' && s.data[i] != '\\' {
		i++
	}
	return i
}

func (s *scanner) escape(i int) (next int, err error) {
	if s.peek(i+1) != 'u' {
		if plainEscape(s.peek(i+1)) == 0 {
			return i, ErrSyntax
		}
		return i + 2, nil
	}
	r, size := escapedRune(s.data[i:])
	switch {
	case size == 0:
		return i, ErrSyntax
	case r == loneSurrogate:
		return i, ErrSurrogate
	}
	return i + size, nil
}

// loneSurrogate is what escapedRune returns for half of a pair; it is no rune.
const loneSurrogate rune = -1

// escapedRune reads \uXXXX, or two of them that make a pair, at the beginning of text, and returns how many
// bytes that took: 0 when it is not there.
func escapedRune(text string) (rune, int) {
	hi := hex4(text)
	if hi < 0 {
		return 0, 0
	}
	if !utf16.IsSurrogate(hi) {
		return hi, 6
	}
	r := utf16.DecodeRune(hi, hex4(text[6:]))
	if r == utf8.RuneError {
		return loneSurrogate, 6
	}
	return r, 12
}

// hex4 reads one \uXXXX, or returns -1.
func hex4(text string) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range []byte(text[2:6]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

func (s *scanner) number(i int) (next int, err error) {
	if s.peek(i) == '-' {
		i++
	}
	ok := true
	if s.peek(i) == '0' {
		i++
	} else if i, ok = s.digits(i); !ok {
		return i, ErrSyntax
	}
	if s.peek(i) == '.' {
		if i, ok = s.digits(i + 1); !ok {
			return i, ErrSyntax
		}
	}
	if c := s.peek(i); c == 'e' || c == 'E' {
		i++
		if c := s.peek(i); c == '+' || c == '-' {
			i++
		}
		if i, ok = s.digits(i); !ok {
			return i, ErrSyntax
		}
	}
	return i, nil
}

// digits takes as many as there are, and reports whether there are any.
func (s *scanner) digits(i int) (next int, ok bool) {
	start := i
	for i < len(s.data) && '0' <= s.data[i] && s.data[i] <= '9' {
		i++
	}
	return i, i > start
}

func (s *scanner) literal(i int, word string) (next int, err error) {
	if !strings.HasPrefix(s.data[i:], word) {
		return i, ErrSyntax
	}
	return i + len(word), nil
}

// names finds a name that one object has twice. Objects are small, so it compares pairwise at first. An object with many
// members gets a map, which keeps the work linear, and so does one that escapes a name, which is then unescaped but once.
type names struct {
	marks uint64 // of the names so far
	many  map[string]struct{}
}

const fewNames = 16

// add reports whether m has another name than the members before it.
func (n *names) add(text string, before []member, m *member) bool {
	if n.many == nil && len(before) < fewNames && m.mark != escapedName {
		if bit := uint64(1) << m.mark; n.marks&bit == 0 {
			n.marks |= bit
			return true
		}
		return !slices.ContainsFunc(before, func(other member) bool { return other.name.of(text) == m.name.of(text) })
	}
	if n.many == nil {
		n.many = make(map[string]struct{}, 4*fewNames)
		for _, other := range before { // none of them is escaped
			n.many[other.name.of(text)] = struct{}{}
		}
	}
	name := m.nameIn(text)
	if _, dup := n.many[name]; dup {
		return false
	}
	n.many[name] = struct{}{}
	return true
}

// escapedName is the mark of a name that must be unescaped before it can be compared.
const escapedName = 64

// markOf returns a number below escapedName that equal names have in common, and most pairs of others have not: the usual
// claims all have one of their own.
func markOf(name string) byte {
	if name == "" {
		return 0
	}
	return (byte(len(name)) + name[0] + name[len(name)/2] + 11*name[len(name)-1]) % escapedName
}
