package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

// hold keeps the writer in a commit of its own until free is called: what is written meanwhile shares the next one.
func hold(t *testing.T, s *Store) (free func()) {
	t.Helper()
	held, freed, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		err := s.group.commit(context.Background(), durable, true, func(*writer) error {
			close(held)
			<-freed
			return nil
		})
		if err != nil {
			t.Errorf("the commit that holds up others: %v", err)
		}
	}()
	<-held
	return sync.OnceFunc(func() {
		close(freed)
		<-done
	})
}

// waiting waits until that many durable writes wait.
func waiting(s *Store, n int) {
	for got := -1; got != n; time.Sleep(100 * time.Microsecond) {
		s.group.mu.Lock()
		got = len(s.group.waiting[durable])
		s.group.mu.Unlock()
	}
}

// together has all of these wait for one commit, in this order, and returns their errors.
func together(t *testing.T, s *Store, writes ...func() error) []error {
	t.Helper()
	free := hold(t, s)
	errs := make([]error, len(writes))
	var wg sync.WaitGroup
	for i, write := range writes {
		wg.Go(func() { errs[i] = write() })
		waiting(s, i+1)
	}
	free()
	wg.Wait()
	return errs
}

func createUser(s *Store, id string) func() error {
	return func() error {
		u, c := store.User{ID: id, EmailKey: id, Epoch: "e"}, store.Credential{Method: "m", Key: id, Data: []byte{}}
		return s.CreateUser(context.Background(), u, c)
	}
}

func commits(s *Store, single bool, do func(*writer) error) func() error {
	return func() error { return s.group.commit(context.Background(), durable, single, do) }
}

// check demands of each error what of it is wanted: nil, a sentinel, or an error with that text.
func check(t *testing.T, errs []error, want ...any) {
	t.Helper()
	for i, want := range want {
		ok := errs[i] == nil
		switch want := want.(type) {
		case error:
			ok = errors.Is(errs[i], want)
		case string:
			ok = errs[i] != nil && strings.Contains(errs[i].Error(), want)
		}
		if !ok {
			t.Errorf("write %d: %v, want %v", i, errs[i], want)
		}
	}
}

// users demands that these users are there and no others, and that no transaction is left open.
func users(t *testing.T, s *Store, want ...string) {
	t.Helper()
	all, err := s.ListUsers(t.Context(), "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, u := range all {
		got = append(got, u.ID)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("users %v, want %v", got, want)
	}
	if err := createUser(s, "afterwards")(); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestOneOfABatchFails(t *testing.T) {
	t.Parallel()
	s := openHere(t)
	if err := createUser(s, "a")(); err != nil {
		t.Fatal(err)
	}
	sameCredential := func() error {
		u, c := store.User{ID: "c", EmailKey: "c"}, store.Credential{Method: "m", Key: "b", Data: []byte{}}
		return s.CreateUser(context.Background(), u, c) // the user is written, and then the credential is not
	}
	errs := together(t, s, createUser(s, "b"), createUser(s, "a"), sameCredential, createUser(s, "d"),
		func() error {
			return s.UpdateUser(context.Background(), store.User{ID: "d", EmailKey: "d", Version: 7})
		},
		func() error { return s.UpdateUser(context.Background(), store.User{ID: "nobody"}) },
		func() error {
			return s.CreateUser(context.Background(), store.User{ID: "e", EmailKey: "e"}, store.Credential{})
		}, // NOT NULL
		createUser(s, "f"))
	check(t, errs, nil, store.ErrExists, store.ErrExists, nil, store.ErrConflict, store.ErrNotFound, "NOT NULL", nil)
	users(t, s, "a", "b", "d", "f")
}

// TestFaultsInABatch is about what ends the whole transaction: those who did nothing wrong are none the wiser.
func TestFaultsInABatch(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(*writer) error{
		"a statement that is none": func(w *writer) error {
			_, err := w.exec("NONSENSE")
			return err
		},
		"SQLite rolls back by itself": func(w *writer) error {
			_, err := w.exec("INSERT INTO users (id, email, email_key, created_at, updated_at, version) VALUES ('bad', '', 'bad', 0, 0, 1)")
			return err
		},
		"the transaction is gone": func(w *writer) error {
			_, err := w.exec("ROLLBACK")
			return errors.Join(err, errors.New("gone"))
		},
		"the connection is gone": func(w *writer) error {
			w.discard()
			return errors.New("gone")
		},
	} {
		for _, single := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, single: %t", name, single), func(t *testing.T) {
				t.Parallel()
				s := openHere(t)
				run(t, s, `CREATE TRIGGER bad BEFORE INSERT ON users WHEN new.id = 'bad' BEGIN SELECT RAISE(ROLLBACK, 'bad'); END`)
				errs := together(t, s, createUser(s, "a"), createUser(s, "a"), commits(s, single, fault), createUser(s, "b"))
				check(t, errs, nil, store.ErrExists, "", nil)
				if errs[2] == nil {
					t.Error("the faulty one has no error")
				}
				users(t, s, "a", "b")
			})
		}
	}
}

