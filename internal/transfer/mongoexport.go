package transfer

import (
	"context"
	"encoding/hex"
	"time"
)

// foundingFields are the fields of the founding tutorial's users; Mongoose adds the times if it is told to.
var foundingFields = mapping{"id": "_id", "hash": "password", "created_at": "createdAt", "updated_at": "updatedAt"}

// readMongoExport reads what mongoexport writes: extended JSON, relaxed or canonical.
func readMongoExport(_ context.Context, _ Dump, in *input, o Options, yield func(Record) error) error {
	m := foundingFields.and(o.Map)
	return eachObject(in, "", func(r row) error { return yield(mongoRecord(m, &r)) })
}

func mongoRecord(m mapping, r *row) Record {
	rec := m.record(r)
	if rec.CreatedAt.IsZero() {
		rec.CreatedAt = objectIDTime(rec.ID)
	}
	return rec
}

// objectIDTime returns when an ObjectId was made, which its first four bytes say; zero if it is none.
func objectIDTime(id string) time.Time {
	b, err := hex.DecodeString(id)
	if err != nil || len(b) != 12 {
		return time.Time{}
	}
	return time.Unix(int64(b[0])<<24|int64(b[1])<<16|int64(b[2])<<8|int64(b[3]), 0).UTC()
}
