package exampletest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// build builds a program: "." is that of the folder of the test, all else one of the repository.
func build(t *testing.T, pkg string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "program")
	cmd := exec.Command("go", "build", "-o", binary, pkg)
	if pkg != "." {
		cmd.Dir = root()
	}
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
	return binary
}

// program is a process that answers HTTP.
type program struct {
	url   string
	cmd   *exec.Cmd
	said  output
	ended chan struct{}
	err   error // of the end
}

func start(t *testing.T, binary string, args ...string) *program {
	t.Helper()
	return startCommand(t, exec.Command(binary, args...))
}

// startCommand starts a program, and waits until it says where it listens. It ends with the test.
func startCommand(t *testing.T, cmd *exec.Cmd) *program {
	t.Helper()
	p := &program{cmd: cmd, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.said, &p.said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended already
		<-p.ended
		if t.Failed() {
			t.Logf("%s said:\n%s", cmd, p.said.String())
		}
	})
	for deadline := time.After(time.Minute); ; {
		if _, rest, ok := strings.Cut(p.said.String(), " listens on "); ok {
			if url, _, whole := strings.Cut(rest, "\n"); whole {
				p.url = url
				return p
			}
		}
		select {
		case <-p.ended:
			t.Fatalf("%s ended before it listened", cmd)
		case <-deadline:
			t.Fatalf("%s does not listen after a minute", cmd)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// stop tells a program to end, which it must do well.
func (p *program) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	if p.err != nil {
		t.Errorf("%s ended badly: %v", p.cmd, p.err)
	}
}

// output is what a program has said so far. It is safe for concurrent use.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