func TestCommitThatFailsFailsAll(t *testing.T) {
	t.Parallel()
	s := openHere(t)
	orphan := func(w *writer) error {
		if _, err := w.exec("PRAGMA defer_foreign_keys=ON"); err != nil {
			return err
		}
		_, err := w.exec(insertCredential, "m", "orphan", "nobody", []byte{}, 0, 0, 1)
		return err
	}
	errs := together(t, s, createUser(s, "a"), createUser(s, "a"), commits(s, false, orphan), createUser(s, "b"))
	check(t, errs, "commit: ", "commit: ", "commit: ", "commit: ")
	if errors.Is(errs[1], store.ErrExists) {
		t.Error("one is told that somebody else exists who does not")
	}
	users(t, s)
}

func TestContextsOfABatch(t *testing.T) {
	t.Parallel()
	s := openHere(t)
	write := func(ctx context.Context, id string) error {
		return s.CreateUser(ctx, store.User{ID: id, EmailKey: id}, store.Credential{Method: "m", Key: id, Data: []byte{}})
	}
	before, cancelBefore := context.WithCancel(t.Context())
	during, cancelDuring := context.WithCancel(t.Context())
	defer cancelBefore()
	free := hold(t, s)
	dropped := make(chan error)
	go func() { dropped <- write(before, "dropped") }()
	waiting(s, 1)
	cancelBefore()
	if err := <-dropped; !errors.Is(err, context.Canceled) { // though the writer is still held
		t.Errorf("dropped: %v", err)
	}
	var wg sync.WaitGroup
	var begun, other error
	wg.Go(func() {
		begun = s.group.commit(during, durable, false, func(w *writer) error {
			cancelDuring()
			_, err := w.exec(insertUser, "begun", "", "begun", "[]", nil, nil, "", 0, 0, 0, 1)
			return err
		})
	})
	waiting(s, 2)
	wg.Go(func() { other = write(t.Context(), "other") })
	waiting(s, 3)
	free()
	wg.Wait()
	check(t, []error{begun, other}, nil, nil) // who has begun learns the truth
	users(t, s, "begun", "other")
}

func TestCloseWaits(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	free := hold(t, s)
	errs, closed := make(chan error, 200), make(chan error, 1)
	for i := range cap(errs) { // more than one batch
		go func() { errs <- createUser(s, fmt.Sprint(i))() }()
	}
	waiting(s, cap(errs))
	go func() { closed <- s.Close() }()
	for begun := false; !begun; time.Sleep(time.Millisecond) {
		s.group.mu.Lock()
		begun = s.group.closed
		s.group.mu.Unlock()
	}
	select {
	case err := <-closed:
		t.Errorf("Close has not waited (%v)", err)
	default:
	}
	free()
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Errorf("a write that waited when Close came: %v", err)
		}
	}
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := createUser(s, "late")(); !errors.Is(err, errClosed) {
		t.Errorf("after Close: %v", err)
	}
	again, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if all, err := again.ListUsers(t.Context(), "", 1000); err != nil || len(all) != cap(errs) {
		t.Errorf("%d of %d users are there (%v)", len(all), cap(errs), err)
	}
}

func TestBatchesAreBounded(t *testing.T) {
	t.Parallel()
	g := group{running: true}
	for i := range 2*maxBatch + 1 {
		g.waiting[durable] = append(g.waiting[durable], &write{single: i == 2*maxBatch})
	}
	g.waiting[relaxed] = []*write{{}}
	for i, want := range []struct {
		d       durability
		n       int
		running bool
	}{{relaxed, 1, true}, {durable, maxBatch, true}, {relaxed, 0, true}, {durable, maxBatch, true}, {relaxed, 0, true}, {durable, 1, true}, {relaxed, 0, false}} {
		batch, running := g.take(want.d)
		if len(batch) != want.n || running != want.running {
			t.Errorf("step %d: %d writes, %t; want %+v", i, len(batch), running, want)
		}
		if i == 5 && !batch[0].single {
			t.Error("the last one is not the last")
		}
	}
}

func TestAnotherProcessWritesForTooLong(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	// That an attempt takes long, as on a busy machine, does not make it wait for longer.
	run(t, s, "PRAGMA busy_timeout=40")
	s.group.writer.patience = 300 * time.Millisecond
	end := beside(t, path, "BEGIN IMMEDIATE")
	start := time.Now()
	errs := make([]error, 4*maxBatch) // of both durabilities: some wait for several batches before theirs
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			if i%2 == 0 {
				_, errs[i] = s.SwapCounters(t.Context(), time.Now(), store.Counter{Key: fmt.Sprint(i)})
				return
			}
			errs[i] = createUser(s, fmt.Sprint(i))()
		})
	}
	wg.Wait()
	for i, err := range errs {
		if !errors.Is(err, store.ErrBusy) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if took := time.Since(start); took < s.group.writer.patience || took > s.group.writer.patience+soon {
		t.Errorf("with a patience of %v they wait for %v", s.group.writer.patience, took)
	}
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := s.SwapCounters(short, time.Now(), store.Counter{Key: "c"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("who does not wait so long gets %v", err)
	}
	if all, err := s.ListUsers(t.Context(), "", 1); err != nil || len(all) != 0 {
		t.Errorf("a reader gets %v (%v)", all, err)
	}
	done := make(chan error)
	go func() { done <- createUser(s, "c")() }()
	time.Sleep(5 * time.Millisecond)
	end()
	if err := <-done; err != nil {
		t.Error(err)
	}
	users(t, s, "c")
}
