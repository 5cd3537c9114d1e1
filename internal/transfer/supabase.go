package transfer

import (
	"bufio"
	"context"
	"errors"
	"io"
	"slices"
	"time"
)

// readSupabase reads auth.users as the dashboard or psql export it: \copy (select * from auth.users) to users.csv with csv header,
// or select json_agg(u) from auth.users u.
func readSupabase(_ context.Context, _ Dump, in *input, _ Options, yield func(Record) error) error {
	now := time.Now()
	each := func(r row) error { return yield(supabaseRecord(&r, now)) }
	json, err := beginsAsJSON(in)
	if err != nil {
		return err
	}
	if json {
		return eachObject(in, "", each)
	}
	header := func(names []string) error {
		in.hashes = slices.Contains(names, "encrypted_password")
		return nil
	}
	return eachLine(in, header, each)
}

func supabaseRecord(r *row, now time.Time) Record {
	rec := Record{
		ID: r.text("id"), Email: r.text("email"), Hash: r.hash("encrypted_password"),
		Disabled:  r.time("banned_until").After(now),
		CreatedAt: r.time("created_at"), UpdatedAt: r.time("updated_at"),
		Data: r.object("raw_user_meta_data"), AdminData: r.object("raw_app_meta_data"),
	}
	verified := !r.time("email_confirmed_at").IsZero()
	rec.Verified = &verified
	if !r.time("deleted_at").IsZero() {
		return r.record(rec.skipped(Deleted, ""))
	}
	return r.record(rec)
}

// beginsAsJSON looks at the beginning of a dump that may also be a table.
func beginsAsJSON(in *input) (bool, error) {
	ahead := bufio.NewReaderSize(in.r, readAhead)
	in.r = ahead
	for n := 1; ; n++ {
		b, err := ahead.Peek(n)
		if errors.Is(err, io.EOF) || errors.Is(err, bufio.ErrBufferFull) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		switch b[n-1] {
		case ' ', '\t', '\r', '\n':
		default:
			return b[n-1] == '[' || b[n-1] == '{', nil
		}
	}
}
