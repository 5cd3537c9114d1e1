package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/jwt/jwk"
	"github.com/countersign-auth/countersign/passport/bearer"
	"github.com/countersign-auth/countersign/problem"
)

// node is a server in a process of its own.
type node struct {
	url  string
	stop func() error
}

// cluster is servers on one database.
type cluster struct {
	nodes   []node
	environ []string
	data    string
}

// nodes starts servers on one database, which end with the test.
func nodes(t *testing.T, n int, settings ...string) cluster {
	t.Helper()
	c := cluster{data: t.TempDir()}
	c.environ = append(os.Environ(), "COUNTERSIGN_DATA="+c.data, "COUNTERSIGN_LISTEN=127.0.0.1:0", "COUNTERSIGN_PASSWORD_BCRYPT_COST=4",
		"COUNTERSIGN_ISSUER="+testIssuer, "COUNTERSIGN_ACCESS_LOG=off")
	c.environ = append(c.environ, settings...)
	for range n {
		c.nodes = append(c.nodes, startNode(t, c.environ))
	}
	return c
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
	stop := sync.OnceValue(func() error {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("the server ended badly: %w\n%s", err, log.String())
		}
		return nil
	})
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, addr, ok := strings.Cut(lines.Text(), " listens on "); ok {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return node{addr, stop}
		}
	}
	t.Fatalf("the server does not say where it listens: %v\n%s", lines.Err(), log.String())
	return node{}
}

// stop ends the servers.
func (c cluster) stop(t *testing.T) {
	t.Helper()
	for _, n := range c.nodes {
		if err := n.stop(); err != nil {
			t.Error(err)
		}
	}
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

const nodePassword = "correct horse battery"

// logIn signs a user up and in.
func (n node) logIn(t *testing.T, email string) answer {
	t.Helper()
	if a, err := n.post("/signup", "", "email", email, "password", nodePassword); err != nil || a.Status != http.StatusOK {
		t.Fatal(a, err)
	}
	a, err := n.post("/login", "", "email", email, "password", nodePassword)
	if err != nil || a.Status != http.StatusOK {
		t.Fatal(a, err)
	}
	return a
}

func TestOneSuccessorFromTwoProcesses(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, oneSuccessor)
}

func oneSuccessor(t *testing.T, on database) {
	rounds := 1000
	if raceEnabled || testing.Short() || on.slow {
		rounds = 50
	}
	const parallel = 50
	all := nodes(t, 2, on.settings...).nodes
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
	onEachDatabase(t, logoutIsSeen)
}

func logoutIsSeen(t *testing.T, on database) {
	all := nodes(t, 2, on.settings...).nodes
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

// countersign runs a command on the nodes' database and returns what it prints.
func (c cluster) countersign(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("countersign", args...)
	cmd.Env = c.environ
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("countersign %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestLogoutIsSeenByAVerifierOnTheFeed(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string][]string{
		"ES256":         nil,
		"shared secret": {"COUNTERSIGN_JWT_SECRET=" + sharedSecret},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := nodes(t, 1, settings...)
			verifier, feedKeys := verifierOf(t, all.nodes[0], settings != nil)
			feed, err := bearer.NewFeed(all.nodes[0].url+"/.well-known/countersign/revocations", feedKeys, bearer.FeedConfig{Issuer: testIssuer})
			if err != nil {
				t.Fatal(err)
			}
			go feed.Run(t.Context())
			strategy, err := bearer.NewStrategy(verifier, func(_ context.Context, tok *jwt.Token) (string, bool, error) {
				return tok.Subject, true, nil
			}, bearer.Options{Revocations: feed})
			if err != nil {
				t.Fatal(err)
			}
			status := func(token string) int {
				r := httptest.NewRequest(http.MethodGet, "/orders", nil)
				r.Header.Set("Authorization", "Bearer "+token)
				outcome, err := strategy.Authenticate(r)
				if p := problem.From(err); err != nil {
					return p.Status
				}
				if f, failed := outcome.Failure(); failed {
					return f.Problem.Status
				}
				return http.StatusOK
			}
			a, other := all.nodes[0].logIn(t, "mike@example.com"), all.nodes[0].logIn(t, "jane@example.com")
			for deadline := time.Now().Add(10 * time.Second); status(a.Token) != http.StatusOK; { // the first document
				if time.Now().After(deadline) {
					t.Fatalf("the service does not take a good token: %d %s", status(a.Token), feed)
				}
				time.Sleep(10 * time.Millisecond)
			}
			if got, err := all.nodes[0].post("/logout", a.Token); err != nil || got.Status != http.StatusNoContent {
				t.Fatal(got, err)
			}
			for ended := time.Now(); ; time.Sleep(10 * time.Millisecond) {
				asked := time.Since(ended)
				if status(a.Token) == http.StatusUnauthorized {
					break
				}
				if asked > time.Second {
					t.Fatalf("the service takes the token %v after the logout: %s", asked, feed)
				}
			}
			if got := status(other.Token); got != http.StatusOK {
				t.Errorf("another session: %d", got)
			}
		})
	}
}

