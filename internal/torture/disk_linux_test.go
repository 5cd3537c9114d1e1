package torture

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// smallDisk mounts a file system of so many MiB until the test ends.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=700,size="+size); err != nil {
		if os.Getenv("CI") == "true" && os.Geteuid() == 0 {
			t.Fatalf("a small file system cannot be mounted: %v", err)
		}
		t.Skipf("SKIPPED: a small file system cannot be mounted: %v; run the tests as root", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill writes a file that takes all the room there is.
func fill(t *testing.T, dir string) (file string) {
	t.Helper()
	file = filepath.Join(dir, "filler")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(f, zeros{})
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	_ = f.Close()
	return file
}

// zeros is as many zeros as anybody reads.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// The disk is full, and then it is not. What only reads goes on, what writes is a 503, and nobody has to restart anything.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "64m")
	d := sqliteIn(dir)
	s := start(t, d.environment())
	x := newSite(t, s.url)
	first := &user{email: "probe@example.com", addr: "10.200.0.1"}
	if !x.signUp(first) || !x.logIn(first) {
		t.FailNow()
	}
	users := []*user{first}
	for round := range rounds(2, 10) {
		crowd := x.gather(fmt.Sprintf("disk-%d", round), 8)
		probe := x.probe(first.access)
		time.Sleep(300 * time.Millisecond)
		file := fill(t, dir)
		x.wantRefusals(first)
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		freed := time.Now()
		if !x.refresh(first) {
			t.FailNow()
		}
		users = append(users, crowd.stop()...)
		probe.stop(t)
		late := x.met(freed.Add(5 * time.Second))
		if len(late) > 0 {
			t.Errorf("5 seconds after there was room again: %v", late)
		}
	}
	x.wantAll(users)
	t.Logf("%d users, and met %v", len(users), x.met(time.Time{}))
	if err := s.stop(); err != nil {
		t.Error(err, s.log)
	}
	d.wantWhole(t, users)
}

// wantRefusals expects that a database which cannot write says so, and reads all the same.
func (x *site) wantRefusals(u *user) {
	x.t.Helper()
	login := url.Values{"email": {u.email}, "password": {password}}
	// The log of the database has room that it has used before, so it takes a while until nothing can be written.
	for begun := time.Now(); ; {
		a, err := x.ask(request{method: http.MethodPost, path: "/login", addr: u.addr, form: login})
		if err != nil {
			x.t.Fatal(err)
		}
		if a.status == http.StatusServiceUnavailable {
			break
		}
		if time.Since(begun) > 20*time.Second {
			x.t.Fatalf("a full disk can be written: %s", a)
		}
	}
	for _, c := range []struct {
		request
		status int
		code   string
	}{
		{request{method: http.MethodPost, path: "/login", form: login}, http.StatusServiceUnavailable, "database_unavailable"},
		{request{method: http.MethodPost, path: "/signup", form: url.Values{"email": {"full@example.com"}, "password": {password}}}, http.StatusServiceUnavailable, "database_unavailable"},
		{request{method: http.MethodPost, path: "/logout", token: u.access}, http.StatusServiceUnavailable, "database_unavailable"},
		{request{method: http.MethodGet, path: "/user", token: u.access}, http.StatusOK, ""},
		{request{method: http.MethodGet, path: "/user/sessions", token: u.access}, http.StatusOK, ""},
		{request{method: http.MethodGet, path: "/readyz"}, http.StatusOK, ""},
		{request{method: http.MethodGet, path: "/.well-known/countersign/revocations"}, http.StatusOK, ""},
	} {
		c.addr = u.addr
		if a, err := x.ask(c.request); err != nil || a.status != c.status || a.Code != c.code {
			x.t.Errorf("%s on a full disk: %v %v", c.path, a, err)
		}
	}
}

// A disk that can only be read: the server says so, ends, and makes nothing beside what is there.
func TestReadOnlyDisk(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "16m")
	d := sqliteIn(dir)
	if err := start(t, d.environment()).stop(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	before, _ := filepath.Glob(filepath.Join(dir, "*"))
	_, err := launch(t, d.environment())
	if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "countersign.db")) || strings.Contains(err.Error(), "goroutine") {
		t.Errorf("a server on a disk that can only be read says: %v", err)
	}
	t.Log(err)
	if after, _ := filepath.Glob(filepath.Join(dir, "*")); len(after) != len(before) {
		t.Errorf("%v has become %v", before, after)
	}
}
