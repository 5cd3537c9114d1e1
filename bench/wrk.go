package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

//go:embed wrk.lua
var wrkScript []byte

// A sample is one server under load once.
type sample struct {
	perSecond float64
	p50, p99  time.Duration
	serverCPU float64 // share of a core, 0 to 1
	loadCPU   float64
}

// wrkResult is the line that wrk.lua prints.
type wrkResult struct {
	Requests   int64 `json:"requests"`
	DurationUS int64 `json:"duration_us"`
	P50US      int64 `json:"p50_us"`
	P99US      int64 `json:"p99_us"`
	Errors     struct {
		Connect, Read, Write, Status, Timeout int64
	} `json:"errors"`
}

// hammer loads i with r for d, between two probes.
func (b *bench) hammer(ctx context.Context, l wrkLoad, i *instance, r request, d time.Duration) (sample, error) {
	if err := l.probe(ctx, i, r); err != nil {
		return sample{}, err
	}
	before, err := i.cpuTime()
	if err != nil {
		return sample{}, err
	}
	result, loadCPU, err := b.wrk(ctx, i.base, r, d)
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w\n%s", i.label, err, tail(i.stderr))
	}
	after, err := i.cpuTime()
	if err != nil {
		return sample{}, err
	}
	if r.tokens != "" && !i.constant && result.Requests > int64(r.tokenCount) {
		return sample{}, fmt.Errorf("%s: answered %d requests with %d tokens: some came twice", i.label, result.Requests, r.tokenCount)
	}
	took := time.Duration(result.DurationUS) * time.Microsecond
	return sample{
		perSecond: float64(result.Requests) / took.Seconds(),
		p50:       time.Duration(result.P50US) * time.Microsecond,
		p99:       time.Duration(result.P99US) * time.Microsecond,
		serverCPU: (after - before).Seconds() / took.Seconds(),
		loadCPU:   loadCPU.Seconds() / took.Seconds(),
	}, l.probe(ctx, i, r)
}

func (b *bench) wrk(ctx context.Context, base string, r request, d time.Duration) (wrkResult, time.Duration, error) {
	script := filepath.Join(b.dir, "wrk.lua")
	if err := os.WriteFile(script, wrkScript, 0o600); err != nil {
		return wrkResult{}, 0, err
	}
	// An answer over --timeout fails the run; wrk's own 2 s would make that
	// happen when the machine, not the server, is slow.
	args := []string{"-c", strconv.Itoa(b.loadCore), "wrk", "-t1", "--timeout", "10s",
		"-c" + strconv.Itoa(b.connections), fmt.Sprintf("-d%ds", int(d.Seconds())), "-s", script}
	for name, values := range r.header {
		for _, value := range values {
			args = append(args, "-H", name+": "+value)
		}
	}
	cmd := exec.CommandContext(ctx, "taskset", append(args, base+r.path)...)
	cmd.Env = append(b.baseEnv(), "BENCH_METHOD="+r.method)
	if r.body != "" {
		cmd.Env = append(cmd.Env, "BENCH_BODY="+r.body)
	}
	if r.tokens != "" {
		cmd.Env = append(cmd.Env, "BENCH_TOKENS="+r.tokens)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return wrkResult{}, 0, fmt.Errorf("wrk: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	result, err := parseWrk(out)
	return result, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), err
}

// parseWrk reads the JSON line among what wrk says. A single answer that is
// missing or not right makes it an error.
func parseWrk(out []byte) (wrkResult, error) {
	var result wrkResult
	for line := range bytes.Lines(out) {
		if !bytes.HasPrefix(line, []byte("{")) {
			continue
		}
		if err := json.Unmarshal(line, &result); err != nil {
			return result, fmt.Errorf("wrk: %w: %s", err, line)
		}
		e := result.Errors
		if e.Status+e.Connect+e.Read+e.Write+e.Timeout > 0 {
			return result, fmt.Errorf("of %d answers %d had a status of 400 or more; connections: %d not made, %d reads and %d writes failed, %d timeouts",
				result.Requests, e.Status, e.Connect, e.Read, e.Write, e.Timeout)
		}
		if result.Requests == 0 || result.DurationUS == 0 {
			return result, fmt.Errorf("wrk got no answer at all")
		}
		return result, nil
	}
	return result, fmt.Errorf("wrk printed no result: %s", out)
}
