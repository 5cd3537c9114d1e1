package transfer

import (
	"strings"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// object is a JSON object that grows by members.
type object []byte

// with returns o with a member whose value is JSON; o as it is if it has one of that name, if the value is nothing, null, an
// empty text, list or object, or if o is no object.
func (o object) with(name string, value jsontext.Value) object {
	switch string(value) {
	case "", "null", `""`, "[]", "{}":
		return o
	}
	var members map[string]jsontext.Value
	if len(o) > 0 && json.Unmarshal(o, &members) != nil {
		return o
	}
	if _, there := members[name]; there {
		return o
	}
	grown := object("{")
	if len(members) > 0 {
		grown = append(append(grown[:0], o[:strings.LastIndexByte(string(o), '}')]...), ',')
	}
	grown = append(append(grown, quoted(name)...), ':')
	return append(append(grown, value...), '}')
}

// quoted returns a text as JSON.
func quoted(text string) jsontext.Value {
	b, _ := jsontext.AppendQuote(nil, text) // what is not UTF-8 becomes U+FFFD
	return b
}

// maxDetail bounds what a report quotes of a dump, in bytes.
const maxDetail = 255

// printable returns a text that comes from a dump for people and their terminals.
func printable(text string) string {
	if len(text) > maxDetail {
		text = text[:maxDetail] + "…"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd"))
}
