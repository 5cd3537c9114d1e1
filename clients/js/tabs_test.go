package js_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/countersign-auth/countersign/internal/testkit"
)

// These tests do not run in parallel: go test runs them before those that do, so that the browser has the processors.

const refresh = "POST /token/refresh"

// logIn logs mike in, in a page.
func logIn(t *testing.T, p *tab) {
	t.Helper()
	p.want(t, `auth.logIn({email: "mike@example.com", password: `+quote(testkit.Password)+`})`, "undefined")
}

// openTabs opens so many tabs of a page in which mike is signed in.
func openTabs(t *testing.T, g *gate, n int, query string) []*tab {
	t.Helper()
	b := openBrowser(t)
	g.server.SignUp(t, "mike@example.com")
	tabs := []*tab{b.open(t, g.URL+"/page"+query)}
	logIn(t, tabs[0])
	for range n - 1 {
		tabs = append(tabs, b.open(t, g.URL+"/page"+query))
	}
	return tabs
}

// inAll starts an expression in all tabs at once and waits for all of them. A tab that is given nothing to do fails the test.
func inAll(t *testing.T, tabs []*tab, expression, want string) {
	t.Helper()
	var all sync.WaitGroup
	for _, p := range tabs {
		all.Go(func() {
			if got := p.run(t, expression); got != want {
				t.Errorf("%s is %s, want %s", expression, got, want)
			}
		})
	}
	all.Wait()
}

// In each round all tabs want new tokens at the same moment, and one of them asks the server.
func TestTabsRefreshOnce(t *testing.T) {
	build(t)
	for _, mode := range []string{"token", "cookie"} {
		t.Run(mode, func(t *testing.T) {
			g := openGate(t)
			tabs := openTabs(t, g, 6, "?session="+mode)
			if mode == "token" {
				for _, p := range tabs {
					p.want(t, "auth.signedIn", "true")
				}
			}
			for round := range 5 {
				before := g.count(refresh)
				inAll(t, tabs, "Promise.all([auth.refresh(), auth.refresh()]).then(() => auth.signedIn)", "true")
				if n := g.count(refresh) - before; n != 1 {
					t.Errorf("round %d: %d requests, want 1", round, n)
				}
			}
			inAll(t, tabs, "auth.profile().then((user) => user.email)", `"mike@example.com"`)
			wantNobodyOut(t, tabs)
		})
	}
}

// The tokens live for so short that the tabs refresh them all the time, by their own timers.
func TestTabsRefreshInTheBackground(t *testing.T) {
	build(t)
	for _, mode := range []string{"token", "cookie"} {
		t.Run(mode, func(t *testing.T) {
			g := openGate(t, "jwt.access_ttl=2s")
			tabs := openTabs(t, g, 5, "?session="+mode)
			for _, p := range tabs {
				p.until(t, `events.filter((event) => event === "refreshed").length >= 4`)
			}
			var rounds int
			if err := json.Unmarshal([]byte(tabs[0].run(t, `events.filter((event) => event === "refreshed").length`)), &rounds); err != nil {
				t.Fatal(err)
			}
			if n := g.count(refresh); n < rounds || n > rounds+1 { // one more may have come since
				t.Errorf("%d requests in %d rounds of 5 tabs", n, rounds)
			}
			inAll(t, tabs, "auth.profile().then((user) => user.email)", `"mike@example.com"`)
			wantNobodyOut(t, tabs)
		})
	}
}

