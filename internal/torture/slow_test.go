package torture

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The database takes five seconds for each answer, and clients who do not wait for theirs come again and again. What needs
// the database is a 503, what does not is answered at once, and the server does not fill up.
func TestSlowDatabase(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, open func(t *testing.T) *database) {
		d := open(t)
		s := start(t, d.environment("COUNTERSIGN_METRICS_LISTEN=127.0.0.1:0"))
		x := newSite(t, s.url)
		u := &user{email: "mike@example.com", addr: "10.0.0.1"}
		if !x.signUp(u) || !x.logIn(u) {
			t.FailNow()
		}
		before := s.goroutines(t)
		d.proxy.Delay(5 * time.Second)
		probe := x.probe(u.access)
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rounds(12, 120))*time.Second)
		defer cancel()
		most := 0
		flood := x.flood(ctx, 100)
		for ctx.Err() == nil {
			most = max(most, s.goroutines(t))
			time.Sleep(200 * time.Millisecond)
		}
		sent := flood()
		a, err := x.ask(request{method: http.MethodGet, path: "/user", token: u.access})
		if err != nil || a.Code != "database_unavailable" {
			t.Errorf("a route that needs the database: %v %v", a, err)
		}
		if median := probe.stop(t); median > 50*time.Millisecond {
			t.Errorf("what needs no database takes %v", median)
		}
		d.proxy.Heal()
		if !x.refresh(u) || !x.logIn(u) {
			t.FailNow()
		}
		after := s.goroutines(t)
		for begun := time.Now(); after > before+50 && time.Since(begun) < 30*time.Second; after = s.goroutines(t) {
			time.Sleep(200 * time.Millisecond)
		}
		t.Logf("%d requests; goroutines: %d before, %d at most, %d after", sent, before, most, after)
		if most > 5000 || after > before+50 {
			t.Errorf("goroutines: %d before, %d at most, %d after", before, most, after)
		}
		if err := s.stop(); err != nil {
			t.Error(err, s.log)
		}
	})
}

// flood has so many clients ask for what needs the database, who hang up after half a second. It returns what waits for them
// and says how often they asked.
func (x *site) flood(ctx context.Context, clients int) (wait func() int) {
	client := &http.Client{Timeout: 500 * time.Millisecond}
	var all sync.WaitGroup
	counts := make([]int, clients)
	for i := range clients {
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				form := url.Values{"email": {fmt.Sprintf("flood-%d-%d@example.com", i, n)}, "password": {password}}
				path := "/login"
				if n%2 == 1 {
					path = "/signup"
				}
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, x.url.Load().(string)+path, strings.NewReader(form.Encode()))
				if err != nil {
					return
				}
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				req.Header.Set("X-Forwarded-For", x.address())
				counts[i]++
				if res, err := client.Do(req); err == nil {
					_ = res.Body.Close()
					time.Sleep(pause)
				}
			}
		})
	}
	return func() (sent int) {
		all.Wait()
		client.CloseIdleConnections()
		for _, n := range counts {
			sent += n
		}
		return sent
	}
}

// goroutines returns how many the server has.
func (s *server) goroutines(t *testing.T) int {
	t.Helper()
	found := metricsURL.FindStringSubmatch(s.log.String())
	if found == nil {
		t.Fatalf("the log does not say where the metrics are:\n%s", s.log)
	}
	res, err := http.Get(found[1])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "go_goroutines "); ok {
			n, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("the metrics do not say how many goroutines there are")
	return 0
}

// Far more clients than connections to the database: each waits its turn, and not for long.
func TestFewConnections(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, open func(t *testing.T) *database) {
		d := open(t)
		s := start(t, d.environment("COUNTERSIGN_DATABASE_MAX_CONNECTIONS=5"))
		x := newSite(t, s.url)
		x.client.Timeout = 15 * time.Second
		u := &user{email: "mike@example.com", addr: "10.200.0.1"}
		if !x.signUp(u) || !x.logIn(u) {
			t.FailNow()
		}
		crowd, probe := x.gather("pool", 10*d.clients), x.probe(u.access)
		time.Sleep(time.Duration(rounds(4, 60)) * time.Second)
		users := append(crowd.stop(), u)
		if median := probe.stop(t); median > 50*time.Millisecond {
			t.Errorf("what needs no database takes %v", median)
		}
		if n := d.proxy.Connections(); n > 6 && d.server != nil { // and one that listens for news; a MongoDB's are in its URL
			t.Errorf("there are %d connections", n)
		}
		x.wantAll(users)
		t.Logf("%d users, and met %v", len(users), x.met(time.Time{}))
		if err := s.stop(); err != nil {
			t.Error(err, s.log)
		}
		d.wantWhole(t, users)
	})
}