const (
	testIssuer   = "http://auth.test"
	sharedSecret = "0123456789abcdef0123456789abcdef"
)

// verifierOf returns what a service verifies the node's tokens with, and the keys of its feed.
func verifierOf(t *testing.T, n node, shared bool) (*jwt.Verifier, jwt.KeySet) {
	t.Helper()
	expect := jwt.Expect{Issuer: testIssuer, Audience: testIssuer, Type: []string{"at+jwt"}}
	var keys, feedKeys jwt.KeySet
	if shared {
		key, err := jwt.NewSecretKey(jwt.HS256, []byte(sharedSecret), jwt.KeyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		expect.Type, keys = []string{"JWT"}, jwt.StaticKeys{key}
		if feedKeys, err = bearer.FeedKeys([]byte(sharedSecret)); err != nil {
			t.Fatal(err)
		}
	} else {
		res, err := nodeClient.Get(n.url + "/.well-known/jwks.json")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		set, err := jwk.ParseSet(body, jwk.Options{})
		if err != nil {
			t.Fatal(err)
		}
		keys, feedKeys = set, set
	}
	verifier, err := jwt.NewVerifier(keys, expect)
	if err != nil {
		t.Fatal(err)
	}
	return verifier, feedKeys
}

func TestNoValidTokenIsRefusedWhileKeysRotate(t *testing.T) {
	t.Parallel()
	onEachDatabase(t, keysRotate)
}

func keysRotate(t *testing.T, on database) {
	rotations := 20
	if testing.Short() {
		rotations = 3
	}
	all := nodes(t, 2, on.settings...)
	start := all.nodes[0].logIn(t, "mike@example.com")
	var done atomic.Bool
	var asked atomic.Int64
	var load sync.WaitGroup
	for i := range 4 {
		a := start
		if i > 0 {
			got, err := all.nodes[0].post("/login", "", "email", "mike@example.com", "password", nodePassword)
			if err != nil || got.Status != http.StatusOK {
				t.Fatal(got, err)
			}
			a = got
		}
		load.Go(func() {
			for n := i; !done.Load(); n++ { // each token is made by one node and read by both
				here, there := all.nodes[n%2], all.nodes[(n+1)%2]
				next, err := here.post("/token/refresh", "", "refresh_token", a.Refresh)
				if err != nil || next.Status != http.StatusOK {
					t.Errorf("refresh: %v %v", next, err)
					return
				}
				for _, token := range []string{next.Token, start.Token, a.Token} {
					for _, reader := range []node{there, here} {
						if got, err := reader.send(http.MethodGet, "/user/profile", token, ""); err != nil || got.Status != http.StatusOK {
							t.Errorf("a valid token: %v %v", got, err)
							return
						}
						asked.Add(1)
					}
				}
				a = next
			}
		})
	}
	for n := range rotations {
		args := []string{"key", "rotate", "--now"}
		if n%4 == 3 {
			args = args[:2] // published now, and signs much later
		}
		all.countersign(t, args...)
	}
	done.Store(true)
	load.Wait()
	t.Logf("%d tokens were read during %d rotations", asked.Load(), rotations)
	if list := all.countersign(t, "key", "list"); strings.Count(list, "verifies") < rotations/2 {
		t.Errorf("the keys did not rotate:\n%s", list)
	}
}
