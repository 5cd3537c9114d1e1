package jwt

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// member is one member of an object that is to be written. Its value is anything that encoding/json can write.
type member struct {
	name  string
	value any
}

// appendObject writes members in the order of their names, as encoding/json would without escaping for HTML. What claims
// mostly are is written without reflection: that costs more than many a signature.
func appendObject(dst []byte, members []member) ([]byte, error) {
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	dst = append(dst, '{')
	for i, m := range members {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendText(dst, m.name); err != nil {
			return nil, err
		}
		dst = append(dst, ':')
		if dst, err = appendValue(dst, m.value); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

func appendValue(dst []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case string:
		return appendText(dst, v)
	case map[string]string:
		if v == nil {
			break
		}
		members := make([]member, 0, len(v))
		for name, text := range v {
			members = append(members, member{name, text})
		}
		return appendObject(dst, members)
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case []string:
		if v == nil {
			break
		}
		dst = append(dst, '[')
		for i, s := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = appendText(dst, s); err != nil {
				return nil, err
			}
		}
		return append(dst, ']'), nil
	}
	text, err := marshalJSON(value)
	return append(dst, text...), err
}

// appendText writes a string. One that has anything but plain ASCII is left to encoding/json.
func appendText(dst []byte, s string) ([]byte, error) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			text, err := marshalJSON(s)
			return append(dst, text...), err
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"'), nil
}

// marshalJSON writes v without escaping for HTML, and refuses strings that are not valid UTF-8.
func marshalJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, claimErrorf("the claims cannot be written as JSON: %w", err)
	}
	text := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if hasReplacement(text) {
		return nil, claimErrorf("a string is not valid UTF-8")
	}
	return text, nil
}

// hasReplacement finds \ufffd, which encoding/json writes in place of invalid UTF-8 and of nothing else: a
// genuine U+FFFD is written as it is.
func hasReplacement(text []byte) bool {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 {
			return false
		}
		if bytes.HasPrefix(text[i:], []byte(`\ufffd`)) {
			return true
		}
		text = text[i+2:] // a backslash is never the last byte of JSON
	}
}
