package transfer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

// Config is what an import is made of.
type Config struct {
	System System
	Dump   Dump
	Options
	// Store gets the users.
	Store interface {
		store.Users
		store.Credentials
		store.Archive
	}
	// Taken, if it is not nil, has users already whose ids and addresses are taken too. A trial run writes into a store that
	// is thrown away, and looks here at the one that it is about.
	Taken interface {
		store.Users
		store.Credentials
	}
	// IDPrefix is put before the ids of the dump.
	IDPrefix string
	// WithoutData leaves data and admin_data out.
	WithoutData bool
	// WithoutPasswords takes a dump too in whose first batch nobody has the field of the hash, which else is refused.
	WithoutPasswords bool
	Now              func() time.Time
	// Skipped is told of each record that is skipped, and Progress of each batch that is written. Neither may be nil.
	Skipped  func(Skipped) error
	Progress func(Summary)
}

// Skipped is a record that was skipped. Docs/moving.md names its fields, and programs read them.
type Skipped struct {
	Place  string `json:"place"`
	ID     string `json:"id"`
	Email  string `json:"email"`
	Reason Reason `json:"reason"`
	Detail string `json:"detail,omitempty"`
}

// Summary is what came of an import so far. Docs/moving.md names its fields, and programs read them.
type Summary struct {
	// Read counts the records. Each of them is also counted by one of the next three.
	Read int `json:"read"`
	// Imported counts those that were written, and There those that an earlier run had: same id, same address.
	Imported int `json:"imported"`
	There    int `json:"there"`
	// PasswordsAdded counts those of There who had no password, and got that of the dump.
	PasswordsAdded int `json:"passwords_added"`
	// Skipped counts those that were skipped, by their reasons.
	Skipped map[Reason]int `json:"skipped"`
	// WithoutPassword counts those of Imported that have none, and Disabled those that may not log in.
	WithoutPassword int `json:"without_password"`
	Disabled        int `json:"disabled"`
	// Hashes counts those of Imported that have a password, by the formats of the hashes.
	Hashes map[string]int `json:"hashes"`
	// FieldsLeft names the fields of the dump that were not taken.
	FieldsLeft []string `json:"fields_left,omitempty"`
	// Bytes is how much of the dump has been read.
	Bytes int64 `json:"-"`
}

// SkippedTotal is how many records were skipped.
func (s Summary) SkippedTotal() (n int) {
	for _, count := range s.Skipped {
		n += count
	}
	return n
}

var errNoHashes = errors.New("no record has the field of the password's hash: name it with --map where there is that, " +
	"or say --without-passwords if nobody is to have a password")

// batchSize is how many accounts are written at once.
const batchSize = 500

// importer is an import that is under way.
type importer struct {
	Config
	in      *input
	summary Summary
	batch   []candidate
	// seed and users tell users of this dump from those of an earlier run: they are the hashes of the ids, some 20 bytes each.
	seed  maphash.Seed
	users map[uint64]struct{}
}

// candidate is a record that waits for its batch, and the account that it is to become or why it becomes none.
type candidate struct {
	record  Record
	account store.Account
	format  string
	refused *refusal
	there   bool
}

// Import writes the users of a dump. Where it is ended before its end, the next one goes on: what is there is not changed.
//
// The error is that of the store, of the dump or of the context. What was written until then stays, and the summary tells of it.
func Import(ctx context.Context, cfg Config) (Summary, error) {
	i := &importer{
		Config: cfg, in: newInput(cfg.Dump.Reader), summary: Summary{Skipped: map[Reason]int{}, Hashes: map[string]int{}},
		seed: maphash.MakeSeed(), users: map[uint64]struct{}{},
	}
	var fault error // of ours, and not of the dump
	err := cfg.System.read(ctx, cfg.Dump, i.in, cfg.Options, func(rec Record) error {
		fault = i.take(ctx, rec)
		return fault
	})
	if fault == nil && ctx.Err() == nil {
		err = errors.Join(err, i.flush(ctx)) // what stands before a fault of the dump is good
	}
	i.summary.FieldsLeft = i.in.fields.left()
	return i.summary, err
}

// take takes a record out of the dump.
func (i *importer) take(ctx context.Context, rec Record) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	i.summary.Read++
	c := candidate{record: rec}
	c.account, c.format, c.refused = i.accountOf(rec)
	if c.refused == nil && i.Taken != nil {
		if c.there, c.refused, err = standing(ctx, i.Taken, c.account.User); err != nil {
			return err
		}
	}
	if c.refused != nil { // of which nothing is to be written, however large it is
		c.account.User = store.User{ID: printable(c.account.User.ID)}
		c.account.Credentials = nil
		c.record = Record{Place: rec.Place, ID: printable(rec.ID), Email: printable(rec.Email)}
	}
	if i.batch = append(i.batch, c); len(i.batch) < batchSize {
		return nil
	}
	return i.flush(ctx)
}

