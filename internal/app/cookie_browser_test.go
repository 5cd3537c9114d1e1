package app_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/countersign-auth/countersign/internal/testkit"
)

// fetched is what a page sees of an answer.
type fetched struct {
	Status int
	Body   string
	Cookie string // what scripts can read
}

// fetch has the page in the tab send a request.
func fetch(t *testing.T, tab context.Context, url, options string) (got fetched) {
	t.Helper()
	text := run(t, tab, chromedp.Evaluate[string](`(async () => {
		try {
			const res = await fetch("`+url+`", `+options+`);
			return JSON.stringify({Status: res.status, Body: await res.text(), Cookie: document.cookie});
		} catch (e) {
			return JSON.stringify({Status: 0, Body: String(e), Cookie: document.cookie});
		}
	})()`, chromedp.EvalAwaitPromise))
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return got
}

func TestBrowserKeepsASessionInCookies(t *testing.T) {
	tab := openTab(t)
	s := testkit.Start(t)
	s.SignUp(t, "mike@example.com")
	// The page only has to be of this origin; its own policy lets no script do anything.
	if _, err := chromedp.Call(tab, page.SetBypassCSP, page.SetBypassCSPParams{Enabled: true}); err != nil {
		t.Fatal(err)
	}
	do(t, tab, chromedp.Navigate(s.URL+"/docs"))

	form := `new URLSearchParams({email: "mike@example.com", password: "` + testkit.Password + `", session: "cookie"})`
	login := fetch(t, tab, "/login", `{method: "POST", body: `+form+`}`)
	if login.Status != http.StatusOK || login.Cookie != "" || strings.Contains(login.Body, "csr_") {
		t.Fatalf("login: %+v", login)
	}
	if got := fetch(t, tab, "/user/profile", `{}`); got.Status != http.StatusOK || strings.Contains(got.Body, `"token"`) {
		t.Errorf("profile: %+v", got)
	}
	if got := fetch(t, tab, "/token/refresh", `{method: "POST"}`); got.Status != http.StatusOK || strings.Contains(got.Body, "csr_") {
		t.Errorf("refresh: %+v", got)
	}

	// A page of another origin on the same site: the browser sends the cookies along, and the server refuses.
	do(t, tab, chromedp.Navigate(client(t)))
	for _, path := range []string{"/logout", "/token/refresh"} {
		fetch(t, tab, s.URL+path, `{method: "POST", mode: "no-cors", credentials: "include"}`)
	}
	if log := s.Log(); strings.Count(log, `"status":403`) != 2 {
		t.Errorf("not both were refused:\n%s", log)
	}

	do(t, tab, chromedp.Navigate(s.URL+"/docs"))
	if got := fetch(t, tab, "/user/profile", `{}`); got.Status != http.StatusOK {
		t.Errorf("the other page has ended the session: %+v", got)
	}
	if got := fetch(t, tab, "/logout", `{method: "POST"}`); got.Status != http.StatusNoContent {
		t.Errorf("logout: %+v", got)
	}
	if got := fetch(t, tab, "/user/profile", `{}`); got.Status != http.StatusUnauthorized {
		t.Errorf("after the logout: %+v", got)
	}
}

// Two hosts of one site, each mapped to the server by a proxy: a browser session belongs to the host that it began at, and
// with cookie.domain to both.
func TestBrowserSessionOnTwoHosts(t *testing.T) {
	const domain = "site.localhost"
	for name, tt := range map[string]struct {
		settings  []string
		elsewhere int
	}{
		"of one host":      {nil, http.StatusUnauthorized},
		"of cookie.domain": {[]string{"cookie.domain=" + domain}, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			tab := openTab(t)
			s := testkit.Start(t, tt.settings...)
			s.SignUp(t, "mike@example.com")
			if _, err := chromedp.Call(tab, page.SetBypassCSP, page.SetBypassCSPParams{Enabled: true}); err != nil {
				t.Fatal(err)
			}
			port := s.URL[strings.LastIndex(s.URL, ":"):]
			here, there := "http://a."+domain+port+"/docs", "http://b."+domain+port+"/docs"

			do(t, tab, chromedp.Navigate(here))
			form := `new URLSearchParams({email: "mike@example.com", password: "` + testkit.Password + `", session: "cookie"})`
			if got := fetch(t, tab, "/login", `{method: "POST", body: `+form+`}`); got.Status != http.StatusOK || got.Cookie != "" {
				t.Fatalf("login: %+v", got)
			}
			profile := func(at string) int {
				do(t, tab, chromedp.Navigate(at))
				return fetch(t, tab, "/user/profile", `{}`).Status
			}
			if got := profile(here); got != http.StatusOK {
				t.Errorf("where the login was: %d", got)
			}
			if got := profile(there); got != tt.elsewhere {
				t.Errorf("at the other host: %d, want %d", got, tt.elsewhere)
			}
			// What ends it ends it where it is: the cookies of both hosts are gone, and so is the session.
			if got := fetch(t, tab, "/logout", `{method: "POST"}`); (got.Status == http.StatusNoContent) != (tt.elsewhere == http.StatusOK) {
				t.Errorf("logout at the other host: %+v", got)
			}
			want := http.StatusOK
			if tt.elsewhere == http.StatusOK {
				want = http.StatusUnauthorized
			}
			if got := profile(here); got != want {
				t.Errorf("after the logout at the other host: %d, want %d", got, want)
			}
		})
	}
}
