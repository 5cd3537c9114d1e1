package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/store/sqlstore"
)

// fewUsers is the database that the large one is compared with.
const fewUsers = 1000

// A scaleRow is a database of one size.
type scaleRow struct {
	users    int
	filled   time.Duration // what it took to write them
	store    *sqlstore.Store
	visitors []resident // the same at each errand, and once before
	took     map[string][]time.Duration
}

// An errand is one thing that the server does for a user who comes by, as far as
// the database has to do with it.
type errand struct {
	name string
	do   func(context.Context, store.Store, resident) error
	// undo puts back what do has changed; it is not timed.
	undo func(context.Context, store.Store, resident) error
}

var errands = []errand{
	{"login", logInAt, logOutAt},
	{"refresh", refreshAt, nil},
	{"user by id", func(ctx context.Context, s store.Store, r resident) error {
		_, err := s.User(ctx, r.id)
		return err
	}, nil},
	{"search by the beginning of the address", searchAt, nil},
}

// scale measures what the work of a database takes with few users and with many.
func (b *bench) scale(ctx context.Context) (_ section, err error) {
	few, many := &scaleRow{users: fewUsers}, &scaleRow{users: b.users}
	for _, r := range []*scaleRow{few, many} {
		if err := b.fill(ctx, r); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, r.store.Close()) }()
	}
	for _, e := range errands {
		b.progress("%s, %s times", e.name, thousands(float64(b.looks)))
		// By turns, so that whatever the machine does meanwhile it does to both.
		for from := 0; from < b.looks; from += scaleTurn {
			for _, r := range []*scaleRow{few, many} {
				took, err := e.run(ctx, r.store, r.visitors[from:min(from+scaleTurn, b.looks)])
				if err != nil {
					return nil, fmt.Errorf("%s users: %s: %w", thousands(float64(r.users)), e.name, err)
				}
				r.took[e.name] = append(r.took[e.name], took...)
			}
		}
		slices.Sort(few.took[e.name])
		slices.Sort(many.took[e.name])
	}
	return newScaleReport(b.options, few, many), nil
}

// scaleTurn is how many users come by at one database before it is the other's turn.
const scaleTurn = 500

// fill makes a database, and reads what will be read of it.
func (b *bench) fill(ctx context.Context, r *scaleRow) error {
	s, err := sqlstore.Open(ctx, filepath.Join(b.dir, fmt.Sprintf("%d.db", r.users)))
	if err != nil {
		return err
	}
	r.store, r.took = s, map[string][]time.Duration{}
	b.progress("filling a database with %s users", thousands(float64(r.users)))
	begin := time.Now()
	if err := populate(ctx, s, r.users); err != nil {
		return errors.Join(err, s.Close())
	}
	r.filled = time.Since(begin)
	random := rand.New(rand.NewPCG(1, 2))
	for range b.looks {
		v := residentOf(random.IntN(r.users))
		if err := warmAt(ctx, s, v); err != nil {
			return errors.Join(err, s.Close())
		}
		r.visitors = append(r.visitors, v)
	}
	return nil
}

func (e errand) run(ctx context.Context, s store.Store, visitors []resident) ([]time.Duration, error) {
	took := make([]time.Duration, 0, len(visitors))
	for _, r := range visitors {
		begin := time.Now()
		if err := e.do(ctx, s, r); err != nil {
			return nil, err
		}
		took = append(took, time.Since(begin))
		if e.undo == nil {
			continue
		}
		if err := e.undo(ctx, s, r); err != nil {
			return nil, err
		}
	}
	return took, nil
}

// A resident is a user that is in the database, with a password and a session.
type resident struct{ id, email, session string }

// residentOf makes ids as the server does, in the order of time, and addresses as
// people do, in none.
func residentOf(n int) resident {
	hash := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))
	id := func(kind byte) string {
		at := uint64(settled.UnixMilli()) + uint64(n)*1000
		return fmt.Sprintf("%08x-%04x-7%03x-8%03x-%x", at>>16, at&0xffff, uint16(hash[0])<<4|uint16(kind), binary.BigEndian.Uint16(hash[1:3])&0xfff, hash[3:9])
	}
	return resident{id: id(1), session: id(2), email: hex.EncodeToString(hash[9:17]) + "@example.com"}
}

// settled is when the first of them signed up.
var settled = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

func populate(ctx context.Context, s store.Archive, n int) error {
	const step = 1000
	for from := 0; from < n; from += step {
		var accounts []store.Account
		for i := from; i < min(from+step, n); i++ {
			accounts = append(accounts, residentOf(i).account())
		}
		errs, err := s.AddAccounts(ctx, accounts...)
		if err = errors.Join(append(errs, err)...); err != nil {
			return err
		}
	}
	return nil
}

func (r resident) account() store.Account {
	return store.Account{
		User: store.User{ID: r.id, Email: r.email, EmailKey: r.email, Epoch: r.id, CreatedAt: settled, UpdatedAt: settled, Version: 1},
		Credentials: []store.Credential{{
			UserID: r.id, Method: "password", Key: r.email, Data: []byte("$2a$10$" + r.id + "0123456789abcdef"), CreatedAt: settled, UpdatedAt: settled, Version: 1,
		}},
		Sessions: []store.Session{r.newSession(r.session)},
	}
}

func (r resident) newSession(id string) store.Session {
	return store.Session{
		ID: id, UserID: r.id, Epoch: r.id, Generation: 1, Chain: make([]byte, 80), Methods: []string{"pwd"},
		Device: "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0", Client: "192.0.2.1",
		AuthAt: settled, CreatedAt: settled, LastUsedAt: settled, ExpiresAt: settled.AddDate(100, 0, 0),
	}
}

// loginSession is the id of the session that a login opens.
func (r resident) loginSession() string { return "f" + r.session[1:] }
