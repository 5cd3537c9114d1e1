// Package strictjson reads one JSON object the way RFC 8725 wants security tokens read: there is one
// reading of the text or none.
//
// It accepts a subset of RFC 8259. Refused are: a byte order mark, invalid UTF-8, lone surrogates, data after
// the value, a top value that is no object, two members with one name in any object (names compared after
// unescaping, exactly, never folding case), and nesting or member counts over the caller's limits.
// encoding/json takes all of these, or repairs them silently.
//
// The work done is linear in the length of the input.
package strictjson

import (
	"iter"
	"slices"
	"strings"
	"unicode/utf8"
)

// Error is a reason to refuse a text. Its words are constant: they never repeat the input.
type Error string

func (e Error) Error() string { return string(e) }

// The reasons to refuse a text.
const (
	ErrUTF8      Error = "is not valid UTF-8"
	ErrNotObject Error = "is not a JSON object"
	ErrSyntax    Error = "is not well-formed JSON"
	ErrTrailing  Error = "has data after the JSON object"
	ErrDuplicate Error = "has two members with the same name"
	ErrSurrogate Error = "has a lone surrogate in a string"
	ErrDepth     Error = "is nested too deeply"
	ErrMembers   Error = "has too many members"
	ErrTooLong   Error = "is too long"
)

// Limits bounds a text before its meaning is looked at. Both must be positive.
type Limits struct {
	Depth   int // of objects and arrays; the top object is 1
	Members int // of all objects together
}

// Kind is the JSON type of a value.
type Kind byte

// The kinds of a value.
const (
	Invalid Kind = iota
	Object
	Array
	String
	Number
	Bool
	Null
)

// Value is one value of a text that was accepted. Raw is a part of that text.
type Value struct {
	Kind Kind
	Raw  string
}

// Members are those of an object that was accepted: its text, and where in it they are. The list has no pointers, so that
// it costs the garbage collector nothing to keep many. The zero value is that of an object without members.
type Members struct {
	text string
	list []member
}

// span is a part of a text.
type span struct{ start, end uint32 }

func (sp span) of(text string) string { return text[sp.start:sp.end] }

// member is where a member of an object is.
type member struct {
	name, value span // the name without its quotes
	kind        Kind
	mark        byte // see markOf; it spares most comparisons of names, for many claims have three letters
}

func (m *member) nameIn(text string) string {
	if m.mark == escapedName {
		return unescape(m.name.of(text))
	}
	return m.name.of(text)
}

// unescapesTo is for an escaped name. It looks at none that is too long: an escape writes a byte with six at the most, and
// whoever sends a header could have long names unescaped for each one that is looked for.
func (m *member) unescapesTo(name, text string) bool {
	return int(m.name.end-m.name.start) <= 6*len(name) && unescape(m.name.of(text)) == name
}

func (m *member) valueIn(text string) Value { return Value{m.kind, m.value.of(text)} }

// maxText is far more than any caller reads, so that a span can be small.
const maxText = 16 << 20

// Parse accepts text as one JSON object. What it returns shares the memory of text.
func Parse(text string, lim Limits) (Members, error) {
	var few [24]member // most texts have fewer, those of the objects within included
	list, err := parse(text, lim, few[:0])
	if err != nil {
		return Members{}, err
	}
	return Members{text, slices.Clone(list)}, nil
}

// Room is memory for the members of an object, as many as most tokens have.
type Room [16]member

// ParseIn is [Parse], and what it returns lies in room, if that is enough, until room is used again. Nil is no room.
func ParseIn(room *Room, text string, lim Limits) (Members, error) {
	if room == nil {
		return Parse(text, lim)
	}
	list, err := parse(text, lim, room[:0])
	if err != nil {
		return Members{}, err
	}
	return Members{text, list}, nil
}

// CopyTo returns a copy of m that lies in room, if that is enough.
func (m Members) CopyTo(room *Room) Members { return Members{m.text, append(room[:0], m.list...)} }

