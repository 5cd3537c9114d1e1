package js_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/testkit"
)

// gate stands in front of a real server. It counts what comes, does to it what networks and tired servers do, and serves pages of
// the server's own origin that use the client. The programs under test steer it by its routes below /gate/.
type gate struct {
	URL    string
	server *testkit.Server
	proxy  *httputil.ReverseProxy

	// sleep is received from once when a page has asked for /gate/sleep, and once more to give it the answer.
	sleep chan struct{}

	mu     sync.Mutex
	seen   []string // method, path and query, as they came
	faults map[string]*fault
}

// fault is what befalls requests for a path.
type fault struct {
	Times      int    // of how many requests
	Status     int    // is answered in the place of the server
	RetryAfter string // with the status
	Challenge  string // with the status
	Refuse     bool   // cuts the connection before the server hears of it
	Lose       bool   // cuts it when the server has answered
	Delay      int    // milliseconds by which the answer comes later
}

// openGate runs a server with these settings behind a gate.
func openGate(t *testing.T, settings ...string) *gate {
	t.Helper()
	return gateTo(t, testkit.Start(t, settings...))
}

func gateTo(t *testing.T, s *testkit.Server) *gate {
	t.Helper()
	target, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{server: s, sleep: make(chan struct{}), faults: map[string]*fault{}}
	g.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // by which the server knows its own origin
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/gate/{do}", g.control)
	mux.Handle("/client/", http.StripPrefix("/client/", http.FileServer(http.Dir("dist"))))
	mux.HandleFunc("/page", servePage)
	mux.HandleFunc("/echo", g.echo)
	mux.HandleFunc("/hop", g.hop)
	mux.HandleFunc("/", g.pass)
	front := httptest.NewServer(mux)
	t.Cleanup(front.Close)
	g.URL = front.URL
	t.Cleanup(func() {
		for _, line := range g.requests() {
			if strings.Contains(line, "csr_") || strings.Contains(line, "eyJ") {
				t.Errorf("a token came in a URL: %s", line)
			}
		}
	})
	return g
}

// pass is the way to the server.
func (g *gate) pass(w http.ResponseWriter, r *http.Request) {
	f := g.note(r)
	switch {
	case f.Refuse:
		panic(http.ErrAbortHandler)
	case f.Status != 0:
		w.Header().Set("Content-Type", "application/problem+json")
		if f.RetryAfter != "" {
			w.Header().Set("Retry-After", f.RetryAfter)
		}
		if f.Challenge != "" {
			w.Header().Set("WWW-Authenticate", f.Challenge)
		}
		w.WriteHeader(f.Status)
		fmt.Fprintf(w, `{"title":"Fault","status":%d,"code":"fault","detail":"The gate says so."}`, f.Status)
	case f.Lose:
		g.proxy.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case f.Delay != 0:
		answer := httptest.NewRecorder()
		g.proxy.ServeHTTP(answer, r)
		time.Sleep(time.Duration(f.Delay) * time.Millisecond)
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	default:
		g.proxy.ServeHTTP(w, r)
	}
}

// note counts a request and returns what befalls it.
func (g *gate) note(r *http.Request) fault {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.seen = append(g.seen, r.Method+" "+r.URL.RequestURI())
	f := g.faults[r.URL.Path]
	if f == nil || f.Times == 0 {
		return fault{}
	}
	f.Times--
	return *f
}

// requests returns what has come so far.
func (g *gate) requests() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.seen...)
}

// count returns how often a route was asked for.
func (g *gate) count(route string) (n int) {
	for _, line := range g.requests() {
		if line == route {
			n++
		}
	}
	return n
}

// set makes a fault for a path.
func (g *gate) set(path string, f fault) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.faults[path] = &f
}

// control is how programs in JavaScript steer the gate.
func (g *gate) control(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	switch r.PathValue("do") {
	case "requests":
		_ = json.NewEncoder(w).Encode(g.requests())
	case "fault":
		var f fault
		if err := json.NewDecoder(r.Body).Decode(&f); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		g.set(query.Get("path"), f)
	case "advance":
		d, err := time.ParseDuration(query.Get("by"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		g.server.Clock.Advance(d)
	case "sleep":
		for range 2 {
			select {
			case g.sleep <- struct{}{}:
			case <-r.Context().Done():
				return
			}
		}
	default:
		http.NotFound(w, r)
	}
}

// echo is an API that says what it was sent. Any page may call it.
func (g *gate) echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
	if r.Method == http.MethodOptions {
		return
	}
	f := g.note(r)
	body, _ := io.ReadAll(r.Body) // what has come of it
	if f.Status != 0 {
		w.Header().Set("WWW-Authenticate", f.Challenge)
		w.WriteHeader(f.Status)
	}
	_ = json.NewEncoder(w).Encode(map[string]string{
		"method": r.Method, "authorization": r.Header.Get("Authorization"), "cookie": r.Header.Get("Cookie"), "body": string(body),
	})
}

// hop redirects to ?to=.
func (g *gate) hop(w http.ResponseWriter, r *http.Request) {
	g.note(r)
	http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusTemporaryRedirect)
}