// flush writes what has been taken, and then tells of it in the order of the dump.
func (i *importer) flush(ctx context.Context) error {
	var accounts []store.Account
	for _, c := range i.batch {
		if c.refused == nil && !i.in.hashes && !i.WithoutPasswords {
			return errNoHashes
		}
		if c.refused == nil && !c.there {
			accounts = append(accounts, c.account)
		}
	}
	errs, err := i.Store.AddAccounts(ctx, accounts...)
	if err != nil {
		return err
	}
	for _, c := range i.batch {
		if c.refused == nil && !c.there {
			err, errs = errs[0], errs[1:]
			if c.there, c.refused, err = i.written(ctx, c.account.User, err); err != nil {
				return fmt.Errorf("%s: %w", c.record.Place, err)
			}
		}
		if c.refused == nil && i.repeated(c.account.User.ID) && c.there {
			c.refused = c.repeated()
		}
		if c.refused == nil && c.there {
			if err := i.complete(ctx, c.account.Credentials); err != nil {
				return fmt.Errorf("%s: %w", c.record.Place, err)
			}
		}
		if err := i.count(c); err != nil {
			return err
		}
	}
	i.batch, i.summary.Bytes = i.batch[:0], i.in.read
	i.Progress(i.summary)
	return nil
}

// complete gives a user who is there the password of the dump if they have none: the dump of an earlier run may have had no
// hashes. A trial run only counts.
func (i *importer) complete(ctx context.Context, credentials []store.Credential) error {
	var there store.Credentials = i.Store
	if i.Taken != nil {
		there = i.Taken
	}
	for _, c := range credentials {
		if _, err := there.Credential(ctx, c.Method, c.Key); !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if i.Taken == nil {
			if err := i.Store.AddCredential(ctx, c); err != nil {
				return err
			}
		}
		i.summary.PasswordsAdded++
	}
	return nil
}

// repeated reports whether a record before this one is the user of that id, and remembers that this one is.
func (i *importer) repeated(id string) bool {
	sum := maphash.String(i.seed, id)
	_, before := i.users[sum]
	i.users[sum] = struct{}{}
	return before
}

// repeated says why a record is skipped that is the same user as another one. Where it has no id the address is what is the same.
func (c candidate) repeated() *refusal {
	reason := IDTaken
	if c.record.ID == "" {
		reason = AddressTaken
	}
	return &refusal{reason, "by an earlier record"}
}

// written says what the store's answer to an account means.
func (i *importer) written(ctx context.Context, u store.User, err error) (there bool, no *refusal, _ error) {
	if !errors.Is(err, store.ErrExists) {
		return false, nil, err
	}
	there, no, err = standing(ctx, i.Store, u)
	if err == nil && !there && no == nil { // the id and the address are free, and so the credential is not
		no = &refusal{LoginTaken, ""}
	}
	return there, no, err
}

// count counts what became of a record.
func (i *importer) count(c candidate) error {
	switch {
	case c.refused != nil:
		i.summary.Skipped[c.refused.reason]++
		id := cmp.Or(c.account.User.ID, c.record.ID)
		return i.Config.Skipped(Skipped{
			Place: c.record.Place, ID: printable(id), Email: printable(c.record.Email), Reason: c.refused.reason, Detail: c.refused.detail,
		})
	case c.there:
		i.summary.There++
		return nil
	}
	i.summary.Imported++
	if c.account.User.Disabled() {
		i.summary.Disabled++
	}
	if c.format == "" {
		i.summary.WithoutPassword++
	} else {
		i.summary.Hashes[c.format]++
	}
	return nil
}

// standing says whether a user is there already, and if not, what of it another user has.
func standing(ctx context.Context, users store.Users, u store.User) (there bool, no *refusal, err error) {
	switch same, err := users.User(ctx, u.ID); {
	case err == nil && same.EmailKey == u.EmailKey:
		return true, nil, nil
	case err == nil:
		return false, &refusal{IDTaken, ""}, nil
	case !errors.Is(err, store.ErrNotFound):
		return false, nil, err
	}
	switch other, err := users.UserByEmail(ctx, u.EmailKey); {
	case err == nil:
		return false, &refusal{AddressTaken, "by " + printable(other.ID)}, nil
	case !errors.Is(err, store.ErrNotFound):
		return false, nil, err
	}
	return false, nil, nil
}
