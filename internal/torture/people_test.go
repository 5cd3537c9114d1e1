package torture

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
)

const (
	password = "correct horse battery"
	// pause is how long a client waits before it tries again.
	pause = 20 * time.Millisecond
	// patience is how long it does that.
	patience = 2 * time.Minute
)

// crowd is clients who sign up, log in and refresh all the time, each time as somebody else.
type crowd struct {
	site    *site
	name    string // tells it from others on the same database
	stopped atomic.Bool
	running sync.WaitGroup

	mu    sync.Mutex
	users []*user
}

// user is whom a client has signed up, and what it was told since.
type user struct {
	email, addr, id string
	// access and refresh are the newest tokens that the client was given.
	access, refresh string
	// logins is how many were answered.
	logins int
}

// gather starts so many clients.
func (x *site) gather(name string, clients int) *crowd {
	c := &crowd{site: x, name: name}
	for i := range clients {
		c.running.Go(func() { c.live(i) })
	}
	return c
}

// stop has the clients finish what they are at, and returns whom they have signed up.
func (c *crowd) stop() []*user {
	c.stopped.Store(true)
	c.running.Wait()
	return c.users
}

func (c *crowd) live(client int) {
	var first *user // whose session goes on through everything
	for n := 0; !c.stopped.Load(); n++ {
		u := &user{email: fmt.Sprintf("%s-%d-%d@example.com", c.name, client, n), addr: c.site.address()}
		if !c.site.signUp(u) || !c.site.logIn(u) {
			return
		}
		c.mu.Lock()
		c.users = append(c.users, u)
		c.mu.Unlock()
		if first == nil {
			first = u
		}
		for _, u := range []*user{u, u, first} {
			if !c.site.refresh(u) {
				return
			}
		}
	}
}

// insist asks until it is told what has become of it. Doubt says that an earlier attempt may have been done. It reports
// false, and an error to the test, when it is not told in time.
//
// A login that was cut off counts as failed, and after five of them a client is told to wait.
func (x *site) insist(r request) (a answer, doubt, ok bool) {
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(pause) {
		a, err := x.ask(r)
		switch {
		case err != nil:
			doubt = true
		case a.status == http.StatusTooManyRequests && doubt:
			wait, _ := strconv.Atoi(a.retryAfter)
			time.Sleep(time.Duration(wait) * time.Second)
		case a.status != http.StatusServiceUnavailable:
			return a, doubt, true
		case a.Code == "database_unavailable": // others say that nothing was done
			doubt = true
		}
	}
	x.t.Errorf("%s is not answered for %v", r.path, patience)
	return a, doubt, false
}

// address returns an address that no other client has: what is throttled is throttled by it.
func (x *site) address() string {
	n := x.clients.Add(1)
	return netip.AddrFrom4([4]byte{20, byte(n >> 16), byte(n >> 8), byte(n)}).String()
}

// signUp signs a user up. A client that does not know whether it has done so is told so by a 409, and no other is.
func (x *site) signUp(u *user) bool {
	r := request{method: http.MethodPost, path: "/signup", addr: u.addr, form: url.Values{"email": {u.email}, "password": {password}}}
	a, doubt, ok := x.insist(r)
	if ok && a.status != http.StatusOK && !(doubt && a.status == http.StatusConflict) {
		x.t.Errorf("sign up %s, doubtful %v: %s", u.email, doubt, a)
		return false
	}
	u.id = a.User.ID
	return ok
}

// logIn logs a user in who has signed up.
func (x *site) logIn(u *user) bool {
	r := request{method: http.MethodPost, path: "/login", addr: u.addr, form: url.Values{"email": {u.email}, "password": {password}}}
	a, doubt, ok := x.insist(r)
	if ok && a.status != http.StatusOK {
		x.t.Errorf("log in %s, doubtful %v: %s", u.email, doubt, a)
		return false
	}
	u.access, u.refresh = a.Token, a.Refresh
	u.logins++
	return ok
}

// refresh refreshes. Whoever does not know whether a token has been used may use it again.
func (x *site) refresh(u *user) bool {
	r := request{method: http.MethodPost, path: "/token/refresh", addr: u.addr, form: url.Values{"refresh_token": {u.refresh}}}
	a, doubt, ok := x.insist(r)
	if ok && (a.status != http.StatusOK || a.Refresh == u.refresh) {
		x.t.Errorf("refresh of %s, doubtful %v: %s", u.email, doubt, a)
		return false
	}
	u.access, u.refresh = a.Token, a.Refresh
	return ok
}

// wantAll expects that nothing is lost of what the clients were told: each user's newest refresh token is good and brings a
// good access token, and each user can log in.
func (x *site) wantAll(users []*user) {
	const workers = 16
	var all sync.WaitGroup
	for part := range slices.Chunk(users, max(1, (len(users)+workers-1)/workers)) {
		all.Go(func() {
			for _, u := range part {
				if !x.refresh(u) || !x.logIn(u) {
					continue
				}
				a, err := x.ask(request{method: http.MethodGet, path: "/user", token: u.access, addr: u.addr})
				if err != nil || a.status != http.StatusOK {
					x.t.Errorf("profile of %s: %v %v", u.email, a, err)
				}
			}
		})
	}
	all.Wait()
}

// wantWhole looks into the database, when no server runs: each user is there, whole, once, and what was done stands in the
// audit log. It returns all accounts by address.
func (d *database) wantWhole(t *testing.T, users []*user) map[string]store.Account {
	t.Helper()
	a := d.open(t, nil)
	all, log := accounts(t, a.Store), events(t, a.Store)
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	d.check(t)
	for _, u := range users {
		account, ok := all[u.email]
		switch {
		case !ok:
			t.Errorf("%s is lost", u.email)
			continue
		case u.id != "" && account.User.ID != u.id:
			t.Errorf("%s is the user %s, and was told to be %s", u.email, account.User.ID, u.id)
		case len(account.Sessions) < u.logins:
			t.Errorf("%s has %d sessions of %d logins", u.email, len(account.Sessions), u.logins)
		}
		if n := log[event{account.User.ID, "login", "ok"}]; n < u.logins {
			t.Errorf("%d of %d logins of %s are in the audit log", n, u.logins, u.email)
		}
		if n := log[event{account.User.ID, "signup", "ok"}]; n < 1 && u.id != "" {
			t.Errorf("the sign-up of %s is not in the audit log", u.email)
		}
	}
	t.Logf("%d users in the database, of whom the clients know %d", len(all), len(users))
	return all
}
