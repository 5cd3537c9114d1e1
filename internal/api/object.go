package api

import (
	"errors"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/danielgtaylor/huma/v2"
)

// Object is a JSON object that the server keeps and does not look into, as its compact text. Nil stands for an empty one.
type Object []byte

var errNoObject = errors.New("api: not a JSON object")

// ParseObject returns the object that text is. It is as strict as [Body.Read], whose errors it returns.
func ParseObject(text []byte) (Object, error) {
	var o Object
	if err := (Body{}).unmarshal(text, &o); err != nil {
		return nil, err
	}
	return o, nil
}

// MarshalJSON implements [encoding/json.Marshaler].
func (o Object) MarshalJSON() ([]byte, error) {
	if o == nil {
		return []byte("{}"), nil
	}
	return o, nil
}

// UnmarshalJSONFrom implements [jsonv2.UnmarshalerFrom].
func (o *Object) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	value, err := dec.ReadValue() // checks it for all that dec is strict about
	if err != nil {
		return err
	}
	if value.Kind() != '{' {
		return errNoObject
	}
	value = value.Clone()
	if err := value.Compact(); err != nil {
		return err
	}
	*o = Object(value)
	return nil
}

// Schema describes it for the OpenAPI document.
func (Object) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
}

var _ jsonv2.UnmarshalerFrom = (*Object)(nil)
