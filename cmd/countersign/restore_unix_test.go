//go:build unix

package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestRestoreWhileAServerStarts has a server start between the look at what is there and the end of a restore: whose backup comes
// through a pipe, which keeps it waiting.
func TestRestoreWhileAServerStarts(t *testing.T) {
	t.Parallel()
	from := nodes(t, 1)
	from.nodes[0].logIn(t, "before@example.com")
	backup, pipe := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "pipe")
	from.countersign(t, "backup", backup)
	whole, err := os.ReadFile(backup)
	if err = errors.Join(err, syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}

	c := nodes(t, 0)
	cmd := exec.Command("countersign", "restore", pipe)
	cmd.Env = c.environ
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	feed, err := os.OpenFile(pipe, os.O_WRONLY, 0) // waits until it is read
	if err != nil {
		t.Fatal(err)
	}
	server := startNode(t, c.environ)
	server.logIn(t, "early@example.com")
	_, err = feed.Write(whole)
	if err = errors.Join(err, feed.Close()); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(log.String(), "there is a database at") {
		t.Errorf("%v\n%s", err, &log)
	}
	server.logIn(t, "late@example.com")
	if err := server.stop(); err != nil {
		t.Error(err)
	}
	users := c.countersign(t, "user", "list")
	for _, email := range []string{"early@example.com", "late@example.com"} {
		if !strings.Contains(users, email) {
			t.Errorf("%s is lost: %s", email, users)
		}
	}
}

// TestRestoreUnderAServerOnADamagedDatabase damages the database that a server has open, so that nobody could open it any more: it is
// replaced when that server has ended.
func TestRestoreUnderAServerOnADamagedDatabase(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		at     int64
		length int
	}{{"schema", 100, 3000}, {"header", 0, 100}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := nodes(t, 1)
			c.nodes[0].logIn(t, "before@example.com")
			backup := filepath.Join(t.TempDir(), "backup")
			c.countersign(t, "backup", backup)
			noise := make([]byte, tt.length)
			_, _ = rand.Read(noise) // never fails
			f, err := os.OpenFile(filepath.Join(c.data, "countersign.db"), os.O_WRONLY, 0)
			if err == nil {
				_, err = f.WriteAt(noise, tt.at)
				err = errors.Join(err, f.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
			restore := func() (string, error) {
				cmd := exec.Command("countersign", "restore", "--force", backup)
				cmd.Env = c.environ
				out, err := cmd.CombinedOutput()
				return string(out), err
			}
			if out, err := restore(); err == nil || !strings.Contains(out, "has the database open") {
				t.Errorf("under a server: %v\n%s", err, out)
			}
			_ = c.nodes[0].stop() // what it says of the damage is its own affair
			if out, err := restore(); err != nil {
				t.Fatalf("without one: %v\n%s", err, out)
			}
			restored := startNode(t, c.environ)
			if a, err := restored.post("/login", "", "email", "before@example.com", "password", nodePassword); err != nil || a.Status != http.StatusOK {
				t.Errorf("%+v (%v)", a, err)
			}
		})
	}
}
