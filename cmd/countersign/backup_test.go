package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestBackupHasEveryoneAcknowledged takes a backup while people sign up at two servers, restores it elsewhere, and has those log in
// there whose sign-up was answered before the backup began.
func TestBackupHasEveryoneAcknowledged(t *testing.T) {
	t.Parallel()
	const password = "correct-horse"
	c := nodes(t, 2, "COUNTERSIGN_LIMITS_INSECURE_DISABLED=true")
	var mu sync.Mutex
	var acknowledged []string
	known := func() []string {
		mu.Lock()
		defer mu.Unlock()
		return acknowledged[:len(acknowledged):len(acknowledged)]
	}
	var stop atomic.Bool
	var people sync.WaitGroup
	for p := range 8 {
		people.Go(func() {
			for n := 0; !stop.Load(); n++ {
				email := fmt.Sprintf("p%d-%d@example.com", p, n)
				a, err := c.nodes[p%2].post("/signup", "", "email", email, "password", password)
				if err != nil || a.Status != http.StatusOK {
					t.Errorf("%s: %+v (%v)", email, a, err)
					return
				}
				mu.Lock()
				acknowledged = append(acknowledged, email)
				mu.Unlock()
			}
		})
	}
	for len(known()) < 50 && !t.Failed() {
		time.Sleep(time.Millisecond)
	}
	before := known()
	file := filepath.Join(t.TempDir(), "backup")
	c.countersign(t, "backup", file)
	stop.Store(true)
	people.Wait()
	c.stop(t)
	t.Logf("%d had signed up before the backup, %d in the end", len(before), len(known()))

	elsewhere := t.TempDir()
	key, err := os.ReadFile(filepath.Join(c.data, "master.key"))
	if err == nil {
		err = os.WriteFile(filepath.Join(elsewhere, "master.key"), key, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	there := cluster{environ: append(c.environ[:len(c.environ):len(c.environ)], "COUNTERSIGN_DATA="+elsewhere)}
	there.countersign(t, "restore", file)
	restored := startNode(t, there.environ)
	for _, email := range before {
		if a, err := restored.post("/login", "", "email", email, "password", password); err != nil || a.Status != http.StatusOK {
			t.Errorf("%s: %+v (%v)", email, a, err)
		}
	}
}
