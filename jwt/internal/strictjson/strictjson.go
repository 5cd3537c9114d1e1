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
	"bytes"
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

// Value is one value of a text that was accepted. Raw aliases the input.
type Value struct {
	Kind Kind
	Raw  []byte
}

// Member is one member of an object. Name is unescaped and may alias the input.
type Member struct {
	Name []byte
	Value
}

// Parse accepts data as one JSON object and returns its members in order.
// The result aliases data, which must not change while it is in use.
func Parse(data []byte, lim Limits) ([]Member, error) {
	if !utf8.Valid(data) {
		return nil, ErrUTF8
	}
	s := scanner{data: data, limits: lim}
	s.space()
	if s.peek() != '{' {
		return nil, ErrNotObject
	}
	top := make([]Member, 0, min(12, 1+len(data)/16))
	if err := s.object(&top); err != nil {
		return nil, err
	}
	s.space()
	if s.pos != len(s.data) {
		return nil, ErrTrailing
	}
	return top, nil
}

// Find returns the member with exactly this name.
func Find(members []Member, name string) (Value, bool) {
	for i := range members {
		if string(members[i].Name) == name {
			return members[i].Value, true
		}
	}
	return Value{}, false
}

// Text returns the unescaped text of a string value, and false for a value of any other kind.
func (v Value) Text() (string, bool) {
	if v.Kind != String {
		return "", false
	}
	return string(unescape(v.Raw[1 : len(v.Raw)-1])), true
}

// Is reports whether v is a string that is spelled without escapes and is exactly s. It allocates nothing.
func (v Value) Is(s string) bool {
	return v.Kind == String && len(v.Raw) == len(s)+2 && string(v.Raw[1:len(v.Raw)-1]) == s && !strings.Contains(s, `\`)
}

// Elements returns the values of an array that Parse accepted, and false for a value of any other kind.
func (v Value) Elements() ([]Value, bool) {
	if v.Kind != Array {
		return nil, false
	}
	// The text was accepted once already, so only where values begin and end is of interest.
	s := scanner{data: v.Raw, limits: Limits{Depth: len(v.Raw), Members: len(v.Raw)}}
	var list []Value
	if err := s.array(&list); err != nil {
		return nil, false
	}
	return list, true
}

// Members returns the members of an object that Parse accepted, and false for a value of any other kind.
func (v Value) Members() ([]Member, bool) {
	if v.Kind != Object {
		return nil, false
	}
	members, err := Parse(v.Raw, Limits{Depth: len(v.Raw), Members: len(v.Raw)})
	return members, err == nil
}

// Member returns the member of that name of an object that Parse accepted, without the cost of listing them all.
func (v Value) Member(name string) (Value, bool) {
	if v.Kind != Object {
		return Value{}, false
	}
	s := scanner{data: v.Raw, pos: 1, limits: Limits{Depth: len(v.Raw), Members: len(v.Raw)}}
	for s.space(); s.peek() == '"'; s.space() {
		got, err := s.text()
		if err != nil || !s.expect(':') {
			break
		}
		member, err := s.value()
		if err != nil {
			break
		}
		if string(got) == name {
			return member, true
		}
		s.expect(',')
	}
	return Value{}, false
}

// unescape expects the inside of a string that was accepted. Without a backslash it returns text itself.
func unescape(text []byte) []byte {
	i := bytes.IndexByte(text, '\\')
	if i < 0 {
		return text
	}
	out := make([]byte, i, len(text))
	copy(out, text)
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
	return out
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
