// Package seed fills a store with users for trials.
package seed

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/countersign-auth/countersign/internal/login/withpassword"
	"github.com/countersign-auth/countersign/internal/store"
)

// Config says what is made.
type Config struct {
	Store store.Archive
	// Users is how many.
	Users int
	// Hash is the hash of the one password that all of them have.
	Hash string
	// Random is where all that is random comes from: the same numbers make the same users.
	Random *rand.ChaCha8
	// Now is the time that everything happened before.
	Now time.Time
	// Progress is told how many there are. It may not be nil.
	Progress func(n int)
}

// batchSize is how many accounts are written at once.
const batchSize = 1000

// Fill makes the users. It returns how many were made; those that are there already are left as they are.
func Fill(ctx context.Context, cfg Config) (made int, err error) {
	m := maker{Config: cfg, Rand: rand.New(cfg.Random)}
	for n := 0; n < cfg.Users; {
		batch := make([]store.Account, min(batchSize, cfg.Users-n))
		for i := range batch {
			if batch[i], err = m.account(n + i); err != nil {
				return made, err
			}
		}
		errs, err := cfg.Store.AddAccounts(ctx, batch...)
		if err != nil {
			return made, err
		}
		for _, err := range errs {
			switch {
			case err == nil:
				made++
			case !errors.Is(err, store.ErrExists):
				return made, err
			}
		}
		n += len(batch)
		cfg.Progress(n)
	}
	return made, nil
}

// maker makes accounts.
type maker struct {
	Config
	*rand.Rand
}

// first and last are the names that addresses are made of, and roles what a few users have.
var (
	first = [...]string{"ada", "alan", "anita", "barbara", "dennis", "donald", "edsger", "frances", "grace", "hedy", "john", "karen", "ken", "leslie", "margaret", "radia", "rob", "shafi", "tim", "whitfield"}
	last  = [...]string{"adams", "baker", "clark", "davis", "evans", "fischer", "garcia", "hill", "ito", "jones", "khan", "lopez", "miller", "nakamura", "okafor", "patel", "quinn", "rossi", "smith", "tanaka"}
	roles = [...]string{"admin", "billing:read", "editor", "support"}
)

// span is the time over which the users have come, one after the other: so their ids ascend, which is what databases write fastest.
const span = 2 * 365 * 24 * time.Hour

// account makes the user of that number with a password. Of a hundred one is disabled, five have roles, ten sessions and 25 data.
func (m *maker) account(number int) (store.Account, error) {
	each := span / time.Duration(m.Users)
	created := m.before(m.Now.Add(-each*time.Duration(m.Users-number-1)), each)
	id, err := m.id(created)
	if err != nil {
		return store.Account{}, err
	}
	address := fmt.Sprintf("%s.%s.%s@example.com", first[m.IntN(len(first))], last[m.IntN(len(last))], m.hex(5))
	u := store.User{ID: id, Email: address, EmailKey: address, Epoch: m.hex(16), CreatedAt: created, UpdatedAt: created, Version: 1}
	if m.IntN(100) < 1 {
		u.DisabledAt = m.before(m.Now, m.Now.Sub(created))
	}
	if m.IntN(100) < 5 {
		u.Roles = slices.Compact(slices.Sorted(slices.Values([]string{roles[m.IntN(len(roles))], roles[m.IntN(len(roles))]})))
	}
	if m.IntN(100) < 25 {
		u.Data = fmt.Appendf(nil, `{"theme":%q,"visits":%d}`, []string{"dark", "light"}[m.IntN(2)], m.IntN(1000))
		u.AdminData = []byte(`{"plan":"free"}`)
	}
	a := store.Account{User: u, Credentials: []store.Credential{withpassword.Hashed(u, m.Hash)}}
	if m.IntN(100) < 10 && !u.Disabled() {
		for range 1 + m.IntN(3) {
			s, err := m.session(u)
			if err != nil {
				return a, err
			}
			a.Sessions = append(a.Sessions, s)
		}
	}
	slices.SortFunc(a.Sessions, func(x, y store.Session) int { return x.CreatedAt.Compare(y.CreatedAt) })
	return a, nil
}

// sessionLife is how long a session is kept. It is long, so that what was made with the same numbers looks the same for years.
const sessionLife = 10 * 365 * 24 * time.Hour

// session makes a session that is listed and nobody has a token of.
func (m *maker) session(u store.User) (store.Session, error) {
	begun := m.before(m.Now, m.Now.Sub(u.CreatedAt))
	id, err := m.id(begun)
	return store.Session{
		ID: id, UserID: u.ID, Epoch: u.Epoch, Generation: 1, Methods: []string{"pwd"}, Device: "countersign seed",
		Client: fmt.Sprintf("192.0.2.%d", 1+m.IntN(254)), AuthAt: begun, CreatedAt: begun, LastUsedAt: begun, ExpiresAt: begun.Add(sessionLife),
	}, err
}

// before returns a time within a span before now, to the microsecond.
func (m *maker) before(now time.Time, within time.Duration) time.Time {
	return now.Add(-time.Duration(m.Int64N(int64(within) + 1))).UTC().Truncate(time.Microsecond)
}

// id returns a UUIDv7 of that time.
func (m *maker) id(t time.Time) (string, error) {
	id, err := uuid.NewRandomFromReader(m.Random)
	if err != nil {
		return "", err
	}
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(t.UnixMilli()))
	copy(id[:6], ms[2:])
	id[6] = id[6]&0x0f | 0x70
	return id.String(), nil
}

func (m *maker) hex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = io.ReadFull(m.Random, b) // which never ends and never fails
	return hex.EncodeToString(b)
}