// parse appends the members of the object that text is to list.
func parse(text string, lim Limits, list []member) ([]member, error) {
	if len(text) > maxText {
		return nil, ErrTooLong
	}
	if !utf8.ValidString(text) {
		return nil, ErrUTF8
	}
	s := scanner{data: text, limits: lim}
	i := s.space(0)
	if s.peek(i) != '{' {
		return nil, ErrNotObject
	}
	list, i, err := s.object(i, list)
	if err != nil {
		return nil, err
	}
	if s.space(i) != len(text) {
		return nil, ErrTrailing
	}
	return list, nil
}

// Text returns the text of the object.
func (m Members) Text() string { return m.text }

// All returns the members in order, their names unescaped.
func (m Members) All() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for i := range m.list {
			if one := &m.list[i]; !yield(one.nameIn(m.text), one.valueIn(m.text)) {
				return
			}
		}
	}
}

// Find returns the member with exactly this name.
func (m Members) Find(name string) (Value, bool) {
	mark := markOf(name)
	for i := range m.list {
		if one := &m.list[i]; one.mark == mark && one.name.of(m.text) == name || one.mark == escapedName && one.unescapesTo(name, m.text) {
			return one.valueIn(m.text), true
		}
	}
	return Value{}, false
}

// Text returns the unescaped text of a string value, and false for a value of any other kind. Without escapes it is a part
// of Raw.
func (v Value) Text() (string, bool) {
	if v.Kind != String {
		return "", false
	}
	return unescape(v.Raw[1 : len(v.Raw)-1]), true
}

// Elements returns the values of an array that Parse accepted, and false for a value of any other kind.
func (v Value) Elements() ([]Value, bool) {
	if v.Kind != Array {
		return nil, false
	}
	var list []Value
	if _, err := v.again().array(0, &list, nil); err != nil {
		return nil, false
	}
	return list, true
}

// Strings returns the texts of an array of strings that Parse accepted, and false for a value of any other kind.
func (v Value) Strings() ([]string, bool) {
	if v.Kind != Array {
		return nil, false
	}
	s := v.again()
	list := make([]string, 0, min(16, 1+strings.Count(v.Raw, ",")))
	i := s.space(1)
	for more := s.peek(i) != ']'; more; i, more = s.expect(',', i) {
		inside, _, err := s.text(i)
		if err != nil { // it is no string
			return nil, false
		}
		list = append(list, unescape(inside.of(v.Raw)))
		i = int(inside.end) + 1
	}
	return list, true
}

// Members returns the members of an object that Parse accepted, and false for a value of any other kind.
func (v Value) Members() (Members, bool) {
	if v.Kind != Object {
		return Members{}, false
	}
	members, err := Parse(v.Raw, Limits{Depth: len(v.Raw), Members: len(v.Raw)})
	return members, err == nil
}

// Member returns the member of that name of an object that Parse accepted, without the cost of listing them all.
func (v Value) Member(name string) (Value, bool) {
	if v.Kind != Object {
		return Value{}, false
	}
	s := v.again()
	i := s.space(1)
	for more := s.peek(i) != '}'; more; i, more = s.expect(',', i) {
		var m member
		var err error
		if i, err = s.member(i, &m, nil); err != nil {
			break
		}
		if m.nameIn(v.Raw) == name {
			return m.valueIn(v.Raw), true
		}
	}
	return Value{}, false
}

// again returns a scanner for a value that was accepted once already, so that only where its parts are is of interest.
func (v Value) again() *scanner {
	return &scanner{data: v.Raw, limits: Limits{Depth: len(v.Raw), Members: len(v.Raw)}}
}

// unescape expects the inside of a string that was accepted. Without a backslash it returns text itself.
func unescape(text string) string {
	i := strings.IndexByte(text, '\\')
	if i < 0 {
		return text
	}
	out := append(make([]byte, 0, len(text)), text[:i]...)
	for i < len(text) {
		c := text[i]
		if c != '\\' {
			out = append(out, c)
			i++
			continue
		}
		if text[i+1] == 'u' {
			r, size := escapedRune(text[i:])
			out = utf8.AppendRune(out, r)
			i += size
			continue
		}
		out = append(out, plainEscape(text[i+1]))
		i += 2
	}
	return string(out)
}

// plainEscape returns the byte that a backslash and c stand for, or 0 when c is no escape.
func plainEscape(c byte) byte {
	switch c {
	case '"', '\\', '/':
		return c
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return 0
}
