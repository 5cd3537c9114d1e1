package torture

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/testkit"
)

// server is the real binary in a process of its own.
type server struct {
	url  string
	log  *testkit.Log
	cmd  *exec.Cmd
	over chan struct{} // closed when the process has ended, as err says
	err  error
	took time.Duration // until it listened
}

// launch starts a server through the command before, if any, such as one that limits it. Err is what it said when it ended
// without having listened.
func launch(t *testing.T, environ []string, before ...string) (*server, error) {
	t.Helper()
	args := append(slices.Clone(before), "countersign", "serve")
	s := &server{log: &testkit.Log{}, cmd: exec.Command(args[0], args[1:]...), over: make(chan struct{})}
	s.cmd.Env, s.cmd.Stderr = environ, s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 1)
	go func() {
		defer close(s.over)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if _, addr, ok := strings.Cut(lines.Text(), " listens on "); ok {
				said <- addr
				_, _ = io.Copy(io.Discard, out)
				break
			}
		}
		s.err = s.cmd.Wait()
	}()
	t.Cleanup(func() {
		s.kill()
		if text := s.log.String(); strings.Contains(text, `"msg":"panic"`) || strings.Contains(text, "goroutine ") {
			t.Errorf("the server has panicked:\n%s", text)
		}
		if t.Failed() {
			t.Logf("the server's faults:\n%s", s.faults())
		}
	})
	select {
	case s.url = <-said:
		s.took = time.Since(begun)
		return s, nil
	case <-s.over:
		return s, fmt.Errorf("%w: %s", s.err, s.log)
	case <-time.After(time.Minute):
		t.Fatalf("the server neither listens nor ends:\n%s", s.log)
		return nil, nil
	}
}

// start starts a server that must come up.
func start(t *testing.T, environ []string, before ...string) *server {
	t.Helper()
	s, err := launch(t, environ, before...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// faults returns the first lines of the log that tell of faults of the server's own.
func (s *server) faults() string {
	const most = 10
	var lines []string
	for line := range strings.Lines(s.log.String()) {
		if strings.Contains(line, `"level":"ERROR"`) && len(lines) < most {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// kill ends the process as a power switch would.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	<-s.over
}

// stop ends the process as an operator would.
func (s *server) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	<-s.over
	return s.err
}

// metricsURL finds in the log where the metrics are.
var metricsURL = regexp.MustCompile(`"msg":"metrics","url":"([^"]+)"`)

// environment returns that of a server and its commands, with these settings beside those of the database.
func (d *database) environment(settings ...string) []string {
	env := slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "COUNTERSIGN_") })
	env = append(env, "COUNTERSIGN_LISTEN=127.0.0.1:0", "COUNTERSIGN_PASSWORD_BCRYPT_COST=4", "COUNTERSIGN_ACCESS_LOG=off",
		"COUNTERSIGN_ISSUER=http://auth.test", "COUNTERSIGN_TRUSTED_PROXIES=127.0.0.1")
	return append(append(env, d.settings...), settings...)
}

// command runs a command on the database of a server, and returns what it prints.
func command(environ []string, args ...string) (string, error) {
	cmd := exec.Command("countersign", args...)
	cmd.Env = environ
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	return string(out), err
}
