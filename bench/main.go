// Command bench puts Countersign, the Express app that it replaces and two
// plain Go handlers under the same load in one run, and prints what it saw as
// Markdown. Run it from its own folder; see README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

type options struct {
	rounds      int
	duration    time.Duration
	warmup      time.Duration
	connections int
	serverCore  int
	loadCore    int
	maxProcs    int
	only        []string // groups of servers; empty means all
	check       bool
}

func (o options) wants(group string) bool {
	return len(o.only) == 0 || slices.Contains(o.only, group)
}

// errMissed is a finished run whose figures are not good enough (-check).
var errMissed = errors.New("a target was missed")

func main() {
	// Children have process groups of their own, so ^C reaches only us; ending
	// the context ends them.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	var only string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.rounds, "rounds", 3, "rounds over all servers; the median is shown")
	flags.DurationVar(&o.duration, "duration", 5*time.Second, "load on each server in a round, in whole seconds")
	flags.DurationVar(&o.warmup, "warmup", 2*time.Second, "load on each server before the first round, not counted; 0 for none")
	flags.IntVar(&o.connections, "connections", 32, "connections that wrk keeps open")
	flags.IntVar(&o.serverCore, "server-core", 0, "core of the servers")
	flags.IntVar(&o.loadCore, "load-core", 1, "core of wrk and of this program")
	flags.IntVar(&o.maxProcs, "gomaxprocs", 1, "GOMAXPROCS of the Go servers")
	flags.StringVar(&only, "only", "", "comma-separated `groups` to run of "+strings.Join(groups, ", ")+" (default all)")
	flags.BoolVar(&o.check, "check", false, "exit with 1 when a target is missed")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if only != "" {
		o.only = strings.Split(only, ",")
	}
	return o, o.validate()
}

func (o options) validate() error {
	var errs []error
	if o.rounds < 1 || o.connections < 1 || o.maxProcs < 1 {
		errs = append(errs, errors.New("-rounds, -connections and -gomaxprocs must be at least 1"))
	}
	// wrk takes no fractions.
	if o.duration < time.Second || o.duration%time.Second != 0 {
		errs = append(errs, errors.New("-duration must be whole seconds, at least 1s"))
	}
	if o.warmup < 0 || o.warmup%time.Second != 0 {
		errs = append(errs, errors.New("-warmup must be whole seconds"))
	}
	if o.serverCore == o.loadCore {
		errs = append(errs, errors.New("-server-core and -load-core must differ"))
	}
	for _, group := range o.only {
		if !slices.Contains(groups, group) {
			errs = append(errs, fmt.Errorf("-only %q: want some of %s", group, strings.Join(groups, ", ")))
		}
	}
	if o.check && !(o.wants(groupCountersign) && o.wants(groupExpress)) {
		errs = append(errs, errors.New("-check needs countersign and express in the run"))
	}
	return errors.Join(errs...)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if err := requireTools(o); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "countersign-bench-")
	if err != nil {
		return err
	}
	b := &bench{options: o, tmp: tmp, log: stderr}
	// The servers write into tmp: they end before it goes.
	defer func() { err = errors.Join(err, b.stopAll(), os.RemoveAll(tmp)) }()

	if err := b.build(ctx); err != nil {
		return err
	}
	if err := pinSelf(ctx, o.loadCore); err != nil {
		return err
	}
	servers, err := b.servers(ctx)
	if err != nil {
		return err
	}
	rows := make([]*row, len(servers))
	for i, s := range servers {
		if rows[i], err = b.bringUp(ctx, s); err != nil {
			return err
		}
	}
	if err := b.load(ctx, profileScenario, rows); err != nil {
		return err
	}
	r := newReport(o, profileScenario, rows)
	if err := r.write(stdout); err != nil {
		return err
	}
	if o.check && !r.allMet() {
		return errMissed
	}
	return nil
}
