// Command bench puts Countersign, the Express app that it replaces and plain Go
// servers under the same load in one run, and prints what it saw as Markdown.
// Run it from its own folder; see README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// errMissed is a finished run whose figures are not good enough (-check).
var errMissed = errors.New("a target was missed")

func main() {
	// Children have process groups of their own, so ^C reaches only us; ending
	// the context ends them.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := start(ctx)
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

func start(ctx context.Context) error {
	if len(os.Args) == 2 {
		if job, ok := jobs[os.Args[1]]; ok {
			return job(ctx, os.Stdin, os.Stdout)
		}
	}
	return run(ctx, os.Args[1:], os.Stdout, os.Stderr)
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
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()

	if err := b.build(ctx); err != nil {
		return err
	}
	if err := pinSelf(ctx, o.loadCore); err != nil {
		return err
	}
	met := true
	for _, scenario := range o.scenarios {
		section, err := b.scenario(ctx, scenario)
		if err != nil {
			return fmt.Errorf("%s: %w", scenario.name, err)
		}
		if err := section.write(stdout); err != nil {
			return err
		}
		met = met && section.allMet()
	}
	if o.check && !met {
		return errMissed
	}
	return nil
}
