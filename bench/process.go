package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A process is a server that we started, pinned to the servers' core.
type process struct {
	name   string
	cmd    *exec.Cmd
	stdout string // files
	stderr string
	cancel context.CancelFunc
	done   chan struct{} // closed when it has ended
	// counts are other processes whose CPU time counts as its own: it works by them.
	counts []*process
}

// start runs argv pinned to the servers' core. It ends with ctx, with stop or
// with stopAll. Both outputs go to files, which grow over restarts.
func (b *bench) start(ctx context.Context, name string, argv, env []string) (*process, error) {
	return b.startOn(ctx, strconv.Itoa(b.serverCore), name, argv, env)
}

// startOn is start with the cores to pin it to.
func (b *bench) startOn(ctx context.Context, cores, name string, argv, env []string) (*process, error) {
	p := &process{
		name:   name,
		stdout: filepath.Join(b.dir, name+".out"),
		stderr: filepath.Join(b.dir, name+".log"),
		done:   make(chan struct{}),
	}
	stdout, err := appendTo(p.stdout)
	if err != nil {
		return nil, err
	}
	defer stdout.Close() // the child has its own copy
	stderr, err := appendTo(p.stderr)
	if err != nil {
		return nil, err
	}
	defer stderr.Close()

	ctx, p.cancel = context.WithCancel(ctx)
	// taskset replaces itself with the server, so its pid is the server's.
	p.cmd = exec.CommandContext(ctx, "taskset", append([]string{"-c", cores}, argv...)...)
	p.cmd.Env = append(b.baseEnv(), env...)
	p.cmd.Stdout, p.cmd.Stderr = stdout, stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 10 * time.Second // then it is killed
	if err := p.cmd.Start(); err != nil {
		p.cancel()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	b.processes = append(b.processes, p)
	go func() {
		_ = p.cmd.Wait() // how it ended is in cmd.ProcessState
		close(p.done)
	}()
	return p, nil
}

func appendTo(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
}

// stop ends p and waits. That it had to be killed is an error: a server that
// does not end on SIGTERM would spoil the rows after it.
func (p *process) stop() error {
	p.cancel()
	<-p.done
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
		return fmt.Errorf("%s did not end on SIGTERM and was killed", p.name)
	}
	return nil
}

func (b *bench) stopAll() error {
	var errs []error
	for _, p := range b.processes {
		p.cancel()
	}
	for _, p := range b.processes {
		errs = append(errs, p.stop())
	}
	b.processes = nil
	return errors.Join(errs...)
}

// ended says that p is gone though nobody stopped it, with its last words.
func (p *process) ended() error {
	return fmt.Errorf("%s ended by itself (%s):\n%s", p.name, p.cmd.ProcessState, tail(p.stderr))
}

func (p *process) firstLine(ctx context.Context) (string, error) {
	for {
		data, err := os.ReadFile(p.stdout)
		if err != nil {
			return "", err
		}
		if line, _, ok := bytes.Cut(data, []byte("\n")); ok {
			return string(line), nil
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-p.done:
			return "", p.ended()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// tail gives the end of a log, enough to see what went wrong.
func tail(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	const most = 2000
	if len(data) > most {
		data = data[len(data)-most:]
	}
	return strings.TrimSpace(string(data))
}

// memory is a field of /proc/PID/status in MiB: VmRSS, or VmHWM, its peak. The
// kernel counts in pages that it batches per thread, so a figure may be off by
// some 100 KiB.
func (p *process) memory(field string) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			kib, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("%s: no %s", p.name, field)
}

// cpuTime is user and system time so far, in the kernel's ticks of 10 ms: of p, its
// children, and what counts as its own.
func (p *process) cpuTime() (time.Duration, error) {
	pid := p.cmd.Process.Pid
	total, err := cpuTimeOf(pid)
	if err != nil {
		return 0, err
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0, err
	}
	for child := range strings.FieldsSeq(string(children)) {
		pid, err := strconv.Atoi(child)
		if err != nil {
			return 0, err
		}
		took, err := cpuTimeOf(pid)
		if err != nil {
			return 0, err
		}
		total += took
	}
	for _, other := range p.counts {
		took, err := other.cpuTime()
		if err != nil {
			return 0, err
		}
		total += took
	}
	return total, nil
}

func cpuTimeOf(pid int) (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseCPUTime(string(data))
}

func parseCPUTime(stat string) (time.Duration, error) {
	// The second field is the program's name in brackets, spaces and all.
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("unexpected stat: %q", stat)
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err1, err2)
}

// pinSelf puts this program on the load's core: its polling must not take time
// from the servers.
func pinSelf(ctx context.Context, core int) error {
	out, err := exec.CommandContext(ctx, "taskset", "-a", "-c", "-p", strconv.Itoa(core), strconv.Itoa(os.Getpid())).CombinedOutput()
	if err != nil {
		return fmt.Errorf("pin to core %d: %w: %s", core, err, bytes.TrimSpace(out))
	}
	return nil
}
