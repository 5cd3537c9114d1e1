// Package mongotest gives tests a MongoDB server: the one that COUNTERSIGN_TEST_MONGODB names, else a mongod if one is installed,
// else FerretDB over SQLite files, behind a proxy that makes up for what it lacks.
package mongotest

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/testkit/need"
)

// Server is a MongoDB server.
type Server struct {
	hosts string // with what comes before them in a URL
	query string
}

// Start returns a server, which ends with the test if the test has started it, and also when the test's process is killed.
func Start(t testing.TB) *Server {
	t.Helper()
	if location := os.Getenv("COUNTERSIGN_TEST_MONGODB"); location != "" {
		rest, query, _ := strings.Cut(strings.TrimPrefix(location, "mongodb://"), "?")
		hosts, _, _ := strings.Cut(rest, "/")
		return &Server{hosts, query}
	}
	if path, err := exec.LookPath("mongod"); err == nil {
		return &Server{hosts: startMongod(t, path)}
	}
	return &Server{hosts: serve(t, &proxy{server: startMongowire(t), serial: true}), query: polled}
}

// polled keeps the driver from having the server answer one request again and again, which a proxy could not take apart.
const polled = "serverMonitoringMode=poll"

// URL returns the URL of a database on the server. The name may be any text; each has a database of its own.
func (s *Server) URL(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "mongodb://" + s.hosts + "/countersign_" + hex.EncodeToString(sum[:8]) + "?" + s.query
}

// startMongowire returns the address of a FerretDB.
func startMongowire(t testing.TB) string {
	t.Helper()
	lines := start(t, exec.Command(need.Mongowire(t), "-listen", "127.0.0.1:0", "-dir", t.TempDir(), "-sync=false", "-follow-stdin"))
	for lines.Scan() {
		if u, err := url.Parse(lines.Text()); err == nil && u.Scheme == "mongodb" {
			return u.Host
		}
	}
	t.Fatalf("mongowire does not say where it listens: %v", lines.Err())
	return ""
}

// startMongod returns the address of a mongod. The shell that starts it ends it when its standard input ends.
func startMongod(t testing.TB, path string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().(*net.TCPAddr)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	start(t, exec.Command("sh", "-c", `"$@" & read -r _; kill $!; wait`, "sh", path, "--dbpath", t.TempDir(), "--bind_ip", "127.0.0.1",
		"--port", fmt.Sprint(addr.Port), "--nounixsocket", "--quiet"))
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		c, err := net.Dial("tcp", addr.String())
		if err == nil {
			_ = c.Close()
			return addr.String()
		}
		if time.Now().After(deadline) {
			t.Fatalf("mongod does not listen: %v", err)
		}
	}
}

// start starts a command that ends when its standard input does, and returns what it prints.
func start(t testing.TB, cmd *exec.Cmd) *bufio.Scanner {
	t.Helper()
	var log strings.Builder
	cmd.Stderr = &log
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Logf("%s: %v\n%s", cmd.Path, err, log.String())
		}
	})
	return bufio.NewScanner(out)
}
