package torture

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// site is a server as its clients know it: it may end, and come back at another address.
type site struct {
	t      *testing.T
	url    atomic.Value // string
	client *http.Client
	// clients counts those who have an address.
	clients atomic.Uint32

	mu     sync.Mutex
	faults []fault
}

// fault is an answer that a client did not get, or that tells of a fault.
type fault struct {
	at   time.Time
	what string
}

// hangs is how long a server may take to answer whatever happens.
const hangs = 40 * time.Second

func newSite(t *testing.T, url string) *site {
	x := &site{t: t, client: &http.Client{Timeout: hangs, Transport: &http.Transport{MaxIdleConnsPerHost: 600}}}
	x.is(url)
	t.Cleanup(x.client.CloseIdleConnections)
	return x
}

// is says where the server of the site is now.
func (x *site) is(url string) { x.url.Store(url) }

// request is what a client asks.
type request struct {
	method, path string
	// token is the access token, addr the address of the client.
	token, addr string
	form        url.Values
}

// answer is what it is told.
type answer struct {
	status  int
	Code    string
	Token   string
	Refresh string `json:"refresh_token"`
	User    struct {
		ID string `json:"_id"`
	}
	Keys []struct {
		ID string `json:"kid"`
	}
	retryAfter string
	body       string
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.body) }

// ask sends a request. An answer is reported here that no fault of a database excuses; err says that there is none.
func (x *site) ask(r request) (a answer, err error) {
	req, err := http.NewRequest(r.method, x.url.Load().(string)+r.path, strings.NewReader(r.form.Encode()))
	if err != nil {
		return a, err
	}
	if r.form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	if r.addr != "" {
		req.Header.Set("X-Forwarded-For", r.addr)
	}
	res, err := x.client.Do(req)
	if err != nil {
		return a, x.missed(r, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return a, x.missed(r, err)
	}
	a.status, a.body, a.retryAfter = res.StatusCode, string(body), res.Header.Get("Retry-After")
	if strings.HasSuffix(res.Header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(body, &a); err != nil {
			x.t.Errorf("%s: %d with half a body %q: %v", r.path, a.status, body, err)
		}
	}
	if a.status >= 400 && (res.Header.Get("Content-Type") != "application/problem+json" || a.Code == "") {
		x.t.Errorf("%s: %s is no problem document", r.path, a)
	}
	if a.status >= 500 {
		x.note(fmt.Sprintf("%s: %d %s", r.path, a.status, a.Code))
	}
	if a.status >= 500 && (a.status != http.StatusServiceUnavailable || a.retryAfter == "") {
		x.t.Errorf("%s: %s, Retry-After %q", r.path, a, a.retryAfter)
	}
	return a, nil
}

// missed notes that there is no answer.
func (x *site) missed(r request, err error) error {
	x.note(r.path + ": no answer")
	if timeout, ok := err.(interface{ Timeout() bool }); ok && timeout.Timeout() {
		x.t.Errorf("%s hangs", r.path)
	}
	return err
}

func (x *site) note(what string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.faults = append(x.faults, fault{time.Now(), what})
}

// met returns the faults since then, how often each.
func (x *site) met(since time.Time) map[string]int {
	x.mu.Lock()
	defer x.mu.Unlock()
	counts := map[string]int{}
	for _, f := range x.faults {
		if f.at.After(since) {
			counts[f.what]++
		}
	}
	return counts
}

// prober asks all the time for what needs no database.
type prober struct {
	stopped chan struct{}
	running sync.WaitGroup

	mu   sync.Mutex
	took map[string][]time.Duration // by path, of answers alone
}

// probe asks with that token until the prober is stopped. What is answered must be right.
func (x *site) probe(token string) *prober {
	p := &prober{stopped: make(chan struct{}), took: map[string][]time.Duration{}}
	paths := []string{"/user/profile", "/.well-known/jwks.json"}
	p.running.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-p.stopped:
				return
			case <-time.After(2 * time.Millisecond):
			}
			r := request{method: http.MethodGet, path: paths[i%len(paths)], token: token}
			begun := time.Now()
			a, err := x.ask(r)
			if err == nil && a.status != http.StatusOK {
				x.t.Errorf("%s needs no database: %s", r.path, a)
			}
			if err == nil {
				p.mu.Lock()
				p.took[r.path] = append(p.took[r.path], time.Since(begun))
				p.mu.Unlock()
			}
		}
	})
	return p
}

// stop stops the prober, and reports. It returns the greater of the medians.
func (p *prober) stop(t *testing.T) (median time.Duration) {
	t.Helper()
	close(p.stopped)
	p.running.Wait()
	for path, took := range p.took {
		slices.Sort(took)
		median = max(median, took[len(took)/2])
		t.Logf("%s: %d answers, median %v, worst %v", path, len(took), took[len(took)/2].Round(10*time.Microsecond),
			took[len(took)-1].Round(10*time.Microsecond))
	}
	if len(p.took) < 2 {
		t.Errorf("the prober had no answers")
	}
	return median
}
