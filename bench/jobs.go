package main

import (
	"context"
	"io"
	"os"
)

// The jobs that this program starts itself for, each in a process of its own.
// Their names stand in place of the arguments.
const (
	jobLoad  = "run-load"
	jobFlood = "run-flood"
	jobProbe = "run-probe"
	jobSpin  = "run-spin"
)

var jobs = map[string]func(context.Context, io.Reader, io.Writer) error{
	jobLoad:  runLoad,
	jobFlood: runFlood,
	jobProbe: runProbe,
	jobSpin:  runSpin,
}

// jobArgv is what starts job.
func jobArgv(job string) ([]string, error) {
	self, err := os.Executable()
	return []string{self, job}, err
}

// runSpin keeps a core busy until it is ended: the neighbour of -neighbour.
func runSpin(ctx context.Context, _ io.Reader, _ io.Writer) error {
	for ctx.Err() == nil {
		for range 1 << 20 {
		}
	}
	return nil
}
