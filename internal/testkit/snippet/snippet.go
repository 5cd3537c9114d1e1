// Package snippet runs the programs that stand in the pages of docs/, so that a page cannot say what does not work.
//
// A program is a fenced block whose first line names its language and its file: "```js orders.mjs". It is run as it
// stands, but for the addresses that a [Scene] puts in place of those in the page.
package snippet

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/internal/testkit/need"
)

// The addresses that stand in the pages.
const (
	pageIssuer = "https://auth.example.com"
	pagePort   = "4000"
)

// Scene is where a program of a page runs.
type Scene struct {
	// Issuer is the real server, which stands in the place of https://auth.example.com.
	Issuer string
	// Environ are variables of the program's environment, each as name=value.
	Environ []string
}

// API is a program that answers HTTP, in a process of its own. It ends with the test.
type API struct {
	// URL is its address, without a path.
	URL string
}

// Text returns the block of that file name in a page of docs/.
func Text(t testing.TB, page, file string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root(), "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?ms)^```[a-z]+ " + regexp.QuoteMeta(file) + "\n(.*?)^```$")
	found := block.FindAllSubmatch(content, -1)
	if len(found) != 1 {
		t.Fatalf("docs/%s has %d blocks of the name %s, want one", page, len(found), file)
	}
	return string(found[0][1])
}

// Run starts a program in JavaScript (.mjs), Python (.py) or Go (.go) and waits until it listens. Without what it needs, the test
// is skipped by name.
func Run(t testing.TB, file, text string, s Scene) *API {
	t.Helper()
	port := freePort(t)
	text = strings.NewReplacer(pageIssuer, s.Issuer, pagePort, port).Replace(text)
	dir := t.TempDir()
	path := filepath.Join(dir, file)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(command(t, path), path)
	if filepath.Ext(file) == ".go" {
		cmd.Args = cmd.Args[:1]
	}
	cmd.Dir, cmd.Env = dir, append(os.Environ(), s.Environ...)
	var said testkit.Log
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // killed, as a rule
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended already
		<-ended
		if t.Failed() {
			t.Logf("%s said:\n%s", file, said.String())
		}
	})
	awaitPort(t, port, ended)
	return &API{URL: "http://127.0.0.1:" + port}
}

// command returns what runs the program at path: its own binary, for Go.
func command(t testing.TB, path string) string {
	t.Helper()
	switch filepath.Ext(path) {
	case ".mjs":
		packages := filepath.Join(need.Node(t), "node_modules")
		if err := os.Symlink(packages, filepath.Join(filepath.Dir(path), "node_modules")); err != nil {
			t.Fatal(err)
		}
		return "node"
	case ".py":
		return need.Python(t)
	case ".go":
		binary := strings.TrimSuffix(path, ".go")
		build := exec.Command("go", "build", "-o", binary, path)
		build.Dir, build.Env = root(), append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return binary
	}
	t.Fatalf("nothing here runs %s", path)
	return ""
}

// root returns the folder of the module.
func root() string {
	_, here, _, _ := runtime.Caller(0)
	dir, err := filepath.Abs(filepath.Join(filepath.Dir(here), "..", "..", ".."))
	if err != nil {
		panic(err) // the working directory is gone
	}
	return dir
}

// freePort returns a port below those that the kernel gives to others' connections, so that it is still free when the program
// takes it.
func freePort(t testing.TB) string {
	t.Helper()
	for range 100 {
		port := fmt.Sprint(20_000 + rand.IntN(10_000))
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("there is no free port")
	return ""
}

// awaitPort waits until something listens.
func awaitPort(t testing.TB, port string, ended <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-ended:
			t.Fatal("the program ended before it listened")
		case <-ctx.Done():
			t.Fatal("the program does not listen after a minute")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Answer is what an API said.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

var client = &http.Client{Timeout: 30 * time.Second}

// Get asks for a path with these headers, each as name: value.
func (a *API) Get(t testing.TB, path string, headers ...string) Answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Add(name, value)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return Answer{Status: res.StatusCode, Header: res.Header, Body: string(body)}
}

// ByHeader asks for a path with a token in the header.
func (a *API) ByHeader(t testing.TB, path, token string) Answer {
	t.Helper()
	return a.Get(t, path, "Authorization: Bearer "+token)
}

// ByQuery asks for a path with a token in the query parameter of the founding application.
func (a *API) ByQuery(t testing.TB, path, token string) Answer {
	t.Helper()
	return a.Get(t, path+"?secret_token="+url.QueryEscape(token))
}
