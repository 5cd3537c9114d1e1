package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// node is a server in a process of its own.
type node struct{ url string }

// nodes starts servers on one database, which end with the test.
func nodes(t *testing.T, n int, settings ...string) []node {
	t.Helper()
	environ := append(os.Environ(), "COUNTERSIGN_DATA="+t.TempDir(), "COUNTERSIGN_LISTEN=127.0.0.1:0", "COUNTERSIGN_PASSWORD_BCRYPT_COST=4",
		"COUNTERSIGN_ISSUER=http://auth.test", "COUNTERSIGN_ACCESS_LOG=off")
	all := make([]node, n)
	for i := range all {
		all[i] = startNode(t, append(environ, settings...))
	}
	return all
}

func startNode(t *testing.T, environ []string) node {
	t.Helper()
	cmd := exec.Command("countersign", "serve") // which is this test, by the name that TestMain gave it
	cmd.Env = environ
	var log strings.Builder
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server ended badly: %v\n%s", err, log.String())
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, addr, ok := strings.Cut(lines.Text(), " listens on "); ok {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return node{addr}
		}
	}
	t.Fatalf("the server does not say where it listens: %v\n%s", lines.Err(), log.String())
	return node{}
}

// answer is what a node says.
type answer struct {
	Status  int
	Code    string
	Token   string
	Refresh string `json:"refresh_token"`
}

var nodeClient = &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

// post sends a form, with a bearer token if there is one.
func (n node) post(path, bearer string, pairs ...string) (a answer, err error) {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return n.send(http.MethodPost, path, bearer, form.Encode())
}

func (n node) send(method, path, bearer, form string) (a answer, err error) {
	req, err := http.NewRequest(method, n.url+path, strings.NewReader(form))
	if err != nil {
		return a, err
	}
	if form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := nodeClient.Do(req)
	if err != nil {
		return a, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return a, err
	}
	if len(body) > 0 {
		err = json.Unmarshal(body, &a)
	}
	a.Status = res.StatusCode
	return a, err
}

// logIn signs a user up and in.
func (n node) logIn(t *testing.T, email string) answer {
	t.Helper()
	const pw = "correct horse battery"
	if a, err := n.post("/signup", "", "email", email, "password", pw); err != nil || a.Status != http.StatusOK {
		t.Fatal(a, err)
	}
	a, err := n.post("/login", "", "email", email, "password", pw)
	if err != nil || a.Status != http.StatusOK {
		t.Fatal(a, err)
	}
	return a
}

func TestOneSuccessorFromTwoProcesses(t *testing.T) {
	t.Parallel()
	rounds := 1000
	if raceEnabled || testing.Short() {
		rounds = 50
	}
	const parallel = 50
	all := nodes(t, 2)
	token := all[0].logIn(t, "mike@example.com").Refresh
	for round := range rounds {
		successors := make([]string, parallel)
		var wg sync.WaitGroup
		for i := range successors {
			wg.Go(func() {
				a, err := all[i%len(all)].post("/token/refresh", "", "refresh_token", token)
				if err != nil || a.Status != http.StatusOK {
					successors[i] = fmt.Sprint(a, err)
					return
				}
				successors[i] = a.Refresh
			})
		}
		wg.Wait()
		for _, s := range successors {
			if s == "" || s == token || s != successors[0] || !strings.HasPrefix(s, "csr_") {
				t.Fatalf("round %d: %d answers are not one successor:\n%s", round, parallel, strings.Join(successors, "\n"))
			}
		}
		token = successors[0]
	}
}

func TestLogoutIsSeenByTheOtherNode(t *testing.T) {
	t.Parallel()
	all := nodes(t, 2)
	for i, scope := range []string{"this", "all", "this", "all"} {
		here, there := all[i%2], all[(i+1)%2]
		a := here.logIn(t, fmt.Sprintf("mike%d@example.com", i))
		if got, err := there.send(http.MethodGet, "/user/profile", a.Token, ""); err != nil || got.Status != http.StatusOK {
			t.Fatal(got, err)
		}
		if got, err := here.post("/logout", a.Token, "scope", scope); err != nil || got.Status != http.StatusNoContent {
			t.Fatal(got, err)
		}
		ended := time.Now()
		if got, err := here.send(http.MethodGet, "/user/profile", a.Token, ""); err != nil || got.Status != http.StatusUnauthorized {
			t.Errorf("the node itself: %v %v", got, err)
		}
		for {
			asked := time.Since(ended)
			got, err := there.send(http.MethodGet, "/user/profile", a.Token, "")
			if err != nil {
				t.Fatal(err)
			}
			if got.Status == http.StatusUnauthorized {
				break
			}
			if asked > time.Second {
				t.Fatalf("%s: the other node still takes the token after %v", scope, asked)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}