// A tab that runs nothing sleeps through more rounds than the server forgives, and wakes with what it knew. A request that its script
// waits for keeps it asleep.
func TestTabThatWasAsleep(t *testing.T) {
	build(t)
	g := openGate(t, "jwt.access_ttl=2s")
	tabs := openTabs(t, g, 3, "?session=token")
	asleep, awake := tabs[0], tabs[1:]
	var slept sync.WaitGroup
	slept.Go(func() {
		asleep.run(t, `(() => {
			const request = new XMLHttpRequest();
			request.open("GET", "/gate/sleep", false);
			request.send();
			window.missed = events.length;
			window.woken = Promise.all([auth.refresh(), auth.profile()]).then(() => auth.signedIn, (error) => error.name);
		})()`)
	})
	<-g.sleep
	for _, p := range awake {
		p.until(t, `events.filter((event) => event === "refreshed").length >= 5`)
	}
	<-g.sleep
	slept.Wait()
	asleep.want(t, "woken", "true")
	asleep.want(t, "missed <= 2", "true")
	inAll(t, tabs, "auth.profile().then(() => auth.signedIn)", "true")
	wantNobodyOut(t, tabs)
}

// A tab that has stopped with the lock in its hand is passed over, and the others go on one after the other.
func TestTabThatKeepsTheLock(t *testing.T) {
	build(t)
	g := openGate(t)
	tabs := openTabs(t, g, 4, "?session=token")
	tabs[0].want(t, `new Promise((resolve) => void navigator.locks.request("countersign:token:" + location.origin, () => {
		resolve("held");
		return new Promise(() => undefined);
	}).catch(() => undefined))`, `"held"`)
	inAll(t, tabs[1:], "auth.refresh().then(() => auth.signedIn)", "true")
	before := g.count(refresh)
	inAll(t, tabs[1:], "auth.refresh().then(() => auth.signedIn)", "true")
	if n := g.count(refresh) - before; n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	wantNobodyOut(t, tabs)
}

func wantNobodyOut(t *testing.T, tabs []*tab) {
	t.Helper()
	for i, p := range tabs {
		if events := p.run(t, "events"); strings.Contains(events, "signed-out") {
			t.Errorf("tab %d: %s", i, events)
		}
	}
}

func TestTabsAllSignOut(t *testing.T) {
	build(t)
	for _, mode := range []string{"token", "cookie"} {
		t.Run(mode, func(t *testing.T) {
			g := openGate(t)
			tabs := openTabs(t, g, 4, "?session="+mode)
			before := g.count(refresh)
			g.set("/token/refresh", fault{Times: 1, Delay: 300})
			tabs[1].run(t, "void (window.flight = auth.refresh().catch((error) => error.name))")
			for g.count(refresh) == before {
				tabs[0].run(t, "0")
			}
			tabs[2].want(t, "auth.logOut()", "undefined")
			for _, p := range tabs {
				p.until(t, `events.at(-1) === "signed-out logout" && auth.signedIn === false`)
			}
			tabs[1].run(t, "flight")
			for _, p := range tabs {
				p.want(t, "auth.signedIn", "false")
				p.want(t, "auth.profile()", "SignedOutError ")
				p.want(t, `fetch("/user").then((answer) => answer.status)`, "401")
			}
			logIn(t, tabs[3])
			for _, p := range tabs {
				p.until(t, "auth.signedIn")
				p.want(t, "auth.profile().then((user) => user.email)", `"mike@example.com"`)
			}
		})
	}
}

