package torture

import (
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// gap is a time in which a database cannot be used.
type gap struct {
	name  string
	lasts time.Duration
	begin func(d *database)
	// end, if any, is what has to be done beside healing the proxy.
	end func(d *database)
	// process says that it befalls the database server itself.
	process bool
}

var gaps = []gap{
	{name: "connections are cut", begin: func(d *database) { d.proxy.Cut() }},
	{name: "connections are refused", lasts: 2 * time.Second, begin: func(d *database) { d.proxy.Refuse() }},
	{name: "the network stands still", lasts: 3 * time.Second, begin: func(d *database) { d.proxy.Hold() }},
	{name: "the network stands still for longer than anybody waits", lasts: 8 * time.Second, begin: func(d *database) { d.proxy.Hold() }},
	{name: "the network swallows all", lasts: 3 * time.Second, begin: func(d *database) { d.proxy.Drop() }},
	{
		name: "the server is restarted", process: true,
		begin: func(d *database) { d.server.stop() }, end: func(d *database) { d.server.start() },
	},
	{
		name: "the server is killed", process: true, lasts: time.Second,
		begin: func(d *database) { d.server.kill() }, end: func(d *database) { d.server.start() },
	},
	{
		name: "the server is frozen", process: true, lasts: 3 * time.Second,
		begin: func(d *database) { d.server.freeze() }, end: func(d *database) { d.server.thaw() },
	},
}

// settle is how long after a gap there may still be errors: as long as a request may wait for the database.
const settle = 5 * time.Second

// The database goes away under load, and comes back. There are errors in between and a little later, and then none; nobody is
// signed up twice, and nothing is lost of what somebody was told.
func TestGap(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, open func(t *testing.T) *database) {
		for _, gap := range gaps {
			t.Run(gap.name, func(t *testing.T) {
				t.Parallel()
				d := open(t)
				if gap.process && d.server == nil {
					t.Skip("SKIPPED: this database server cannot be stopped by itself")
				}
				crossGap(t, d, gap)
			})
		}
	})
}

func crossGap(t *testing.T, d *database, g gap) {
	s := start(t, d.environment())
	x := newSite(t, s.url)
	first := &user{email: "probe@example.com", addr: "10.200.0.1"}
	if !x.signUp(first) || !x.logIn(first) {
		t.FailNow()
	}
	crowd, probe := x.gather("gap", min(10, d.clients)), x.probe(first.access)
	for range rounds(1, 5) {
		time.Sleep(500*time.Millisecond + rand.N(300*time.Millisecond)) // for each client to be at something
		g.begin(d)
		time.Sleep(g.lasts)
		if g.end != nil {
			g.end(d)
		}
		d.proxy.Heal()
		healed := time.Now()
		time.Sleep(settle + time.Second)
		if late := x.met(healed.Add(settle)); len(late) > 0 {
			t.Errorf("%v after the gap: %v", settle, late)
		}
	}
	users := append(crowd.stop(), first)
	if median := probe.stop(t); median > 50*time.Millisecond {
		t.Errorf("what needs no database takes %v", median)
	}
	x.wantAll(users)
	t.Logf("%d users, and met %v", len(users), x.met(time.Time{}))
	if err := s.stop(); err != nil {
		t.Error(err, s.log)
	}
	d.wantWhole(t, users)
}

// An answer of the database is lost: what it has done has been done, though the server does not know. Nobody is signed up
// twice, and nobody is told by a 409 that somebody else was faster.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, open func(t *testing.T) *database) {
		d := open(t)
		s := start(t, d.environment())
		x := newSite(t, s.url)
		first := &user{email: "probe@example.com", addr: "10.200.0.1"}
		if !x.signUp(first) || !x.logIn(first) {
			t.FailNow()
		}
		crowd, probe := x.gather("lost", min(10, d.clients)), x.probe(first.access)
		const one, enough = 15, 5 // one of so many requests has its answer lost
		lost := 0
		d.proxy.Lose(func([]byte) bool {
			lose := rand.N(one) == 0
			if lose {
				lost++
			}
			return lose
		})
		time.Sleep(time.Duration(rounds(4, 60)) * time.Second)
		d.proxy.Heal()
		users := append(crowd.stop(), first)
		probe.stop(t)
		x.wantAll(users)
		t.Logf("%d answers were lost, %d users, and met %v", lost, len(users), x.met(time.Time{}))
		if lost < enough {
			t.Error("too few answers were lost for a test")
		}
		if err := s.stop(); err != nil {
			t.Error(err, s.log)
		}
		d.wantWhole(t, users)
	})
}

