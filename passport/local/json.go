package local

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/countersign-auth/countersign/passport/internal/wire"
)

// maxDepth bounds nesting: nothing deep belongs in a login.
const maxDepth = 32

var errDepth = errors.New("nested too deep")

// parseJSON finds the fields in a JSON object. jsontext refuses repeated names, invalid UTF-8 and lone surrogates at every
// level by default, where encoding/json takes the last one or replaces them.
func parseJSON(body []byte, fields []*field) error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body))
	if dec.PeekKind() != '{' {
		if _, err := dec.ReadToken(); err != nil {
			return malformedJSON(err)
		}
		return wire.Malformed("The body must be a JSON object.")
	}
	if err := readObject(dec, fields, 0); err != nil {
		return malformedJSON(err)
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return wire.Malformed("The body has something after the JSON object.")
	}
	return nil
}

func malformedJSON(err error) error {
	switch {
	case errors.Is(err, errDepth):
		return wire.Malformed("The JSON is nested too deep.")
	case errors.Is(err, jsontext.ErrDuplicateName):
		return wire.Malformed("A member of a JSON object occurs twice.")
	}
	return wire.Malformed("The body is not valid JSON.")
}

// readObject reads the object that comes next. The fields are those whose path leads into it at this level.
func readObject(dec *jsontext.Decoder, fields []*field, level int) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for {
		tok, err := dec.ReadToken()
		if err != nil {
			return err
		}
		if tok.Kind() == '}' {
			return nil
		}
		if err := readMember(dec, match(tok.String(), fields, level), level); err != nil {
			return err
		}
	}
}

// match returns the fields whose path goes through the member of this name, and spoils those for which it is a variant.
func match(name string, fields []*field, level int) (through []*field) {
	for _, f := range fields {
		switch want := f.path[level]; {
		case name == want:
			through = append(through, f)
		case strings.EqualFold(name, want):
			f.spoil(ambiguous)
		}
	}
	return through
}

func readMember(dec *jsontext.Decoder, through []*field, level int) error {
	kind := dec.PeekKind()
	last := len(through) == 1 && len(through[0].path) == level+1
	switch {
	case len(through) == 0:
		return skip(dec)
	case last && kind == '"':
		tok, err := dec.ReadToken()
		if err == nil {
			through[0].take(tok.String())
		}
		return err
	case !last && kind == '{':
		return readObject(dec, through, level+1)
	}
	for _, f := range through {
		f.spoil(wrongType)
	}
	return skip(dec)
}

// skip reads over one value. Unlike jsontext's own it bounds the depth.
func skip(dec *jsontext.Decoder) error {
	depth := dec.StackDepth()
	for {
		if _, err := dec.ReadToken(); err != nil {
			return err
		}
		switch d := dec.StackDepth(); {
		case d > maxDepth:
			return errDepth
		case d <= depth:
			return nil
		}
	}
}
