package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign-auth/countersign/internal/archive"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/store/mongostore"
	"github.com/countersign-auth/countersign/internal/store/sqlstore"
	"github.com/countersign-auth/countersign/internal/store/storetest"
	"github.com/countersign-auth/countersign/internal/testkit/mongotest"
	"github.com/countersign-auth/countersign/internal/testkit/pgtest"
)

// Records are read and written a hundred at a time. FerretDB, which stands for MongoDB where there is none, reads all documents to
// change one.
const onePage, twoPages = 101, 201

// open opens an empty store, which is closed when the test ends.
type open func(t *testing.T) store.Store

func openSQLite(t *testing.T) store.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "countersign.db"))
	return storetest.Opened(t, s, err)
}

func openPostgres(t *testing.T) store.Store {
	t.Helper()
	s, err := sqlstore.OpenPostgres(t.Context(), pgtest.Database(t), 4)
	return storetest.Opened(t, s, err)
}

func openMongoDB(t *testing.T) store.Store {
	t.Helper()
	s, err := mongostore.Open(t.Context(), mongotest.Start(t).URL(t.Name()))
	return storetest.Opened(t, s, err)
}

func TestSQLiteToMongoDB(t *testing.T) {
	t.Parallel()
	moves(t, openSQLite, openMongoDB, onePage)
}

func TestMongoDBToPostgres(t *testing.T) {
	t.Parallel()
	moves(t, openMongoDB, openPostgres, onePage)
}

func TestSQLiteToSQLite(t *testing.T) {
	t.Parallel()
	moves(t, openSQLite, openSQLite, twoPages)
}

func TestSQLiteToPostgres(t *testing.T) {
	t.Parallel()
	moves(t, openSQLite, openPostgres, twoPages)
}

func TestPostgresToSQLite(t *testing.T) {
	t.Parallel()
	moves(t, openPostgres, openSQLite, twoPages)
}

