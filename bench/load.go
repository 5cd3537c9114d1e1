package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// A phase is a load that stays the same throughout. It is worked off by a
// process of its own on the load's core; it and what was seen cross as JSON.
type phase struct {
	Addr string
	PID  int // of the server, whose CPU time is read
	// Settle is what is left out at the beginning, at the least: it lasts until
	// every client has had an answer. Then Window is counted. After it the load
	// goes on until what was under way at its end is answered.
	Settle, Window time.Duration
	Crowds         []crowd
}

// A crowd is clients of one kind, each on a connection that it keeps, with one
// request under way at any time.
type crowd struct {
	Name     string
	Clients  int
	Requests [][]byte // client n keeps sending the n-th, in a circle
	Want     []byte   // in every right answer
	// Refresh takes the refresh token out of each answer and sends it in the next
	// request.
	Refresh bool
	// Fresh has each request say another address than the one before.
	Fresh bool
	// MayRefuse lets a refusal pass for an answer: it is counted apart, and the
	// client comes back when it was told to.
	MayRefuse bool
}

// A sight is what was seen of one phase.
type sight struct {
	ServerCPU, LoadCPU float64 // shares of a core, 0 to 1
	Crowds             []tally // as in the phase
}

type tally struct {
	PerSecond      float64
	P50, P99, Mean time.Duration // of what was under way in the window
	Answers        int
	Refused        float64 // a second
}

// span is a request under way, from the beginning of its phase.
type span struct {
	begin, end time.Duration
	refused    bool
}

// tallyOf counts a request that the window cuts by the share of its time inside.
// Whole answers would do for reads; but a server that shares its core among 64
// logins answers them in batches, and a window has room for a few.
func tallyOf(spans []span, open, shut time.Duration) tally {
	var done, refused float64
	var sum time.Duration
	var latencies []time.Duration
	for _, s := range spans {
		inside := min(s.end, shut) - max(s.begin, open)
		if inside <= 0 {
			continue
		}
		share := float64(inside) / float64(s.end-s.begin)
		if s.refused {
			refused += share
			continue
		}
		done += share
		latencies = append(latencies, s.end-s.begin)
		sum += s.end - s.begin
	}
	slices.Sort(latencies)
	return tally{
		PerSecond: done / (shut - open).Seconds(),
		P50:       percentile(latencies, 50),
		P99:       percentile(latencies, 99),
		Mean:      sum / time.Duration(cmp.Or(len(latencies), 1)),
		Answers:   len(latencies),
		Refused:   refused / (shut - open).Seconds(),
	}
}

// percentile is the nearest rank; of nothing, 0.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

// observe puts i under the load of crowds.
func (b *bench) observe(ctx context.Context, i *instance, crowds ...crowd) (sight, error) {
	var seen sight
	err := b.onJob(ctx, i, jobLoad, phase{i.addr(), i.cmd.Process.Pid, b.warmup, b.duration, crowds}, &seen)
	return seen, err
}

// onJob has job do what plan says to i. Both plan and what was seen cross as JSON.
func (b *bench) onJob(ctx context.Context, i *instance, job string, plan, seen any) error {
	in, err := json.Marshal(plan)
	if err != nil {
		return err
	}
	cmd, err := b.onLoadCore(ctx, job)
	if err != nil {
		return err
	}
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w: %s\n%s", i.label, err, bytes.TrimSpace(stderr.Bytes()), tail(i.stderr))
	}
	return json.Unmarshal(out, seen)
}

// onLoadCore is this program again, for one job, pinned to the load's core.
func (b *bench) onLoadCore(ctx context.Context, job string) (*exec.Cmd, error) {
	argv, err := jobArgv(job)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "taskset", append([]string{"-c", strconv.Itoa(b.loadCore)}, argv...)...)
	cmd.Env = b.baseEnv()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd, nil
}
