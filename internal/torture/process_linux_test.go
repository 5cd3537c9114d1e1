package torture

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// wantAccepted waits until the server has at least so many connections.
func (s *server) wantAccepted(t *testing.T, least int) {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(time.Millisecond) {
		n := sockets(t, s.cmd.Process.Pid) - 1 // one listens
		if n >= least {
			return
		}
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("the server has %d connections, want %d", n, least)
		}
	}
}

// sockets returns how many sockets a process has.
func sockets(t *testing.T, pid int) (n int) {
	t.Helper()
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if to, err := os.Readlink(filepath.Join(dir, f.Name())); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}
