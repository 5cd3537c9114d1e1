package sqlstore

import (
	"context"

	"github.com/countersign-auth/countersign/internal/store"
)

// verbs are the verbs of the contract, written once for both databases over what each of them does in its own way.
type verbs struct{ engine }

// engine is a database as the verbs use it.
type engine interface {
	// commit has a change written, durably unless it says otherwise.
	commit(ctx context.Context, c change) error
	// one scans the one row of a query.
	one(ctx context.Context, query string, args []any, into ...any) error
	// each calls scan for each row of a query.
	each(ctx context.Context, query string, args []any, scan func(row) error) error
	// pick returns what a query ends with that picks rows to be deleted, which others may be writing.
	pick() string
	// forget has what was deleted or replaced leave the database's files, if that takes more than to delete it.
	forget(ctx context.Context)
}

// change is what a verb writes: all of it or nothing.
type change struct {
	// do may be called several times, all but the last in vain: what it returns through variables it sets anew each time.
	do func(tx) error
	// single says that do writes with one statement at most, which is whole or not at all by itself.
	single bool
	// durability is what the commit waits for.
	durability durability
	// verdict says what a sentinel means that do has met after an attempt of which nobody knows whether it was written: nil
	// if it was, the sentinel if it was not, and [store.ErrUnavailable] if that cannot be found out. Without it, the sentinel
	// stands.
	verdict func(ctx context.Context, sentinel error) error
}

// tx is a transaction as the verbs use it.
type tx interface {
	// exec runs a statement and says how many rows it has written.
	exec(query string, args ...any) (int64, error)
	// one scans the one row of a query.
	one(query string, args []any, into ...any) error
	// texts returns the one column of a query.
	texts(query string, args ...any) ([]string, error)
	// within runs a part of the transaction that is whole or, if do returns an error, not at all.
	within(name string, do func() error) error
	// lockUser keeps everybody else from writing that user, and what goes by this lock too, until the transaction ends.
	lockUser(id string) error
	// revoke writes revocations. It is the last thing that a transaction does.
	revoke(revoked []store.Revocation) error
}

type row interface{ Scan(...any) error }

// conflictIf says why a conditional write met no row: [store.ErrConflict] if the query finds one, else [store.ErrNotFound].
func conflictIf(w tx, query string, args ...any) error {
	var found int
	if err := w.one(query, args, &found); err != nil {
		return err
	}
	return store.ErrConflict
}

// durability is what a commit waits for.
type durability int

const (
	// durable waits for the disk.
	durable durability = iota
	// relaxed does not. Such a commit survives the end of the process, and a power failure takes no more than the newest
	// ones: a durable commit brings all before it to the disk.
	relaxed
)
