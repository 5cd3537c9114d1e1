package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// readPassword asks twice on a terminal, and else reads one line. It never comes from the command line, which every
// user of the machine can read.
func readPassword(cmd *cobra.Command) (string, error) {
	in, ok := cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		pw, err := readLine(cmd.InOrStdin())
		if err == nil && pw == "" {
			err = errors.New("no password came on stdin")
		}
		return pw, err
	}
	terminal, err := term.GetState(int(in.Fd()))
	if err != nil {
		return "", err
	}
	defer exitOnInterrupt(cmd, func() { _ = term.Restore(int(in.Fd()), terminal) })()
	ask := func(prompt string) (string, error) {
		fmt.Fprint(cmd.ErrOrStderr(), prompt)
		b, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(cmd.ErrOrStderr())
		return string(b), err
	}
	first, err := ask("Password: ")
	if err != nil {
		return "", err
	}
	second, err := ask("Again: ")
	if err == nil && first != second {
		err = errors.New("the two passwords differ")
	}
	return first, err
}

// exitOnInterrupt ends the process at ^C while a prompt waits for a line, which no context can interrupt. The terminal
// is put right first, for its echo may be off.
func exitOnInterrupt(cmd *cobra.Command, restore func()) (stop func() bool) {
	return context.AfterFunc(cmd.Context(), func() {
		restore()
		os.Exit(exitInterrupted)
	})
}

// readLine returns the first line of r without its end. A line that is longer than any request may be is refused.
func readLine(r io.Reader) (string, error) {
	const longest = 64 << 10
	line, err := bufio.NewReader(io.LimitReader(r, longest+1)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if len(line) > longest {
		return "", errors.New("the line on stdin is too long")
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}
