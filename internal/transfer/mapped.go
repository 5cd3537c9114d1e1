package transfer

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// ours are the fields that a mapping can name.
var ours = [...]string{"id", "email", "hash", "disabled", "verified", "created_at", "updated_at", "roles", "data", "admin_data"}

// ParseMapping reads a mapping, email=mail,hash=pw_hash: our name of a field and the dump's. A field that it does not name has
// our name in the dump.
func ParseMapping(text string) (map[string]string, error) {
	m := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		our, theirs, ok := strings.Cut(pair, "=")
		switch {
		case text == "":
			return m, nil
		case !ok || theirs == "":
			return nil, fmt.Errorf("%q is not OUR_NAME=ITS_NAME", pair)
		case !slices.Contains(ours[:], our):
			return nil, fmt.Errorf("%q is none of %s", our, strings.Join(ours[:], ", "))
		case m[our] != "":
			return nil, fmt.Errorf("%s is named twice", our)
		}
		m[our] = theirs
	}
	return m, nil
}

// mapping names the fields of a dump by ours.
type mapping map[string]string

// and returns m with what another one says of it.
func (m mapping) and(other map[string]string) mapping {
	all := mapping{}
	for _, name := range ours {
		all[name] = name
	}
	for _, names := range []map[string]string{m, other} {
		for our, theirs := range names {
			all[our] = theirs
		}
	}
	return all
}

func (m mapping) record(r *row) Record {
	return r.record(Record{
		ID: r.text(m["id"]), Email: r.text(m["email"]), Hash: r.hash(m["hash"]),
		Disabled: r.yes(m["disabled"]), Verified: r.maybe(m["verified"]),
		CreatedAt: r.time(m["created_at"]), UpdatedAt: r.time(m["updated_at"]),
		Roles: r.texts(m["roles"]), Data: r.object(m["data"]), AdminData: r.object(m["admin_data"]),
	})
}

func readJSON(_ context.Context, _ Dump, in *input, o Options, yield func(Record) error) error {
	m := mapping{}.and(o.Map)
	return eachObject(in, "", func(r row) error { return yield(m.record(&r)) })
}

func readCSV(_ context.Context, _ Dump, in *input, o Options, yield func(Record) error) error {
	m := mapping{}.and(o.Map)
	header := func(names []string) error {
		for our, theirs := range o.Map {
			if !slices.Contains(names, theirs) {
				return fmt.Errorf("line 1: no column has the name %q, which is to be %s", theirs, our)
			}
		}
		in.hashes = slices.Contains(names, m["hash"])
		return nil
	}
	return eachLine(in, header, func(r row) error { return yield(m.record(&r)) })
}

// eachLine reads a table whose first line names its columns, which header looks at. An empty cell is an absent field.
func eachLine(in *input, header func(names []string) error, each func(row) error) error {
	table := csv.NewReader(in)
	names, err := table.Read()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return wrongTable(in, table, err)
	}
	if twice := repeated(names); twice != "" {
		return fmt.Errorf("line 1: two columns have the name %q", twice)
	}
	if err := header(names); err != nil {
		return err
	}
	for {
		in.passed(table.InputOffset(), maxRecord)
		cells, err := table.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return wrongTable(in, table, err)
		}
		line, _ := table.FieldPos(0)
		r := row{in: in, place: fmt.Sprintf("line %d", line), fields: make(map[string]jsontext.Value, len(names))}
		for i, name := range names {
			in.fields.see(name)
			if cells[i] != "" {
				r.fields[name] = quoted(cells[i])
			}
		}
		if err := each(r); err != nil {
			return err
		}
	}
}

func repeated(names []string) string {
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return name
		}
	}
	return ""
}

// wrongTable says where the dump is no table, and nothing of what stands there.
func wrongTable(in *input, table *csv.Reader, err error) error {
	var wrong *csv.ParseError
	switch {
	case in.exceeded: // which the reader of tables may take for the end of a line
		return fmt.Errorf("%s: %w", in.at(table.InputOffset()), errTooLarge)
	case !errors.As(err, &wrong):
		return err
	case errors.Is(err, csv.ErrFieldCount):
		return fmt.Errorf("line %d: it has more or fewer cells than the header", wrong.StartLine)
	default:
		return fmt.Errorf("line %d: this is not CSV: %w", wrong.Line, wrong.Err)
	}
}