// moves proves that an export of one kind of store makes the same database in another. Many is how many records of each kind there
// are when it is ended and begun again.
func moves(t *testing.T, from, to open, many int) {
	t.Run("empty", func(t *testing.T) {
		t.Parallel()
		export := exported(t, from(t))
		if want := "{\"countersign_export\":{\"version\":1}}\n{\"end\":{\"secrets\":0,\"keys\":0,\"accounts\":0,\"revocations\":0,\"counters\":0,\"events\":0}}\n"; string(export) != want {
			t.Errorf("%s", export)
		}
		sameIn(t, export, to(t))
	})
	t.Run("everything", func(t *testing.T) {
		t.Parallel()
		a := from(t)
		fill(t, a, 1)
		export, b := exported(t, a), to(t)
		sameIn(t, export, b)
		sameRecords(t, a, b)
		sameIn(t, export, b) // and once more, which changes nothing
	})
	t.Run("out of a pipe", func(t *testing.T) {
		t.Parallel()
		a, b := from(t), to(t)
		fill(t, a, 1)
		export := exported(t, a)
		if _, err := restore(t.Context(), b, onlyReader{bytes.NewReader(export)}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(export), string(exported(t, b))); diff != "" {
			t.Error(diff)
		}
		if _, err := restore(t.Context(), b, onlyReader{bytes.NewReader(export)}); !errors.Is(err, archive.ErrNotEmpty) {
			t.Errorf("a pipe into what is not empty: %v", err)
		}
	})
	t.Run("ended and begun again", func(t *testing.T) {
		t.Parallel()
		a, b := from(t), to(t)
		fill(t, a, many)
		export := exported(t, a)
		ended := 0
		for calls := 1; ; calls += 3 {
			ctx, cancel := context.WithCancel(t.Context())
			n := 0
			_, err := archive.Restore(ctx, b, bytes.NewReader(export), func(archive.Counts) {
				if n++; n == calls {
					cancel()
				}
			})
			cancel()
			if err == nil {
				break
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			ended++
		}
		if ended < 2 {
			t.Errorf("it was ended %d times", ended)
		}
		if diff := cmp.Diff(string(export), string(exported(t, b))); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("others", func(t *testing.T) {
		t.Parallel()
		refusesOthers(t, from, to)
	})
}

// refusesOthers fills stores with something else than an export, which they must keep.
func refusesOthers(t *testing.T, from, to open) {
	a := from(t)
	fill(t, a, 1)
	export := exported(t, a)
	for name, change := range map[string]func(s store.Store) error{
		"a user": func(s store.Store) error {
			return first(s.AddAccounts(t.Context(), store.Account{User: store.User{ID: "another", EmailKey: "another@example.com", Epoch: "e", Version: 1}}))
		},
		"a secret": func(s store.Store) error {
			_, err := s.FirstSecret(t.Context(), "root", []byte("another"))
			return err
		},
		"a key": func(s store.Store) error {
			return s.AddKey(t.Context(), store.SigningKey{ID: "another", Private: []byte("x")}, "")
		},
		"an event":     func(s store.Store) error { return s.AppendEvents(t.Context(), store.Event{ID: "another"}) },
		"a revocation": func(s store.Store) error { return s.Revoke(t.Context(), store.Revocation{Key: "another"}) },
		"a counter": func(s store.Store) error {
			_, err := s.SwapCounters(t.Context(), time.Time{}, store.Counter{Key: "another", ExpiresAt: at(9)})
			return err
		},
		"a user who has changed since": func(s store.Store) error {
			if _, err := restore(t.Context(), s, bytes.NewReader(export)); err != nil {
				return err
			}
			u, err := s.User(t.Context(), "user-0000")
			if err != nil {
				return err
			}
			return s.UpdateUser(t.Context(), u)
		},
		"one more event since": func(s store.Store) error {
			if _, err := restore(t.Context(), s, bytes.NewReader(export)); err != nil {
				return err
			}
			return s.AppendEvents(t.Context(), store.Event{ID: "later"})
		},
	} {
		b := to(t)
		if err := change(b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		before := exported(t, b)
		if _, err := restore(t.Context(), b, bytes.NewReader(export)); !errors.Is(err, archive.ErrOther) {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(string(before), string(exported(t, b))); diff != "" {
			t.Errorf("%s: the refusal has changed %s", name, diff)
		}
	}
}

func first(errs []error, err error) error { return errors.Join(append(errs, err)...) }

// onlyReader is a pipe: it cannot be read twice.
type onlyReader struct{ io.Reader }

func restore(ctx context.Context, s store.Store, in io.Reader) (archive.Counts, error) {
	return archive.Restore(ctx, s, in, func(archive.Counts) {})
}

func exported(t *testing.T, s store.Store) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := archive.Export(t.Context(), s, &b, func(archive.Counts) {}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sameIn restores an export, and compares it with one of what that made.
func sameIn(t *testing.T, export []byte, s store.Store) {
	t.Helper()
	if _, err := restore(t.Context(), s, bytes.NewReader(export)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(export), string(exported(t, s))); diff != "" {
		t.Errorf("another export: %s", diff)
	}
}

// sameRecords compares what two stores return, but for what is theirs: positions of revocations and versions of counters.
func sameRecords(t *testing.T, a, b store.Store) {
	t.Helper()
	read := func(s store.Store) (all []any) {
		accounts, err1 := s.Accounts(t.Context(), "", 100)
		secrets, err2 := s.ListSecrets(t.Context())
		keys, err3 := s.SigningKeys(t.Context())
		revocations, err4 := s.Revocations(t.Context(), 0, 100)
		counters, err5 := s.ListCounters(t.Context(), "", 100)
		events, err6 := s.ListEvents(t.Context(), "", 100)
		if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
			t.Fatal(err)
		}
		for i := range revocations {
			revocations[i].Position = 0
		}
		for i := range counters {
			counters[i].Version = 0
		}
		return []any{accounts, secrets, keys, revocations, counters, events}
	}
	if diff := cmp.Diff(read(a), read(b)); diff != "" {
		t.Error(diff)
	}
}

// at returns a time, to the microsecond.
func at(n int) time.Time {
	return time.Date(2026, 1, 2, 3, 4, 5, 678_901_000, time.UTC).Add(time.Duration(n) * time.Minute)
}

// fill writes n of everything and some that is hard to write: no data and empty data, bytes that are no text, characters
// that JSON escapes, times that are not set.
func fill(t *testing.T, s store.Store, n int) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	secret := func(name string, value []byte) {
		_, err := s.FirstSecret(t.Context(), name, value)
		must(err)
	}
	secret("root", []byte{0, 0xff, 0x80, 'x'})
	secret("master", []byte("sealed text <&>\u2028\""))
	must(s.AddKey(t.Context(), store.SigningKey{ID: "b", Algorithm: "ES256", Private: []byte{0xfe}, CreatedAt: at(0), SignsAt: at(1)}, ""))
	must(s.AddKey(t.Context(), store.SigningKey{ID: "a", Algorithm: "HS256", Private: []byte("p"), CreatedAt: at(2), SignsAt: at(3)}, "b"))
	must(first(s.AddAccounts(t.Context(), hardAccounts()...)))
	var accounts []store.Account
	var revoked []store.Revocation
	for i := range n {
		id := fmt.Sprintf("user-%04d", i)
		accounts = append(accounts, store.Account{
			User:        store.User{ID: id, Email: id + "@Example.com", EmailKey: id + "@example.com", Epoch: "e", CreatedAt: at(i), UpdatedAt: at(i), Version: 1},
			Credentials: []store.Credential{{UserID: id, Method: "password", Key: id + "@example.com", Data: []byte(`{"hash":"x"}`), CreatedAt: at(i), UpdatedAt: at(i), Version: 1}},
		})
		revoked = append(revoked, store.Revocation{Key: "same", ExpiresAt: at(i % 2)})
	}
	must(s.Revoke(t.Context(), revoked...))
	must(first(s.AddAccounts(t.Context(), accounts...)))
	var counters []store.Counter
	var events []store.Event
	for i := range n {
		counters = append(counters, store.Counter{Key: fmt.Sprintf("counter %04d", i), Count: int64(i), LastAt: at(i), ExpiresAt: at(i)})
		events = append(events, store.Event{ID: fmt.Sprintf("event-%04d", i), At: at(i), Kind: "login", Result: "ok", UserID: "gone", Client: "::1", Count: 1})
	}
	counters = append(counters, store.Counter{Key: "known", KnownAt: at(1), ExpiresAt: at(2)})
	events = append(events, store.Event{ID: "chained", Kind: "\u00e9\u202e", Actor: "apikey:1", Subject: "s", Count: 7, Chain: []byte{1, 0xff}})
	_, err := s.SwapCounters(t.Context(), time.Time{}, counters...)
	must(err)
	must(s.AppendEvents(t.Context(), events...))
}

func hardAccounts() []store.Account {
	return []store.Account{
		{User: store.User{ID: "auth0|1", Email: "A@Example.com", EmailKey: "a@example.com", Epoch: "e", Version: 7}},
		{
			User: store.User{
				ID: "ключ \"<&>\u2028", Email: "ü@example.com", EmailKey: "ü@example.com", Roles: []string{"admin", "billing:read"},
				Data: []byte(`{"n":1.50,"s":"\u0041<\ud83d\ude00"}`), AdminData: []byte(`{}`), Epoch: "e2",
				DisabledAt: at(5), CreatedAt: at(1), UpdatedAt: at(2), Version: 3,
			},
			Credentials: []store.Credential{
				{UserID: "ключ \"<&>\u2028", Method: "other", Key: "k", Data: []byte{0xff, 0, 1}, CreatedAt: at(1), UpdatedAt: at(1), Version: 1},
				{UserID: "ключ \"<&>\u2028", Method: "password", Key: "ü@example.com", Data: []byte(`{"hash":"$2b$"}`), CreatedAt: at(1), UpdatedAt: at(3), Version: 2},
			},
			Sessions: []store.Session{
				{ID: "s1", UserID: "ключ \"<&>\u2028", Epoch: "e2", Generation: 4, Chain: []byte{0x80, 0}, Methods: []string{"pwd", "otp"}, Brief: true,
					Device: "Phone/1.0 ü", Client: "192.0.2.1", AuthAt: at(1), CreatedAt: at(1), LastUsedAt: at(2), ExpiresAt: at(3)},
				{ID: "s2", UserID: "ключ \"<&>\u2028", Epoch: "e2", Generation: 1, AuthAt: at(1), CreatedAt: at(1), LastUsedAt: at(2), ExpiresAt: at(3)},
			},
		},
	}
}

func TestExportsThatAreNone(t *testing.T) {
	t.Parallel()
	a := openSQLite(t)
	fill(t, a, 2)
	whole := string(exported(t, a))
	lines := strings.SplitAfter(strings.TrimSuffix(whole, "\n"), "\n")
	without := func(n int) string { return strings.Join(append(append([]string{}, lines[:n]...), lines[n+1:]...), "") }
	for name, tt := range map[string]struct{ export, want string }{
		"nothing":         {"", "no end line"},
		"cut":             {whole[:len(whole)*2/3], "this is no line of an export"},
		"cut at a line":   {strings.Join(lines[:8], ""), "no end line"},
		"no header":       {without(0), "line 1: this is no export"},
		"a line less":     {without(4), "other counts"},
		"newer":           {strings.Replace(whole, `{"version":1}`, `{"version":2}`, 1), "run a newer countersign"},
		"no version":      {strings.Replace(whole, `{"version":1}`, `{}`, 1), "version 0"},
		"two headers":     {lines[0] + whole, "line 2: it is not where such a line stands"},
		"behind the end":  {whole + lines[1], "it is not where such a line stands"},
		"order of kinds":  {lines[0] + lines[3] + lines[1] + strings.Join(lines[4:], ""), "line 3: it is not where such a line stands"},
		"order of ids":    {strings.Replace(whole, lines[5]+lines[6], lines[6]+lines[5], 1), "it is not in its order"},
		"twice":           {strings.Replace(whole, lines[5], lines[5]+lines[5], 1), "it is not in its order"},
		"two in a line":   {strings.Replace(whole, `{"secret":`, `{"end":null,"key":{"id":"x"},"secret":`, 1), "line 2: this is no line of an export"},
		"another member":  {strings.Replace(whole, `{"secret":{`, `{"secret":{"cAnArY":1,`, 1), "line 2: this is no line of an export"},
		"another kind":    {lines[0] + `{"cAnArY":{}}` + "\n" + strings.Join(lines[1:], ""), "line 2: this is no line of an export"},
		"another program": {`{"email":"cAnArY@example.com"}`, "line 1: this is no line of an export"},
	} {
		for _, in := range []io.Reader{strings.NewReader(tt.export), onlyReader{strings.NewReader(tt.export)}} {
			b := openSQLite(t)
			_, err := restore(t.Context(), b, in)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "cAnArY") {
				t.Errorf("%s: %v, want %q", name, err, tt.want)
			}
			if _, seekable := in.(io.Seeker); seekable && len(exported(t, b)) > 200 {
				t.Errorf("%s: something was written", name)
			}
		}
	}
}
