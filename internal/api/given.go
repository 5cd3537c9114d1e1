package api

import (
	"errors"
	"reflect"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/danielgtaylor/huma/v2"
)

// Given is a member of a body that may be left out, and tells that from its zero value. It is never null, which clients
// send for either.
type Given[T any] struct {
	// Is says that the member is there.
	Is    bool
	Value T
}

var errNull = errors.New("api: null")

// UnmarshalJSONFrom implements [jsonv2.UnmarshalerFrom].
func (g *Given[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == 'n' {
		return errNull
	}
	g.Is = true
	return jsonv2.UnmarshalDecode(dec, &g.Value)
}

// Schema describes it for the OpenAPI document.
func (Given[T]) Schema(schemas huma.Registry) *huma.Schema {
	s := schemas.Schema(reflect.TypeFor[T](), true, "")
	s.Nullable = false
	return s
}
