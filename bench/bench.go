package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"
)

// How often a server is started for the median, and how long it rests after a
// login before its memory is read.
const (
	coldStarts = 10
	idle       = 2 * time.Second
)

// A bench is one run.
type bench struct {
	options
	tmp       string // binaries, and a folder for each scenario
	dir       string // of the scenario that runs
	log       io.Writer
	processes []*process
}

// A row is what was seen of one server.
type row struct {
	*instance
	samples     []sample
	starts      []time.Duration // empty unless measured
	residentMiB float64
}

func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(b.log, "bench: "+format+"\n", args...)
}

// bringUp starts s and makes an account there. When s is to be timed it is
// started anew over the database that has the account.
func (b *bench) bringUp(ctx context.Context, s server) (*row, error) {
	b.progress("starting %s", s.label)
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	i := &instance{server: s, base: "http://" + addr}
	i.account = newAccount()
	r := &row{instance: i}
	if _, err := b.launch(ctx, i, addr); err != nil {
		return nil, err
	}
	if err := i.signUp(ctx, i.account); err != nil || !s.startup {
		return r, err
	}
	for range coldStarts {
		took, err := b.relaunch(ctx, i, addr)
		if err != nil {
			return nil, err
		}
		r.starts = append(r.starts, took)
	}
	// The last of these runs has seen nothing but the polling.
	if _, err := i.logIn(ctx, i.account); err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(idle):
	}
	r.residentMiB, err = i.memory("VmRSS")
	return r, err
}

// launch starts i and says how long it took from exec to the first right answer.
func (b *bench) launch(ctx context.Context, i *instance, addr string) (time.Duration, error) {
	arg, env := i.listen(addr)
	begin := time.Now()
	cores := strconv.Itoa(b.serverCore)
	if i.spread {
		cores += "," + strconv.Itoa(b.loadCore)
	}
	p, err := b.startOn(ctx, cores, i.server.name, append(i.argv[:len(i.argv):len(i.argv)], arg...), append(i.env[:len(i.env):len(i.env)], env...))
	if err != nil {
		return 0, err
	}
	i.process = p
	if err := i.waitReady(ctx); err != nil {
		return 0, err
	}
	return time.Since(begin), nil
}

func (b *bench) relaunch(ctx context.Context, i *instance, addr string) (time.Duration, error) {
	if err := i.stop(); err != nil {
		return 0, err
	}
	return b.launch(ctx, i, addr)
}
