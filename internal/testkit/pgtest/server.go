//go:build unix

package pgtest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/countersign-auth/countersign/internal/testkit/need"
)

// Server is a PostgreSQL of a test's own.
type Server struct {
	// URL names a database of the server in which nothing is kept. It asks for no TLS.
	URL string

	bin, dir string
	as       *syscall.Credential // the unprivileged user; nil if this process is run by one
	keeper   *exec.Cmd
	open     io.Closer // which keeps the keeper from its work
}

// Start runs a server with these settings, each as name=value, until the test ends.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s, err := start(need.Postgres(t), settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.open.Close()
		if err := s.keeper.Wait(); err != nil {
			t.Errorf("the end of PostgreSQL: %v", err)
		}
	})
	return s
}

// Stop stops the server by pg_ctl: mode is fast or immediate, which is like a crash.
func (s *Server) Stop(t testing.TB, mode string) {
	t.Helper()
	if err := s.control("stop", "-m", mode); err != nil {
		t.Fatal(err)
	}
}

// Again starts a server that was stopped.
func (s *Server) Again(t testing.TB) {
	t.Helper()
	if err := s.control("start"); err != nil {
		t.Fatal(err)
	}
}

// unprivileged says as whom to run: PostgreSQL refuses root.
func unprivileged() (as *syscall.Credential, uid int, err error) {
	if os.Geteuid() != 0 {
		return nil, -1, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.Atoi(u.Uid)
		if err != nil {
			return nil, 0, err
		}
		gid, err := strconv.Atoi(u.Gid)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, uid, err
	}
	return nil, 0, errors.New("there is no user postgres and no user nobody to run PostgreSQL as")
}

// start makes a cluster and runs a server on it.
func start(bin string, settings ...string) (*Server, error) {
	as, uid, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "countersign-postgres-") // and not the test's own folder, which nobody else may enter
	if err != nil {
		return nil, err
	}
	if err := os.Chown(dir, uid, -1); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &Server{URL: fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port), bin: bin, dir: dir, as: as}
	if err := s.keep(); err != nil {
		return nil, err
	}
	initdb := s.command("initdb", "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	if err := s.certify(uid); err != nil {
		return nil, err
	}
	settings = append([]string{
		"ssl=on", "listen_addresses=127.0.0.1", fmt.Sprintf("port=%d", port), "unix_socket_directories=", "max_connections=300",
	}, settings...)
	if _, err := os.Stat(filepath.Join(bin, "..", "lib", "pg_stat_statements.so")); err == nil {
		settings = append(settings, "shared_preload_libraries=pg_stat_statements")
	}
	if err := s.configure(settings); err != nil {
		return nil, err
	}
	return s, s.control("start")
}

// keep starts what ends the server and removes what is left of it as soon as its input ends, which it does with this process.
func (s *Server) keep() (err error) {
	const script = `cat; "$0/pg_ctl" -D "$1/data" -m immediate stop; cd /; rm -rf "$1"`
	s.keeper = exec.Command("/bin/sh", "-c", script, s.bin, s.dir)
	s.keeper.Dir, s.keeper.SysProcAttr = s.dir, &syscall.SysProcAttr{Setsid: true, Credential: s.as}
	if s.open, err = s.keeper.StdinPipe(); err != nil {
		return err
	}
	return s.keeper.Start()
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// configure adds settings to those of a new cluster.
func (s *Server) configure(settings []string) error {
	f, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, "=")
		if _, err := fmt.Fprintf(f, "%s = '%s'\n", name, value); err != nil {
			return err
		}
	}
	return nil
}

// command returns a command that the unprivileged user runs.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir, cmd.SysProcAttr = s.dir, &syscall.SysProcAttr{Credential: s.as}
	return cmd
}

// control runs pg_ctl, which waits until the server is as it should be.
func (s *Server) control(args ...string) error {
	log := filepath.Join(s.dir, "log")
	cmd := s.command("pg_ctl", append([]string{"-D", s.data(), "-l", log, "-w", "-t", "60"}, args...)...)
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(log)
		return fmt.Errorf("pg_ctl %s: %w\n%s", args[0], err, said)
	}
	return nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
