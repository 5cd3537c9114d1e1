package transfer

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// row is a record of a dump as fields by their names. Its methods read a field as what it should be; the first that is
// something else is remembered, so that a system asks for all it wants and then for the error.
//
// The values of a table are JSON strings. MongoDB's extended JSON, in which {"$oid": "…"} stands for an id, is understood
// everywhere: no other system has such names.
type row struct {
	in     *input
	place  string
	fields map[string]jsontext.Value
	err    error
}

// newRow returns the row of an object that is syntactically right.
func newRow(in *input, place string, object jsontext.Value) row {
	r := row{in: in, place: place}
	if err := json.Unmarshal(object, &r.fields); err != nil {
		r.err = errors.New("it is no object")
	}
	for name := range r.fields {
		in.fields.see(name)
	}
	return r
}

// record returns what r is in the words of a system, unless a field of it was wrong.
func (r *row) record(rec Record) Record {
	rec.Place = r.place
	if r.err != nil && rec.Skip == "" {
		return Record{Place: r.place}.skipped(RecordInvalid, r.err.Error())
	}
	return rec
}

// value returns a field; nothing if it is absent or null.
func (r *row) value(name string) jsontext.Value {
	if name == "" {
		return nil
	}
	r.in.fields.take(name)
	v := r.fields[name]
	if v.Kind() == 'n' {
		return nil
	}
	return v
}

func (r *row) wrong(name, want string) {
	if r.err == nil {
		r.err = fmt.Errorf("%s is no %s", name, want)
	}
}

// text reads a text, or a number or an id as one. An absent one is empty.
func (r *row) text(name string) string {
	v := r.value(name)
	if v == nil {
		return ""
	}
	text, ok := scalar(v)
	if !ok {
		r.wrong(name, "text")
	}
	return text
}

// hash reads the hash of a password out of the first field that has one, and remembers that there is such a field.
func (r *row) hash(names ...string) (hash string) {
	for _, name := range names {
		if hash == "" {
			hash = r.text(name)
		}
		r.in.hashes = r.in.hashes || r.fields[name] != nil
	}
	return hash
}

// scalar returns a value as text.
func scalar(v jsontext.Value) (string, bool) {
	switch v.Kind() {
	case '"':
		text, err := jsontext.AppendUnquote(nil, v)
		return string(text), err == nil
	case '0':
		return string(v), true
	case '{':
		return extended(v)
	}
	return "", false
}

// extended returns what a value of MongoDB's extended JSON stands for, but for dates.
func extended(v jsontext.Value) (string, bool) {
	var x struct {
		OID     *string `json:"$oid"`
		Int     *string `json:"$numberInt"`
		Long    *string `json:"$numberLong"`
		Double  *string `json:"$numberDouble"`
		Decimal *string `json:"$numberDecimal"`
		UUID    *string `json:"$uuid"`
		Binary  *struct {
			Base64  string `json:"base64"`
			SubType string `json:"subType"`
		} `json:"$binary"`
	}
	if err := json.Unmarshal(v, &x, json.RejectUnknownMembers(true)); err != nil {
		return "", false
	}
	for _, text := range []*string{x.OID, x.Int, x.Long, x.Double, x.Decimal, x.UUID} {
		if text != nil {
			return *text, true
		}
	}
	if x.Binary == nil || x.Binary.SubType != "04" && x.Binary.SubType != "4" { // UUIDs; the older form has three orders of bytes
		return "", false
	}
	b, err := base64.StdEncoding.DecodeString(x.Binary.Base64)
	if err != nil {
		return "", false
	}
	id, err := uuid.FromBytes(b)
	return id.String(), err == nil
}

// yes reads a truth value, as JSON, SQL or a table writes it. An absent one is false.
func (r *row) yes(name string) bool {
	given := r.maybe(name)
	return given != nil && *given
}

// maybe is yes for a value that is nil when it is absent.
func (r *row) maybe(name string) *bool {
	v := r.value(name)
	if v == nil {
		return nil
	}
	is, not := true, false
	switch v.Kind() {
	case 't':
		return &is
	case 'f':
		return &not
	}
	text, _ := scalar(v)
	switch strings.ToLower(text) {
	case "t", "true", "1", "yes":
		return &is
	case "f", "false", "0", "no":
		return &not
	case "":
		if v.Kind() == '"' {
			return nil
		}
	}
	r.wrong(name, "truth value")
	return nil
}

// layouts are the forms of times besides RFC 3339: PostgreSQL's, SQLite's and PocketBase's. What has no zone is in UTC.
var layouts = [...]string{
	time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999-07", "2006-01-02 15:04:05.999999999 -0700 MST",
	"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", time.DateOnly,
}

// time reads a time: a text in one of the usual forms, or a number of seconds or milliseconds since 1970. Numbers from
// 10^11 on, the year 5138 in seconds, are milliseconds. An absent one is zero.
func (r *row) time(name string) time.Time {
	v := r.value(name)
	if v == nil {
		return time.Time{}
	}
	var date struct {
		Date jsontext.Value `json:"$date"`
	}
	if v.Kind() == '{' && json.Unmarshal(v, &date, json.RejectUnknownMembers(true)) == nil && date.Date != nil {
		text, _ := scalar(date.Date)
		if ms, err := strconv.ParseInt(text, 10, 64); err == nil { // always milliseconds
			return r.within(name, time.UnixMilli(ms))
		}
		v = date.Date
	}
	text, ok := scalar(v)
	if ok && text == "" {
		return time.Time{}
	}
	if n, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(n) < 1e15 {
		if math.Abs(n) < 1e11 {
			n *= 1000
		}
		return r.within(name, time.UnixMicro(int64(math.Round(n*1000))))
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			return r.within(name, t)
		}
	}
	r.wrong(name, "time")
	return time.Time{}
}

// within returns a time that every store keeps: of this era, to the microsecond.
func (r *row) within(name string, t time.Time) time.Time {
	t = t.UTC().Truncate(time.Microsecond)
	if t.Year() < 1970 || t.Year() > 9999 {
		r.wrong(name, "time since 1970")
		return time.Time{}
	}
	return t
}

// object reads a JSON object, or a text that has one in it. An absent one is nil.
func (r *row) object(name string) []byte {
	v := r.value(name)
	if v != nil && v.Kind() == '"' {
		text, _ := scalar(v)
		if v = jsontext.Value(strings.TrimSpace(text)); len(v) == 0 || string(v) == "null" {
			return nil
		}
	}
	if v == nil {
		return nil
	}
	if v.Kind() != '{' || !v.IsValid() {
		r.wrong(name, "JSON object")
		return nil
	}
	return bytes.Clone(v)
}

// texts reads a list of texts: an array of them, or a text with commas or spaces between.
func (r *row) texts(name string) (list []string) {
	v := r.value(name)
	if v == nil {
		return nil
	}
	if v.Kind() == '"' {
		text, _ := scalar(v)
		if !strings.HasPrefix(text, "[") {
			return strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ' ' })
		}
		v = jsontext.Value(text)
	}
	if err := json.Unmarshal(v, &list); err != nil {
		r.wrong(name, "list of texts")
		return nil
	}
	return list
}