// The database is away for long: what needs it says so, soon, and what does not goes on.
func TestWithoutDatabase(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, open func(t *testing.T) *database) {
		d := open(t)
		s := start(t, d.environment())
		x := newSite(t, s.url)
		u := &user{email: "mike@example.com", addr: "10.0.0.1"}
		if !x.signUp(u) || !x.logIn(u) {
			t.FailNow()
		}
		d.proxy.Hold()
		time.Sleep(settle + time.Second) // until what the server knows is old
		login := url.Values{"email": {u.email}, "password": {password}}
		var all sync.WaitGroup
		for _, c := range []struct {
			request
			status int
			code   string
		}{
			{request{method: http.MethodGet, path: "/healthz"}, http.StatusOK, ""},
			{request{method: http.MethodGet, path: "/user/profile", token: u.access}, http.StatusOK, ""},
			{request{method: http.MethodGet, path: "/.well-known/jwks.json"}, http.StatusOK, ""},
			{request{method: http.MethodGet, path: "/readyz"}, http.StatusServiceUnavailable, "not_ready"},
			{request{method: http.MethodGet, path: "/.well-known/countersign/revocations"}, http.StatusServiceUnavailable, "revocations_unavailable"},
			{request{method: http.MethodGet, path: "/user", token: u.access}, http.StatusServiceUnavailable, "database_unavailable"},
			{request{method: http.MethodPost, path: "/login", form: login}, http.StatusServiceUnavailable, "database_unavailable"},
			{request{method: http.MethodPost, path: "/signup", form: url.Values{"email": {"jane@example.com"}, "password": {password}}}, http.StatusServiceUnavailable, "database_unavailable"},
			{request{method: http.MethodPost, path: "/token/refresh", form: url.Values{"refresh_token": {u.refresh}}}, http.StatusServiceUnavailable, "database_unavailable"},
			{request{method: http.MethodPost, path: "/logout", token: u.access}, http.StatusServiceUnavailable, "database_unavailable"},
		} {
			all.Go(func() {
				c.addr = u.addr
				begun := time.Now()
				a, err := x.ask(c.request)
				if err != nil || a.status != c.status || a.Code != c.code {
					t.Errorf("%s without a database: %v %v", c.path, a, err)
				}
				if took := time.Since(begun); took > 2*settle {
					t.Errorf("%s takes %v", c.path, took)
				}
			})
		}
		all.Wait()
		d.proxy.Heal()
		healed := time.Now()
		if !x.refresh(u) || !x.logIn(u) {
			t.FailNow()
		}
		if took := time.Since(healed); took > settle {
			t.Errorf("with a database again, it takes %v", took)
		}
	})
}

// A server that finds no database says so and ends: whoever runs it tries again, and sees why.
func TestStartWithoutDatabase(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, open func(t *testing.T) *database) {
		for name, befall := range map[string]func(d *database){
			"refused": func(d *database) { d.proxy.Refuse() },
			"silent":  func(d *database) { d.proxy.Drop() },
		} {
			d := open(t)
			befall(d)
			begun := time.Now()
			_, err := launch(t, d.environment())
			took := time.Since(begun)
			if err == nil || !strings.Contains(err.Error(), "countersign: database") || strings.Contains(err.Error(), "goroutine") || took > 35*time.Second {
				t.Errorf("%s: after %v it says %v", name, took, err)
			}
			t.Logf("%s, after %v: %v", name, took.Round(100*time.Millisecond), err)
		}
	})
}
