package archive

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/countersign-auth/countersign/internal/store"
)

// ErrOther says that a store holds what an export does not, or something else in its place. Nothing was written.
var ErrOther = errors.New("the database holds something else than the export")

// ErrNotEmpty says that a store is not empty, and that the export can be read only once, so that nobody can see whether both are
// the same before something is written.
var ErrNotEmpty = errors.New("the database is not empty: to go on with an import that was ended, name the file")

// Restore writes what an export has into a store, which is empty or has a part of just that: of an import that was ended. So
// nothing that is there is ever changed. The export is read twice if it can be, the first time to see whether it is whole
// and all that the store holds is in it. Restore calls progress from time to time, which may not be nil.
//
// No server may run on the store before Restore has returned nil.
func Restore(ctx context.Context, s store.Store, in io.Reader, progress func(Counts)) (Counts, error) {
	fresh, err := empty(ctx, s)
	if err != nil {
		return Counts{}, err
	}
	begin, again := seekable(in)
	switch {
	case again:
		if counts, err := pass(ctx, s, in, fresh, false, progress); err != nil {
			return counts, err
		}
		if _, err := in.(io.Seeker).Seek(begin, io.SeekStart); err != nil {
			return Counts{}, err
		}
	case !fresh:
		return Counts{}, ErrNotEmpty
	}
	return pass(ctx, s, in, fresh, true, progress)
}

// seekable reports whether in can be read once more, and from where on.
func seekable(in io.Reader) (begin int64, ok bool) {
	f, ok := in.(io.Seeker)
	if !ok {
		return 0, false
	}
	begin, err := f.Seek(0, io.SeekCurrent)
	return begin, err == nil
}

// empty reports whether nothing is in a store.
func empty(ctx context.Context, s store.Store) (bool, error) {
	r := newRestorer(s)
	for _, p := range r.parts {
		there, err := p.any(ctx)
		if there || err != nil {
			return false, err
		}
	}
	return true, nil
}

// pass reads an export from its beginning to its end, and compares it with the store unless that was empty. With write it writes
// what is missing there.
func pass(ctx context.Context, s store.Store, in io.Reader, fresh, write bool, progress func(Counts)) (Counts, error) {
	r := newRestorer(s)
	r.fresh, r.write = fresh, write
	var done Counts
	return eachLine(in, func(k kind, l *line) error {
		p := r.parts[k]
		if p == nil {
			return nil
		}
		done.count(k)
		full, err := p.take(l)
		if err == nil && full {
			err = p.flush(ctx)
			progress(done)
		}
		return errors.Join(err, ctx.Err())
	}, func(k kind) error {
		p := r.parts[k]
		if p == nil {
			return nil
		}
		if err := p.finish(ctx); err != nil {
			return fmt.Errorf("%s: %w", p.name(), err)
		}
		return nil
	})
}

// restorer writes the parts of an export.
type restorer struct {
	store store.Store
	// fresh says that the store was empty, and write that something may be written.
	fresh, write bool
	parts        map[kind]part
}

// part is the records of one kind.
type part interface {
	name() string
	// any reports whether the store has one.
	any(ctx context.Context) (bool, error)
	// take takes a record out of a line, and says whether it is time to flush.
	take(*line) (full bool, err error)
	flush(ctx context.Context) error
	// finish is the last flush, after which the store may have no other record.
	finish(ctx context.Context) error
}
