package torture

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/app"
	"github.com/countersign-auth/countersign/internal/config"
	"github.com/countersign-auth/countersign/internal/revocation"
	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/internal/token"
)

// apart is how far the clocks of the two nodes are apart: as far as tokens are given leeway.
const apart = token.Leeway

// timed is a node with a clock of its own, in this process: a binary reads the machine's clock past everything that could
// move it.
type timed struct {
	*site
	app   *app.App
	clock *testkit.Clock
}

// serveAt starts a node whose clock shows that time.
func (d *database) serveAt(t *testing.T, now time.Time) *timed {
	t.Helper()
	n := &timed{clock: testkit.ClockAt(now)}
	cfg, _, err := config.Load(config.Sources{Environ: d.environment()})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	if n.app, err = app.Open(t.Context(), cfg, addr, slog.New(slog.DiscardHandler), n.clock.Now); err != nil {
		t.Fatal(err)
	}
	server, err := n.app.Server(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stop := n.app.Start(t.Context())
	go func() { _ = server.Serve(listener) }() // ends with Close
	t.Cleanup(func() {
		_ = server.Close()
		stop()
		if err := n.app.Close(); err != nil {
			t.Error(err)
		}
	})
	n.site = newSite(t, "http://"+addr)
	return n
}

// Two nodes on one database whose clocks are apart: each takes what the other gives, and what has ended stays so at both.
func TestClocksApart(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, d *database) {
		now := time.Now()
		nodes := [2]*timed{d.serveAt(t, now), d.serveAt(t, now.Add(apart))}
		u := &user{email: "mike@example.com", addr: "10.0.0.1"}
		if !nodes[0].signUp(u) || !nodes[0].logIn(u) {
			t.FailNow()
		}
		for i := range 12 { // each token is made by one and read by both
			for _, n := range nodes {
				n.want(u.access, http.StatusOK)
			}
			if !nodes[i%2].refresh(u) {
				t.FailNow()
			}
		}
		wantOneSuccessor(t, nodes, u)
		wantThrottled(t, nodes)
		for i := range nodes {
			wantEnded(t, d, nodes[i], nodes[1-i], fmt.Sprintf("jane%d@example.com", i))
		}
	})
}

// want expects that status for the profile of a token.
func (x *site) want(token string, status int) {
	x.t.Helper()
	a, err := x.ask(request{method: http.MethodGet, path: "/user/profile", token: token})
	if err != nil || a.status != status {
		x.t.Errorf("profile: %v %v, want %d", a, err, status)
	}
}

// wantOneSuccessor refreshes by one token at both nodes at once.
func wantOneSuccessor(t *testing.T, nodes [2]*timed, u *user) {
	t.Helper()
	var wg sync.WaitGroup
	var successors [20]user
	for i := range successors {
		successors[i] = *u
		wg.Go(func() { nodes[i%2].refresh(&successors[i]) })
	}
	wg.Wait()
	for _, s := range successors {
		if s.refresh != successors[0].refresh {
			t.Errorf("one token has two successors")
		}
	}
	u.refresh = successors[0].refresh
}

// wantThrottled guesses at both nodes by turns. The first five guesses are free, and each later one waits: a clock that is
// ahead may take one such wait for over.
func wantThrottled(t *testing.T, nodes [2]*timed) {
	t.Helper()
	guess := request{method: http.MethodPost, path: "/login", addr: "10.0.0.2", form: url.Values{"email": {"mike@example.com"}, "password": {"wrong horse battery"}}}
	checked := 0
	for i := range 30 {
		a, err := nodes[i%2].ask(guess)
		switch {
		case err == nil && a.status == http.StatusUnauthorized:
			checked++
		case err != nil || a.status != http.StatusTooManyRequests:
			t.Errorf("guess: %v %v", a, err)
		}
	}
	if checked < 5 || checked > 7 {
		t.Errorf("%d of 30 guesses were checked", checked)
	}
}

// wantEnded logs in at one node and out at the other. The token is dead at once, at both, and never lives again: not when the
// clock that is ahead has had the database forget what is over, at a node that knows only what is there.
func wantEnded(t *testing.T, d *database, in, out *timed, email string) {
	t.Helper()
	u := &user{email: email, addr: "10.0.0.3"}
	if !in.signUp(u) || !in.logIn(u) {
		t.FailNow()
	}
	if a, err := out.ask(request{method: http.MethodPost, path: "/logout", token: u.access}); err != nil || a.status != http.StatusNoContent {
		t.Fatal(a, err)
	}
	out.want(u.access, http.StatusUnauthorized)
	deadline := time.Now().Add(5 * time.Second)
	for {
		a, err := in.ask(request{method: http.MethodGet, path: "/user/profile", token: u.access})
		if err == nil && a.status == http.StatusUnauthorized {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the other node takes the token of an ended session: %v %v", a, err)
		}
		time.Sleep(pause)
	}
	first, last := in.clock.Now(), out.clock.Now()
	if first.After(last) {
		first, last = last, first
	}
	for after := time.Minute; after < 20*time.Minute; after += time.Minute / 2 {
		if _, err := in.app.Store.DeleteExpired(t.Context(), last.Add(after-revocation.Margin), 1000); err != nil { // as the sweeper does
			t.Fatal(err)
		}
		expired, ended := d.judge(t, first.Add(after), u.access)
		if expired { // even by the clock that is behind
			return
		}
		if !ended {
			t.Fatalf("%v later the token lives again", after)
		}
	}
	t.Error("the token does not expire")
}

// judge asks a node that has just been started about a token, at that time.
func (d *database) judge(t *testing.T, now time.Time, access string) (expired, ended bool) {
	t.Helper()
	fresh := d.open(t, func() time.Time { return now })
	defer func() {
		if err := fresh.Close(); err != nil {
			t.Error(err)
		}
	}()
	tok, err := fresh.Tokens.Verify(t.Context(), access)
	if err != nil {
		return true, true
	}
	_, ok, err := fresh.Guard.Holder(t.Context(), tok)
	return false, !ok && err != nil
}
