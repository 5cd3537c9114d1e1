package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// httpCommand is `http STATUS METHOD PATH [BODY] [HEADER…]`: it sends a request to $ADDR, waits for the server to come up
// if need be, and leaves the answer's body in $ANSWER and in the file answer.
func httpCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: http STATUS METHOD PATH [BODY] [HEADER...]")
	}
	body, headers := "", args[min(4, len(args)):]
	if len(args) > 3 {
		body = args[3]
	}
	var last error
	for range 100 {
		req, err := http.NewRequest(args[1], "http://"+ts.Getenv("ADDR")+args[2], strings.NewReader(body))
		ts.Check(err)
		if body != "" {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			req.Header.Set(name, value)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			last = err
			time.Sleep(50 * time.Millisecond)
			continue
		}
		data, err := io.ReadAll(res.Body)
		ts.Check(err)
		ts.Check(res.Body.Close())
		ts.Check(os.WriteFile(ts.MkAbs("answer"), data, 0o600))
		if fmt.Sprint(res.StatusCode) != args[0] {
			ts.Fatalf("status %d, want %s: %s", res.StatusCode, args[0], data)
		}
		return
	}
	ts.Fatalf("no answer: %v", last)
}

// captureCommand is `capture VARIABLE FILE MEMBER`: it puts a string member of a JSON file into a variable. With
// MEMBER "-" it is the first line of the file.
func captureCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: capture VARIABLE FILE MEMBER")
	}
	text := ts.ReadFile(args[1])
	if args[2] == "-" {
		first, _, _ := strings.Cut(text, "\n")
		ts.Setenv(args[0], first)
		return
	}
	_, rest, ok := strings.Cut(text, `"`+args[2]+`":`)
	value, _, ended := strings.Cut(strings.TrimLeft(rest, ` "`), `"`)
	if !ok || !ended {
		ts.Fatalf("no %s in %s", args[2], text)
	}
	ts.Setenv(args[0], value)
}

// statusCommand is `status CODE ARGUMENT…`: it runs the command, which must exit with that status.
func statusCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status CODE ARGUMENT...")
	}
	err := ts.Exec("countersign", args[1:]...)
	code := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit status %d, want %s", code, args[0])
	}
}

// modeCommand is `mode OCTAL FILE`: the file must have that mode.
func modeCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode OCTAL FILE")
	}
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("mode %s, want %s", got, args[0])
	}
}
