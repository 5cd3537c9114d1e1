package transfer

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// objects reads the objects of a JSON dump one after the other: of JSON Lines and other sequences, of an array, or of the
// array that is the member of that name of an object, as most exports have one of these. What is no JSON is an error
// that says the line, and nothing of what stands there.
type objects struct {
	in     *input
	dec    *jsontext.Decoder
	member string
	each   func(row) error
}

func eachObject(in *input, member string, each func(row) error) error {
	o := &objects{in: in, dec: jsontext.NewDecoder(in), member: member, each: each}
	for {
		kind, err := o.peek()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := o.value(kind); err != nil {
			return err
		}
	}
}

// peek returns the kind of the next value.
func (o *objects) peek() (jsontext.Kind, error) {
	o.in.passed(o.dec.InputOffset(), maxRecord)
	kind := o.dec.PeekKind()
	if kind > 0 {
		return kind, nil
	}
	_, err := o.dec.ReadToken()
	if errors.Is(err, io.EOF) && o.dec.StackDepth() == 0 {
		return 0, io.EOF
	}
	return 0, o.wrong(err)
}

// value reads a value at the top, or an element of an array there.
func (o *objects) value(kind jsontext.Kind) error {
	switch {
	case kind == '[' && o.dec.StackDepth() == 0:
		return o.array(o.value)
	case kind == '{' && o.member != "":
		return o.container()
	case kind == '{':
		return o.object()
	}
	return fmt.Errorf("%s: a user's record is a JSON object", o.here())
}

// array calls f for the kind of each element of the array that comes.
func (o *objects) array(f func(jsontext.Kind) error) error {
	if _, err := o.dec.ReadToken(); err != nil {
		return o.wrong(err)
	}
	for {
		kind, err := o.peek()
		if err != nil {
			return err
		}
		if kind == ']' {
			_, err := o.dec.ReadToken()
			return err
		}
		if err := f(kind); err != nil {
			return err
		}
	}
}

// object reads a record.
func (o *objects) object() error {
	place := o.here()
	value, err := o.dec.ReadValue()
	if err != nil {
		return o.wrong(err)
	}
	return o.each(newRow(o.in, place, value))
}

// maxMembers bounds the members of an object that has the records in one of them.
const maxMembers = 10_000

// container reads an object that has the records in a member; or is one, if it has no such member.
func (o *objects) container() error {
	place := o.here()
	if _, err := o.dec.ReadToken(); err != nil {
		return o.wrong(err)
	}
	own := row{in: o.in, place: place, fields: map[string]jsontext.Value{}}
	found, size := false, 0
	for members := 0; ; members++ {
		if members > maxMembers { // the decoder keeps their names
			return fmt.Errorf("%s: an object has over %d members", o.here(), maxMembers)
		}
		kind, err := o.peek()
		if err != nil {
			return err
		}
		if kind == '}' {
			break
		}
		token, err := o.dec.ReadToken()
		if err != nil {
			return o.wrong(err)
		}
		name := token.String()
		if kind, err = o.peek(); err != nil {
			return err
		}
		if name == o.member && kind == '[' {
			found = true
			err = o.array(o.element)
		} else {
			err = o.other(&own, name, &size)
		}
		if err != nil {
			return err
		}
	}
	if _, err := o.dec.ReadToken(); err != nil {
		return o.wrong(err)
	}
	if found {
		return nil
	}
	for name := range own.fields {
		o.in.fields.see(name)
	}
	return o.each(own)
}

func (o *objects) element(kind jsontext.Kind) error {
	if kind != '{' {
		return fmt.Errorf("%s: a user's record is a JSON object", o.here())
	}
	return o.object()
}

// other reads a member that is not the one looked for. While the members are as small as those of a record they are kept.
func (o *objects) other(own *row, name string, size *int) error {
	before := o.dec.InputOffset()
	o.in.passed(before, maxOther)
	if *size > maxRecord {
		if err := o.dec.SkipValue(); err != nil {
			return o.wrong(err)
		}
		return nil
	}
	value, err := o.dec.ReadValue()
	if err != nil {
		return o.wrong(err)
	}
	if *size += len(name) + len(value); *size > maxRecord {
		clear(own.fields)
		return nil
	}
	own.fields[name] = value.Clone()
	return nil
}

// here returns where the next value stands.
func (o *objects) here() string {
	at := o.dec.InputOffset()
	return o.in.at(at + int64(spaces(o.dec.UnreadBuffer())))
}

// spaces returns how much white space and punctuation stands before the next value.
func spaces(b []byte) int {
	for i, c := range b {
		switch c {
		case ' ', '\t', '\r', '\n', ',', ':':
		default:
			return i
		}
	}
	return len(b)
}

// wrong says where the dump is no JSON. The decoder's own words may quote it.
func (o *objects) wrong(err error) error {
	if errors.Is(err, errTooLarge) {
		return fmt.Errorf("%s: %w", o.here(), errTooLarge)
	}
	var syntax *jsontext.SyntacticError
	at := o.dec.InputOffset()
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("%s: it ends in the middle of a record", o.in.at(o.in.read))
	case errors.Is(err, jsontext.ErrDuplicateName):
		return fmt.Errorf("%s: an object has the same name twice", o.here())
	case errors.As(err, &syntax):
		return fmt.Errorf("%s: this is not JSON", o.in.at(max(at, syntax.ByteOffset)))
	}
	return fmt.Errorf("%s: %w", o.in.at(at), err)
}
