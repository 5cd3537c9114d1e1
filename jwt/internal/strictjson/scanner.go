package strictjson

import (
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner walks a text that is known to be valid UTF-8.
type scanner struct {
	data   string
	pos    int
	depth  int
	count  int // of members so far
	limits Limits
}

// peek returns the next byte, or 0 at the end; a NUL is never part of well-formed JSON.
func (s *scanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// expect takes one byte, with the white space around it.
func (s *scanner) expect(c byte) bool {
	s.space()
	if s.peek() != c {
		return false
	}
	s.pos++
	s.space()
	return true
}

// value takes a value and returns its kind. The members of the objects around it are passed on for their spare room, and
// by value, so that they need not be on the heap.
func (s *scanner) value(around []member) (Kind, error) {
	switch c := s.peek(); {
	case c == '"':
		_, _, err := s.text()
		return String, err
	case c == '{':
		_, err := s.object(around)
		return Object, err
	case c == '[':
		return Array, s.array(nil, around)
	case c == '-' || '0' <= c && c <= '9':
		return Number, s.number()
	case c == 't':
		return Bool, s.literal("true")
	case c == 'f':
		return Bool, s.literal("false")
	case c == 'n':
		return Null, s.literal("null")
	}
	return Invalid, ErrSyntax
}

// enter takes what opens an object or an array. Nothing is read after an error, so only leave undoes it.
func (s *scanner) enter() error {
	s.pos++
	s.depth++
	if s.depth > s.limits.Depth {
		return ErrDepth
	}
	s.space()
	return nil
}

// leave takes what closes it.
func (s *scanner) leave(c byte) error {
	if s.peek() != c {
		return ErrSyntax
	}
	s.pos++
	s.depth--
	return nil
}

// object takes an object and returns its members behind those around it.
func (s *scanner) object(members []member) ([]member, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	around := len(members)
	var known names
	for more := s.peek() != '}'; more; more = s.expect(',') {
		m, err := s.member(members)
		if err != nil {
			return nil, err
		}
		if s.count++; s.count > s.limits.Members {
			return nil, ErrMembers
		}
		if !known.add(s.data, members[around:], m) {
			return nil, ErrDuplicate
		}
		members = append(members, m)
	}
	return members, s.leave('}')
}

func (s *scanner) member(around []member) (m member, err error) {
	if m.name, m.escaped, err = s.text(); err != nil {
		return m, err
	}
	if !s.expect(':') {
		return m, ErrSyntax
	}
	m.mark = markOf(m.name.of(s.data))
	start := s.pos
	m.kind, err = s.value(around)
	m.value = span{uint32(start), uint32(s.pos)}
	return m, err
}

// array appends the elements to into, when that is not nil.
func (s *scanner) array(into *[]Value, around []member) error {
	if err := s.enter(); err != nil {
		return err
	}
	for more := s.peek() != ']'; more; more = s.expect(',') {
		start := s.pos
		kind, err := s.value(around)
		if err != nil {
			return err
		}
		if into != nil {
			*into = append(*into, Value{kind, s.data[start:s.pos]})
		}
	}
	return s.leave(']')
}

// text takes a string and returns where its inside is, and whether that must be unescaped.
func (s *scanner) text() (inside span, escaped bool, err error) {
	if s.peek() != '"' {
		return inside, false, ErrSyntax
	}
	s.pos++
	start := s.pos
	for {
		// Nearly all bytes are plain ones: the loop over those is kept small.
		i := s.pos
		for i < len(s.data) && plain[s.data[i]] {
			i++
		}
		s.pos = i
		switch {
		case i == len(s.data) || s.data[i] < 0x20:
			return inside, false, ErrSyntax
		case s.data[i] == '"':
			s.pos++
			return span{uint32(start), uint32(i)}, escaped, nil
		}
		escaped = true
		if err := s.escape(); err != nil {
			return inside, false, err
		}
	}
}

// plain are the bytes of a string that neither end it, nor escape anything, nor are forbidden.
var plain = func() (plain [256]bool) {
	for c := range plain {
		plain[c] = c >= 0x20 && c != '"' && c != '\\'
	}
	return plain
}()

func (s *scanner) escape() error {
	if s.pos+1 >= len(s.data) {
		return ErrSyntax
	}
	if s.data[s.pos+1] != 'u' {
		if plainEscape(s.data[s.pos+1]) == 0 {
			return ErrSyntax
		}
		s.pos += 2
		return nil
	}
	r, size := escapedRune(s.data[s.pos:])
	if size == 0 {
		return ErrSyntax
	}
	if r == loneSurrogate {
		return ErrSurrogate
	}
	s.pos += size
	return nil
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

func (s *scanner) number() error {
	if s.peek() == '-' {
		s.pos++
	}
	if s.peek() == '0' {
		s.pos++
	} else if !s.digits() {
		return ErrSyntax
	}
	if s.peek() == '.' {
		s.pos++
		if !s.digits() {
			return ErrSyntax
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		if !s.digits() {
			return ErrSyntax
		}
	}
	return nil
}

func (s *scanner) digits() bool {
	start := s.pos
	for c := s.peek(); '0' <= c && c <= '9'; c = s.peek() {
		s.pos++
	}
	return s.pos > start
}

func (s *scanner) literal(word string) error {
	if !strings.HasPrefix(s.data[s.pos:], word) {
		return ErrSyntax
	}
	s.pos += len(word)
	return nil
}

// names finds a name that one object has twice. Objects are small, so it compares pairwise at first. An object with many
// members gets a map, which keeps the work linear, and so does one that escapes a name, which is then unescaped but once.
type names struct {
	marks uint64 // of the names so far
	many  map[string]struct{}
}

const fewNames = 16

// add reports whether m has another name than the members before it.
func (n *names) add(text string, before []member, m member) bool {
	if n.many == nil && len(before) < fewNames && !m.escaped {
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

// markOf returns a number below 64 that equal names have in common, and most pairs of others have not.
func markOf(name string) byte {
	if name == "" {
		return 0
	}
	return (byte(len(name)) + 3*name[0] + 5*name[len(name)/2] + 7*name[len(name)-1]) % 64
}
