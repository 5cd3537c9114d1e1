package sqlstore_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/store/sqlstore"
)

// addUntilRefused writes users until the store says that it cannot, and returns the ids of those that it has taken.
func addUntilRefused(t *testing.T, s *sqlstore.Store) (taken []string) {
	t.Helper()
	for i := range 10_000 {
		id := fmt.Sprintf("user-%05d", i)
		err := s.CreateUser(t.Context(), store.User{ID: id, EmailKey: id, AdminData: make([]byte, 2000)}, store.Credential{Key: id, Data: []byte("d")})
		if err != nil {
			if !errors.Is(err, store.ErrUnavailable) {
				t.Fatalf("after %d users: %v, want store.ErrUnavailable", i, err)
			}
			return taken
		}
		taken = append(taken, id)
	}
	t.Fatal("10,000 users fit")
	return nil
}

// checkTaken checks that everything acknowledged is there and nothing is damaged, while and after s cannot write.
func checkTaken(t *testing.T, s *sqlstore.Store, taken []string) {
	t.Helper()
	for _, id := range taken {
		if _, err := s.User(t.Context(), id); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		if _, err := s.Candidate(t.Context(), "", id, time.Now()); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
	}
	users, err := s.ListUsers(t.Context(), "", len(taken)+1)
	if err != nil || len(users) != len(taken) {
		t.Errorf("%d users, want %d (%v)", len(users), len(taken), err)
	}
}

// goesOn checks that s writes again.
func goesOn(t *testing.T, s *sqlstore.Store) {
	t.Helper()
	if err := s.CreateUser(t.Context(), store.User{ID: "after", EmailKey: "after"}, store.Credential{Key: "after", Data: []byte("d")}); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if found, err := s.Examine(t.Context()); err != nil || len(found) > 0 {
		t.Errorf("damaged: %v (%v)", found, err)
	}
}

// TestDiskFull fills a small file system of its own, and then gives it room.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root mounts a file system; TestFileTooLarge shows much the same")
	}
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("SKIPPED: root may not mount a tmpfs here (%v); TestFileTooLarge shows much the same", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, 0) })
	s := openAt(t, filepath.Join(disk, "c.db"))
	taken := addUntilRefused(t, s)
	checkTaken(t, s, taken)
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("reading: %v", err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=16m"); err != nil {
		t.Fatal(err)
	}
	checkTaken(t, s, taken)
	goesOn(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestFileTooLarge has the system refuse writes, in a process of its own, as the limit is one of processes.
func TestFileTooLarge(t *testing.T) {
	t.Parallel()
	const limited = "SQLSTORE_TEST_LIMITED"
	if os.Getenv(limited) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestFileTooLarge$", "-test.v")
		cmd.Env = append(os.Environ(), limited+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: TestFileTooLarge") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	signal.Ignore(syscall.SIGXFSZ) // the system's first answer, which would end the process
	s := openAt(t, filepath.Join(t.TempDir(), "c.db"))
	limit(t, 1<<20)
	taken := addUntilRefused(t, s)
	checkTaken(t, s, taken)
	limit(t, 64<<20)
	goesOn(t, s)
}

// limit bounds the files that this process may write.
func limit(t *testing.T, bytes uint64) {
	t.Helper()
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
		t.Fatal(err)
	}
	l.Cur = bytes
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
		t.Fatal(err)
	}
}

// TestReadOnly starts on a database that is there and cannot be written: it says so, and makes no other one.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		readOnlyByMode(t)
		return
	}
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("SKIPPED: to root every file can be written, and it may not mount a tmpfs here (%v)", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, 0) })
	path := filepath.Join(disk, "c.db")
	if err := openAt(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	refusedReadOnly(t, path)
}

// readOnlyByMode takes the right to write the file, and then that to write the folder.
func readOnlyByMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "c.db")
	if err := openAt(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Dir(path), 0o700) })
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	refusedReadOnly(t, path)
	if err := errors.Join(os.Chmod(path, 0o600), os.Chmod(filepath.Dir(path), 0o500)); err != nil {
		t.Fatal(err)
	}
	refusedReadOnly(t, path)
}

func refusedReadOnly(t *testing.T, path string) {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), path)
	if err == nil {
		_ = s.Close()
		t.Fatalf("opened %s", path)
	}
	if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "written") {
		t.Errorf("it says %v", err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), filepath.Base(path)) {
			t.Errorf("beside the database there is %s", e.Name())
		}
	}
}
