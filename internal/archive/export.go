package archive

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/store"
)

// page is how many records are read and written at once.
const page = 100

// Export writes everything that a store holds. It calls progress from time to time, which may not be nil.
//
// Each account is as it is at one moment, the whole is not: of what is written meanwhile some may be in it and some not.
func Export(ctx context.Context, s store.Store, out io.Writer, progress func(Counts)) (Counts, error) {
	e := &exporter{store: s, out: out, progress: progress}
	if err := e.write(line{Header: &header{version}}); err != nil {
		return e.counts, err
	}
	for _, part := range []struct {
		name  string
		write func(context.Context) error
	}{
		{"secrets", e.secrets}, {"signing keys", e.keys}, {"accounts", e.accounts}, {"revocations", e.revocations},
		{"counters", e.counters}, {"events", e.events},
	} {
		if err := part.write(ctx); err != nil {
			return e.counts, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return e.counts, e.write(line{End: &e.counts})
}

type exporter struct {
	store    store.Store
	out      io.Writer
	progress func(Counts)
	counts   Counts
	buffer   []byte
}

func (e *exporter) write(l line) error {
	b, err := json.Marshal(&l, json.Deterministic(true))
	if err != nil {
		return err
	}
	e.buffer = append(append(e.buffer[:0], b...), '\n')
	_, err = e.out.Write(e.buffer)
	return err
}

func (e *exporter) secrets(ctx context.Context) error {
	secrets, err := e.store.ListSecrets(ctx)
	if err != nil {
		return err
	}
	for _, s := range secrets {
		if err := e.write(line{Secret: &secret{s.Name, s.Value}}); err != nil {
			return err
		}
		e.counts.Secrets++
	}
	return nil
}

// keys writes the one first that was written first.
func (e *exporter) keys(ctx context.Context) error {
	keys, err := e.store.SigningKeys(ctx)
	if err != nil {
		return err
	}
	for _, k := range slices.Backward(keys) {
		if err := e.write(line{Key: &key{k.ID, k.Algorithm, k.Private, k.CreatedAt.UTC(), k.SignsAt.UTC()}}); err != nil {
			return err
		}
		e.counts.Keys++
	}
	return nil
}

// pages calls write for each record that list returns, page by page. After is what the next page comes behind.
func pages[T, K any](e *exporter, after K, list func(after K, limit int) ([]T, error), write func(T) (K, error)) error {
	for {
		records, err := list(after, page)
		if err != nil {
			return err
		}
		for _, r := range records {
			if after, err = write(r); err != nil {
				return err
			}
		}
		e.progress(e.counts)
		if len(records) < page {
			return nil
		}
	}
}

func (e *exporter) accounts(ctx context.Context) error {
	return pages(e, "", func(after string, limit int) ([]store.Account, error) { return e.store.Accounts(ctx, after, limit) },
		func(a store.Account) (string, error) {
			e.counts.Accounts++
			l := lineOf(a)
			return a.User.ID, e.write(line{Account: &l})
		})
}

func (e *exporter) revocations(ctx context.Context) error {
	return pages(e, int64(0), func(after int64, limit int) ([]store.Revocation, error) {
		return e.store.Revocations(ctx, after, limit)
	},
		func(r store.Revocation) (int64, error) {
			e.counts.Revocations++
			return r.Position, e.write(line{Revocation: &revocation{r.Key, r.ExpiresAt.UTC()}})
		})
}

func (e *exporter) counters(ctx context.Context) error {
	return pages(e, "", func(after string, limit int) ([]store.Counter, error) { return e.store.ListCounters(ctx, after, limit) },
		func(c store.Counter) (string, error) {
			e.counts.Counters++
			l := counterLine(c)
			return c.Key, e.write(line{Counter: &l})
		})
}

func counterLine(c store.Counter) counter {
	return counter{c.Key, c.Count, c.LastAt.UTC(), c.KnownAt.UTC(), c.ExpiresAt.UTC()}
}

func (e *exporter) events(ctx context.Context) error {
	return pages(e, "", func(after string, limit int) ([]store.Event, error) { return e.store.ListEvents(ctx, after, limit) },
		func(x store.Event) (string, error) {
			e.counts.Events++
			l := audit.Line(x)
			return x.ID, e.write(line{Event: &l})
		})
}
