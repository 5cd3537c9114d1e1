//go:build unix

package pgtest

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/countersign-auth/countersign/internal/testkit/need"
)

func TestDatabasesAreFresh(t *testing.T) {
	t.Parallel()
	first, second := Database(t), Database(t)
	if err := run(t.Context(), first, "CREATE TABLE x (y INT)"); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), second, "CREATE TABLE x (y INT)"); err != nil {
		t.Error(err)
	}
}

func TestServerStopsAndStarts(t *testing.T) {
	t.Parallel()
	s := Start(t, "fsync=on", "max_connections=17")
	for _, mode := range []string{"fast", "immediate"} {
		s.Stop(t, mode)
		if err := run(t.Context(), s.URL, "SELECT 1"); err == nil {
			t.Fatal("a stopped server answers")
		}
		s.Again(t)
	}
	conn, err := pgx.Connect(t.Context(), s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var most string
	if err := conn.QueryRow(t.Context(), "SHOW max_connections").Scan(&most); err != nil || most != "17" {
		t.Errorf("max_connections is %s (%v)", most, err)
	}
}

// TestServerEndsWithTheProcess kills a process that runs a server.
func TestServerEndsWithTheProcess(t *testing.T) {
	t.Parallel()
	if os.Getenv("RUN_A_SERVER") != "" {
		s := Start(t)
		if _, err := os.Stdout.WriteString("server " + s.URL + " " + s.dir + "\n"); err != nil {
			t.Fatal(err)
		}
		select {}
	}
	need.Postgres(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestServerEndsWithTheProcess$")
	cmd.Env = append(os.Environ(), "RUN_A_SERVER=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var words []string
	for lines := bufio.NewScanner(out); len(words) != 3 && lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "server ") {
			words = strings.Fields(lines.Text())
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // which says that it was killed
	if len(words) != 3 {
		t.Fatal("the process has run no server")
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		_, gone := os.Stat(words[2])
		if err := run(t.Context(), words[1], "SELECT 1"); err != nil && os.IsNotExist(gone) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server or its folder %s is still there", words[2])
		}
	}
}
