package wire

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// maxPairs bounds the work that a body can cause.
const maxPairs = 128

// ParseForm calls visit for each pair of an application/x-www-form-urlencoded body, in order. It refuses what parsers
// read in different ways: semicolons, bad percent-encoding, text that is not UTF-8; and more than 128 pairs.
func ParseForm(body []byte, visit func(name, value string)) error {
	text := string(body)
	if strings.IndexByte(text, ';') >= 0 {
		return Malformed("The form has a semicolon that is not percent-encoded.")
	}
	if !utf8.ValidString(text) {
		return Malformed("The form is not UTF-8.")
	}
	count := 0
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		if count++; count > maxPairs {
			return Malformed("The form has too many fields.")
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err == nil {
			value, err = url.QueryUnescape(value)
		}
		if err != nil {
			return Malformed("The form has a percent sign without two hexadecimal digits.")
		}
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return Malformed("The form is not UTF-8.")
		}
		visit(name, value)
	}
	return nil
}

// QueryNames calls visit for each pair of a query until it returns false. A name is given decoded, or as it stands when
// it cannot be decoded; the value is given as it stands. Nothing is left out, as [url.URL.Query] leaves out pairs with a
// semicolon: a name that is looked for cannot hide.
func QueryNames(rawQuery string, visit func(name, rawValue string) bool) {
	for pair := range strings.FieldsFuncSeq(rawQuery, func(c rune) bool { return c == '&' || c == ';' }) {
		name, value, _ := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(name); err == nil {
			name = decoded
		}
		if !visit(name, value) {
			return
		}
	}
}

// Variant reports whether name is not field but could be meant as it: in other letters, or as an array or object of the
// forms that PHP, Rails and Express read, such as email[] and email[$ne].
func Variant(name, field string) bool {
	return name != field && (strings.EqualFold(name, field) ||
		len(name) > len(field) && name[len(field)] == '[' && strings.EqualFold(name[:len(field)], field))
}
