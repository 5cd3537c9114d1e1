package transfer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	_ "modernc.org/sqlite" // PocketBase's database
)

// sqliteMagic is how an SQLite file begins.
const sqliteMagic = "SQLite format 3\x00"

// readPocketBase reads the database itself, or the rows of a collection of users as JSON, as sqlite3 -json prints them: the
// dashboard and the API never show a hash. The hash is in the column password, or passwordHash before version 0.23. TokenKey,
// by which PocketBase ends tokens, is of no use here.
func readPocketBase(ctx context.Context, d Dump, in *input, o Options, yield func(Record) error) error {
	head, err := in.r.Peek(len(sqliteMagic))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if string(head) == sqliteMagic {
		path, ok := d.path()
		if !ok {
			return errors.New("an SQLite database cannot be read from stdin: name its file")
		}
		return readPocketBaseFile(ctx, path, in, o, yield)
	}
	return eachObject(in, "items", func(r row) error { return yield(pocketBaseRecord(&r)) })
}

func pocketBaseRecord(r *row) Record {
	rec := Record{
		ID: r.text("id"), Email: r.text("email"), Hash: r.hash("password", "passwordHash"), Verified: r.maybe("verified"),
		CreatedAt: r.time("created"), UpdatedAt: r.time("updated"),
	}
	if r.fields["password"] == nil && r.fields["passwordHash"] == nil {
		r.wrong("password", "column: these rows come from where no hash is shown, so read the database itself")
	}
	rec.Data = object(nil).with("name", quoted(r.text("name")))
	rec.AdminData = object(nil).with("username", quoted(r.text("username")))
	return r.record(rec)
}

// readPocketBaseFile reads the rows of a collection out of data.db, which a running PocketBase may use.
func readPocketBaseFile(ctx context.Context, path string, in *input, o Options, yield func(Record) error) (err error) {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rows, err := db.QueryContext(ctx, `SELECT * FROM "`+strings.ReplaceAll(o.Collection, `"`, `""`)+`" ORDER BY id`)
	if err != nil {
		return fmt.Errorf("the collection %s cannot be read: say with --collection which has the users: %w", o.Collection, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	values := make([]any, len(columns))
	into := make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for n := 1; rows.Next(); n++ {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		r := row{in: in, place: fmt.Sprintf("row %d", n), fields: map[string]jsontext.Value{}}
		for i, name := range columns {
			in.fields.see(name)
			r.fields[name] = sqliteValue(values[i])
		}
		if err := yield(pocketBaseRecord(&r)); err != nil {
			return err
		}
	}
	return rows.Err()
}

// sqliteValue returns the value of a column as JSON.
func sqliteValue(v any) jsontext.Value {
	switch v := v.(type) {
	case nil:
		return jsontext.Value("null")
	case bool:
		if v {
			return jsontext.Value("true")
		}
		return jsontext.Value("false")
	case []byte:
		return quoted(string(v))
	default:
		return quoted(fmt.Sprint(v))
	}
}
