package sqlstore

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// opening names the database that TestReplaceHoldsOthersOff opens in a process of its own.
const opening = "SQLSTORE_TEST_OPENING"

// TestReplaceHoldsOthersOff has a process open a database while it is being replaced. Whatever that process is told was written must
// be in the database that is there in the end.
func TestReplaceHoldsOthersOff(t *testing.T) {
	t.Parallel()
	if path := os.Getenv(opening); path != "" {
		signUp(t, openThere(t, path), "late")
		return
	}
	dir := t.TempDir()
	path, file := filepath.Join(dir, "c.db"), filepath.Join(dir, "backup")
	if err := openThere(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Backup(t.Context(), path, file); err != nil {
		t.Fatal(err)
	}
	old, err := alone(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestReplaceHoldsOthersOff$")
	cmd.Env = append(os.Environ(), opening+"="+path)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	ended := make(chan error, 1)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		ended <- err
		t.Errorf("it did not wait: %v\n%s", err, &out)
	case <-time.After(time.Second): // in which it would have ended, several times
	}
	if _, err := putAside(path, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Rename(file, path), old.Close()); err != nil {
		t.Fatal(err)
	}
	told := <-ended
	t.Logf("the process: %v\n%s", told, &out)
	s := openThere(t, path)
	if _, err := s.User(t.Context(), "late"); told == nil && err != nil {
		t.Errorf("what was written is lost: %v", err)
	}
	if damage, err := s.Examine(t.Context()); err != nil || len(damage) > 0 {
		t.Errorf("%v (%v)", damage, err)
	}
}

// TestLinkedDatabase backs up and restores a database that is a link to a file in another folder.
func TestLinkedDatabase(t *testing.T) {
	t.Parallel()
	disk, dir := t.TempDir(), t.TempDir()
	path, file := filepath.Join(dir, "c.db"), filepath.Join(dir, "backup")
	if err := errors.Join(openThere(t, filepath.Join(disk, "real.db")).Close(), os.Symlink(filepath.Join(disk, "real.db"), path)); err != nil {
		t.Fatal(err)
	}
	s := openThere(t, path)
	signUp(t, s, "before")
	if c, err := Backup(t.Context(), path, file); err != nil || c.Users != 1 {
		t.Fatalf("%+v (%v)", c, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Restore(t.Context(), file, path, Restoring{Replace: true, Now: time.Now()})
	if err != nil || filepath.Dir(r.Aside) != disk {
		t.Fatalf("%+v (%v)", r, err)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link has become %v (%v)", info, err)
	}
	if _, err := openThere(t, filepath.Join(disk, "real.db")).User(t.Context(), "before"); err != nil {
		t.Error(err)
	}
}

// TestPutAsideLeavesNothingBehind has all beside a database that SQLite may leave there: rolled back into the restored one, it would
// damage that.
func TestPutAsideLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.db")
	suffixes := []string{"-wal", "-shm", "-journal"}
	for _, suffix := range append(suffixes, "") {
		if err := os.WriteFile(path+suffix, []byte("it is "+suffix), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	aside, err := putAside(path, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, suffix := range suffixes {
		if _, err := os.Stat(path + suffix); !os.IsNotExist(err) {
			t.Errorf("there is still a %s (%v)", suffix, err)
		}
		if data, err := os.ReadFile(aside + suffix); err != nil || string(data) != "it is "+suffix {
			t.Errorf("%s: %q (%v)", suffix, data, err)
		}
	}
}

// TestReplaceTwiceInASecond keeps both databases that were there.
func TestReplaceTwiceInASecond(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, file := filepath.Join(dir, "c.db"), filepath.Join(dir, "backup")
	if err := openThere(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Backup(t.Context(), path, file); err != nil {
		t.Fatal(err)
	}
	second := time.Now().Truncate(time.Second)
	for i := range 2 {
		now := second.Add(time.Duration(i) * time.Millisecond)
		if r, err := Restore(t.Context(), file, path, Restoring{Replace: true, Now: now}); err != nil {
			t.Errorf("%+v (%v)", r, err)
		}
	}
	if kept, err := filepath.Glob(path + ".2*"); err != nil || len(kept) != 2 {
		t.Errorf("%v (%v)", kept, err)
	}
}
