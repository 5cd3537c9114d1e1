// Command countersign is an authentication server, and the tool that administers it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, world{args: os.Args[1:], env: os.Environ(), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}))
}

// world is what the command has from outside.
type world struct {
	args           []string
	env            []string
	stdin          io.Reader
	stdout, stderr io.Writer
}

// The exit codes. A refusal is an answer, such as that of `token verify` on a bad token. What is incomplete was done but for
// what the command has told of, such as the users that an import skipped.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitIncomplete  = 3
	exitInterrupted = 130
)

func run(ctx context.Context, w world) int {
	root := rootCommand(&w)
	root.SetArgs(w.args)
	root.SetIn(w.stdin)
	root.SetOut(w.stdout)
	root.SetErr(w.stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(w.stderr, "countersign:", text)
	}
	var incomplete incompleteError
	switch {
	case isUsage(err):
		return exitUsage
	case errors.As(err, &incomplete):
		return exitIncomplete
	}
	return exitFailure
}