func TestBrowserCookieMode(t *testing.T) {
	build(t)
	g := openGate(t)
	tabs := openTabs(t, g, 2, "?session=cookie")
	p := tabs[0]
	p.want(t, "auth.getToken()", "TypeError ")
	stores := p.run(t, "JSON.stringify(localStorage) + JSON.stringify(sessionStorage) + document.cookie")
	if !strings.Contains(stores, "countersign:cookie:") || strings.Contains(stores, "csr_") || strings.Contains(stores, "eyJ") {
		t.Errorf("in the page: %s", stores)
	}

	g.server.Clock.Advance(20 * 60e9) // the token expires at the server
	before := g.count(refresh)
	inAll(t, tabs, `auth.fetch("/user").then((answer) => answer.status)`, "200")
	if n := g.count(refresh) - before; n != 1 {
		t.Errorf("%d refreshes", n)
	}
	p.want(t, `auth.fetch("/user", {method: "PATCH", headers: {"Content-Type": "application/json"}, body: '{"data":{"a":1}}'}).then((answer) => answer.status)`, "200")

	// A page that has lost its memory asks the server.
	p.run(t, "localStorage.clear()")
	p.reload(t)
	p.want(t, "auth.signedIn ?? null", "null")
	tabs[1].want(t, "auth.signedIn", "true")
	p.want(t, "auth.profile().then((user) => user.email)", `"mike@example.com"`)
	p.want(t, "auth.signedIn", "true")

	// Another client of the page, with tokens, has a session of its own beside it.
	p.run(t, "void (window.other = countersign.createClient({baseURL: location.origin}))")
	p.want(t, `other.logIn({email: "mike@example.com", password: `+quote(testkit.Password)+`})`, "undefined")
	p.want(t, "other.profile().then((user) => user.email)", `"mike@example.com"`)
	p.want(t, "auth.refresh()", "undefined")
	p.want(t, "other.logOut()", "undefined")
	p.want(t, "auth.profile().then((user) => user.email)", `"mike@example.com"`)

	p.want(t, `(() => { try { countersign.createClient({baseURL: "https://auth.example.com", session: "cookie"}) } catch (error) { return error.name } })()`, `"TypeError"`)
	p.want(t, "auth.logOut({scope: 'all'})", "undefined")
	p.want(t, "auth.refresh()", "SignedOutError ")
}

// Nobody is signed in, and a page in cookie mode learns of it by asking.
func TestBrowserCookieModeOfNobody(t *testing.T) {
	build(t)
	g := openGate(t)
	p := openBrowser(t).open(t, g.URL+"/page?session=cookie")
	for _, call := range []string{"auth.profile()", "auth.refresh()", "auth.sessions()"} {
		p.want(t, "auth.signedIn ?? null", "null")
		p.want(t, call, "SignedOutError ")
		p.want(t, "auth.signedIn", "false")
		p.run(t, "localStorage.clear()")
		p.reload(t)
	}
	p.want(t, `auth.fetch("/user").then((answer) => answer.status)`, "401")
	p.want(t, "auth.signedIn", "false")
}

func TestBrowserSendsNoTokenAbroad(t *testing.T) {
	build(t)
	foreign := openGate(t)
	pages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/page" {
			servePage(w, r)
			return
		}
		http.StripPrefix("/client/", http.FileServer(http.Dir("dist"))).ServeHTTP(w, r)
	}))
	t.Cleanup(pages.Close)
	g := openGate(t, "cors.origins="+pages.URL)
	g.server.SignUp(t, "mike@example.com")
	p := openBrowser(t).open(t, pages.URL+"/page?api="+g.URL)
	logIn(t, p)
	p.want(t, "auth.profile().then((user) => user.email)", `"mike@example.com"`)
	p.want(t, `auth.fetch(`+quote(g.URL+"/echo")+`).then((answer) => answer.json()).then((seen) => seen.authorization.slice(0, 10))`, `"Bearer eyJ"`)
	p.want(t, `auth.fetch(`+quote(foreign.URL+"/echo")+`).then((answer) => answer.json()).then((seen) => seen.authorization)`, `""`)
	p.want(t, `auth.fetch(`+quote(fmt.Sprintf("%s/hop?to=%s/echo", g.URL, foreign.URL))+`)`, "TypeError ")
	if n := foreign.count("GET /echo"); n != 1 {
		t.Errorf("the other origin has seen %d requests, want the one without a token", n)
	}

	// The server's clock and its challenge are those of another origin here.
	g.server.Clock.Advance(20 * 60e9)
	before := g.count(refresh)
	p.want(t, `auth.fetch(`+quote(g.URL+"/user")+`).then((answer) => answer.status)`, "200")
	if n := g.count(refresh) - before; n != 1 {
		t.Errorf("%d refreshes", n)
	}
}
