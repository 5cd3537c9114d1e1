package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
)

// records are those of one kind, on their way out of an export into a store.
type records[T any] struct {
	r      *restorer
	called string
	// of takes a record out of its line, and line puts it into one: two records are the same if their lines are.
	of   func(*line) T
	line func(T) line
	// key is what orders them; number is the record's place among its kind, from 1 on.
	key func(record T, number int) string
	// list returns at most limit records of the store behind the one that has that key and number.
	list func(ctx context.Context, after string, number, limit int) ([]T, error)
	// add writes records that the store does not have.
	add func(ctx context.Context, missing []T) error

	batch []T
	// after and number are the key and the number of the last record that has left the batch.
	after  string
	number int
}

func (p *records[T]) name() string { return p.called }

func (p *records[T]) any(ctx context.Context) (bool, error) {
	there, err := p.list(ctx, p.after, p.number, 1)
	if err != nil {
		return false, fmt.Errorf("%s: %w", p.called, err)
	}
	return len(there) > 0, nil
}

// take takes a record out of its line.
func (p *records[T]) take(l *line) (full bool, err error) {
	record := p.of(l)
	before := p.after
	if n := len(p.batch); n > 0 {
		before = p.key(p.batch[n-1], p.number+n)
	}
	if key := p.key(record, p.number+len(p.batch)+1); key <= before {
		return false, errors.New("it is not in its order")
	}
	p.batch = append(p.batch, record)
	return len(p.batch) == page, nil
}

// flush compares the batch with what the store has, and writes what is missing there.
func (p *records[T]) flush(ctx context.Context) error {
	if len(p.batch) == 0 {
		return nil
	}
	missing := p.batch
	if !p.r.fresh {
		there, err := p.list(ctx, p.after, p.number, len(p.batch))
		if err != nil {
			return err
		}
		if missing, err = p.missing(there); err != nil {
			return err
		}
	}
	if p.r.write && len(missing) > 0 {
		if err := p.add(ctx, missing); err != nil {
			return err
		}
	}
	p.number += len(p.batch)
	p.after = p.key(p.batch[len(p.batch)-1], p.number)
	p.batch = nil
	return nil
}

// missing returns the records of the batch that are not there. Those that are there must be in the batch, and the same.
func (p *records[T]) missing(there []T) (missing []T, err error) {
	found := 0
	for i, record := range p.batch {
		key := p.key(record, p.number+i+1)
		if found == len(there) || p.key(there[found], p.number+found+1) != key {
			missing = append(missing, record)
			continue
		}
		same, err := p.same(record, there[found])
		if err != nil {
			return nil, err
		}
		if !same {
			return nil, fmt.Errorf("%w: %q is another", ErrOther, key)
		}
		found++
	}
	last := p.key(p.batch[len(p.batch)-1], p.number+len(p.batch))
	if found < len(there) {
		if key := p.key(there[found], p.number+found+1); key <= last {
			return nil, fmt.Errorf("%w: %q is not in the export", ErrOther, key)
		}
	}
	return missing, nil
}

func (p *records[T]) same(a, b T) (bool, error) {
	x, err := json.Marshal(p.line(a))
	if err != nil {
		return false, err
	}
	y, err := json.Marshal(p.line(b))
	return bytes.Equal(x, y), err
}

func (p *records[T]) finish(ctx context.Context) error {
	if err := p.flush(ctx); err != nil {
		return err
	}
	if p.r.fresh {
		return nil
	}
	there, err := p.list(ctx, p.after, p.number, 1)
	if err == nil && len(there) > 0 {
		err = fmt.Errorf("%w: %q is not in the export", ErrOther, p.key(there[0], p.number+1))
	}
	return err
}
