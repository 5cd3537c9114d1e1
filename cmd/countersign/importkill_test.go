package main

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAKilledImportGoesOn kills an import that waits for the rest of its dump, and begins it again.
func TestAKilledImportGoesOn(t *testing.T) {
	t.Parallel()
	var dump bytes.Buffer
	const users = 1700
	for i := range users {
		fmt.Fprintf(&dump, `{"id":"u%d","email":"user%d@example.com","hash":null}`+"\n", i, i)
	}
	data := filepath.Join(t.TempDir(), "data")
	command := func(args ...string) *exec.Cmd {
		return exec.Command("countersign", append(args, "--data", data)...) // which is this test, by the name that TestMain gave it
	}
	first := command("import", "jsonl")
	in, err := first.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(in, bytes.NewReader(dump.Bytes()[:dump.Len()*2/3])); err != nil {
		t.Fatal(err)
	}
	listed := func() int {
		out, err := command("user", "list").Output()
		if err != nil {
			return 0 // it is not there yet
		}
		return bytes.Count(out, []byte("\n")) - 1
	}
	for listed() < 500 {
		if t.Context().Err() != nil {
			t.Fatal("the import writes nothing")
		}
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait() // which says that it was killed
	there := listed()
	second := command("import", "jsonl")
	second.Stdin = &dump
	out, err := second.CombinedOutput()
	if err != nil || !strings.Contains(string(out), thousands(users-there)+" imported\n") || !strings.Contains(string(out), " were there already\n") {
		t.Errorf("%d were there: %v\n%s", there, err, out)
	}
	if n := listed(); n != users || there == users {
		t.Errorf("%d users, %d of them of the first run", n, there)
	}
}
