package strictjson

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner walks a text that is known to be valid UTF-8.
type scanner struct {
	data    []byte
	pos     int
	depth   int
	members int
	limits  Limits
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

func (s *scanner) value() (Value, error) {
	start := s.pos
	kind := Invalid
	var err error
	switch c := s.peek(); {
	case c == '{':
		kind, err = Object, s.object(nil)
	case c == '[':
		kind, err = Array, s.array(nil)
	case c == '"':
		kind = String
		_, err = s.text()
	case c == '-' || '0' <= c && c <= '9':
		kind, err = Number, s.number()
	case c == 't':
		kind, err = Bool, s.literal("true")
	case c == 'f':
		kind, err = Bool, s.literal("false")
	case c == 'n':
		kind, err = Null, s.literal("null")
	default:
		err = ErrSyntax
	}
	return Value{Kind: kind, Raw: s.data[start:s.pos]}, err
}

func (s *scanner) enter() error {
	s.pos++
	s.depth++
	if s.depth > s.limits.Depth {
		return ErrDepth
	}
	return nil
}

// object appends the members to into, when that is not nil.
func (s *scanner) object(into *[]Member) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer func() { s.depth-- }()
	s.space()
	if s.peek() == '}' {
		s.pos++
		return nil
	}
	var seen names
	for {
		name, err := s.text()
		if err != nil {
			return err
		}
		if s.members++; s.members > s.limits.Members {
			return ErrMembers
		}
		if !seen.add(name) {
			return ErrDuplicate
		}
		if !s.expect(':') {
			return ErrSyntax
		}
		v, err := s.value()
		if err != nil {
			return err
		}
		if into != nil {
			*into = append(*into, Member{Name: name, Value: v})
		}
		if s.expect(',') {
			continue
		}
		if s.peek() != '}' {
			return ErrSyntax
		}
		s.pos++
		return nil
	}
}

// array appends the elements to into, when that is not nil.
func (s *scanner) array(into *[]Value) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer func() { s.depth-- }()
	s.space()
	if s.peek() == ']' {
		s.pos++
		return nil
	}
	for {
		v, err := s.value()
		if err != nil {
			return err
		}
		if into != nil {
			*into = append(*into, v)
		}
		if s.expect(',') {
			continue
		}
		if s.peek() != ']' {
			return ErrSyntax
		}
		s.pos++
		return nil
	}
}

// text takes a string and returns it unescaped.
func (s *scanner) text() ([]byte, error) {
	if s.peek() != '"' {
		return nil, ErrSyntax
	}
	s.pos++
	start, escaped := s.pos, false
	for {
		// Nearly all bytes are plain ones: the loop over those is kept small.
		i := s.pos
		for i < len(s.data) && plain[s.data[i]] {
			i++
		}
		s.pos = i
		switch {
		case i == len(s.data) || s.data[i] < 0x20:
			return nil, ErrSyntax
		case s.data[i] == '"':
			s.pos++
			text := s.data[start:i]
			if escaped {
				text = unescape(text)
			}
			return text, nil
		}
		escaped = true
		if err := s.escape(); err != nil {
			return nil, err
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
func escapedRune(text []byte) (rune, int) {
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
func hex4(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range text[2:6] {
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
	if !bytes.HasPrefix(s.data[s.pos:], []byte(word)) {
		return ErrSyntax
	}
	s.pos += len(word)
	return nil
}

// names finds a name that one object has twice. Objects are small, so it compares pairwise at first; an object
// with many members gets a map, which keeps the work linear.
type names struct {
	count int
	keys  [16]uint64 // see keyOf
	few   [16][]byte
	many  map[string]struct{}
}

func (n *names) add(name []byte) bool {
	if n.many == nil && n.count < len(n.few) {
		key := keyOf(name)
		for i, other := range n.keys[:n.count] {
			if other == key && (len(name) < 8 || bytes.Equal(n.few[i], name)) {
				return false
			}
		}
		n.keys[n.count], n.few[n.count] = key, name
		n.count++
		return true
	}
	if n.many == nil {
		n.many = make(map[string]struct{}, 4*len(n.few))
		for _, other := range n.few {
			n.many[string(other)] = struct{}{}
		}
	}
	if _, dup := n.many[string(name)]; dup {
		return false
	}
	n.many[string(name)] = struct{}{}
	return true
}

// keyOf returns a number that equal names have in common. Of names with less than eight bytes no two others have one.
func keyOf(name []byte) uint64 {
	key := uint64(min(len(name), 8))
	for _, c := range name[:min(len(name), 7)] {
		key = key<<8 | uint64(c)
	}
	return key
}
