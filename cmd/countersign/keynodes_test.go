package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Two servers that start at once where nothing is end with one master key, and take each other's tokens.
func TestTwoFirstStarts(t *testing.T) {
	t.Parallel()
	for range 3 {
		data := filepath.Join(t.TempDir(), "data")
		environ := append(os.Environ(), "COUNTERSIGN_DATA="+data, "COUNTERSIGN_LISTEN=127.0.0.1:0", "COUNTERSIGN_PASSWORD_BCRYPT_COST=4", "COUNTERSIGN_ISSUER="+testIssuer)
		var both [2]node
		var starting sync.WaitGroup
		for i := range both {
			starting.Go(func() { both[i] = startNode(t, environ) })
		}
		starting.Wait()
		if t.Failed() {
			return
		}
		for i, n := range both {
			token := n.logIn(t, fmt.Sprintf("mike%d@example.com", i)).Token
			for _, other := range both {
				if got, err := other.send(http.MethodGet, "/user/profile", token, ""); err != nil || got.Status != http.StatusOK {
					t.Errorf("%v, %v", got, err)
				}
			}
		}
		keys, err := filepath.Glob(filepath.Join(data, "*.key"))
		if err != nil || len(keys) != 1 {
			t.Errorf("%v, %v", keys, err)
		}
	}
}

// Twenty rotations at once by a command, while two servers mint and verify: no token is refused.
func TestRotateUnderLoadAcrossProcesses(t *testing.T) {
	t.Parallel()
	c := nodes(t, 2, "COUNTERSIGN_LIMITS_INSECURE_DISABLED=true")
	any := func() node { return c.nodes[rand.IntN(len(c.nodes))] }
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var checked atomic.Int64
	var load sync.WaitGroup
	for i := range 4 {
		last := any().logIn(t, fmt.Sprintf("mike%d@example.com", i))
		load.Go(func() {
			kept := []string{last.Token}
			for ctx.Err() == nil {
				next, err := any().post("/token/refresh", "", "refresh_token", last.Refresh)
				if err != nil || next.Status != http.StatusOK {
					t.Errorf("refresh: %v, %v", next, err)
					return
				}
				last, kept = next, append(kept, next.Token)
				for _, token := range []string{next.Token, kept[rand.IntN(len(kept))]} {
					if got, err := any().send(http.MethodGet, "/user/profile", token, ""); err != nil || got.Status != http.StatusOK {
						t.Errorf("a good token is refused: %v, %v", got, err)
					}
					checked.Add(1)
				}
			}
		})
	}
	for range 20 {
		if out := c.countersign(t, "key", "rotate", "--now"); !strings.Contains(out, "signs from now on") {
			t.Error(out)
		}
	}
	cancel()
	load.Wait()
	if n := strings.Count(c.countersign(t, "key", "list"), "verifies until"); n != 20 {
		t.Errorf("%d keys verify", n)
	}
	t.Logf("%d tokens checked", checked.Load())
}
