package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/internal/testkit/need"
)

// These tests do not run in parallel: go test runs them before those that do, so that a browser has the processors.

// openTab starts a browser for the test and returns the context of its tab, which lives for a minute at most.
func openTab(t *testing.T) context.Context {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), time.Minute) // not t.Context(): it ends before the clean-up
	ctx, end := chromedp.NewExecAllocator(ctx,
		chromedp.ExecPath(need.Chromium(t)), chromedp.UserDataDir(t.TempDir()),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	ctx, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil { // lets the browser end by itself, and waits
			t.Errorf("close the browser: %v", err)
		}
		closeTab()
		end()
		stop()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	return ctx
}

// do runs actions in the tab.
func do(t *testing.T, ctx context.Context, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// run runs an action in the tab and returns its value.
func run[T any](t *testing.T, ctx context.Context, action chromedp.Action[T]) T {
	t.Helper()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// clientPage is a page of another origin that uses the API at ?api=. It walks the flow as ?email= as soon as it is
// loaded and shows how it ended; its form sends the same without any script.
const clientPage = `<!doctype html>
<meta charset="utf-8">
<title>A client</title>
<form id="form" method="post"><input name="email"><input name="password"><button>Sign up</button></form>
<pre id="end"></pre>
<script>
const { api, email, password } = Object.fromEntries(new URLSearchParams(location.search));
const form = document.getElementById("form");
form.action = api + "/signup";
form.email.value = email;
form.password.value = password;
async function send(path, options) {
  const res = await fetch(api + path, options);
  if (!res.ok) throw new Error(path + ": " + res.status);
  return res.json();
}
const credentials = {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ email, password }),
};
async function walk() {
  await send("/signup", credentials);
  const { token } = await send("/login", credentials);
  const profile = await send("/user/profile", { headers: { Authorization: "Bearer " + token } });
  return { profile: profile.user };
}
walk().catch((e) => ({ error: e.name })).then((end) => {
  document.getElementById("end").textContent = JSON.stringify(end);
});
</script>`

// client serves clientPage and returns its origin.
func client(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(clientPage))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// walked is how the page says that its walk ended.
type walked struct {
	Profile *struct {
		ID    string `json:"_id"`
		Email string `json:"email"`
	}
	Error string
}

// visit opens the client's page and waits until its walk has ended.
func visit(t *testing.T, ctx context.Context, origin string, s *testkit.Server, email string) (end walked) {
	t.Helper()
	query := url.Values{"api": {s.URL}, "email": {email}, "password": {testkit.Password}}
	do(t, ctx, chromedp.Navigate(origin+"/?"+query.Encode()))
	text := run(t, ctx, chromedp.Poll[string](`document.getElementById("end").textContent`))
	if err := json.Unmarshal([]byte(text), &end); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return end
}

// emails returns the addresses of all users.
func emails(t *testing.T, s *testkit.Server) (list []string) {
	t.Helper()
	users, err := s.App.Store.ListUsers(t.Context(), "", 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range users {
		list = append(list, u.Email)
	}
	return list
}

func TestBrowserOfAListedOrigin(t *testing.T) {
	tab, origin := openTab(t), client(t)
	s := testkit.Start(t, "cors.origins="+origin)
	end := visit(t, tab, origin, s, "mike@example.com")
	users, err := s.App.Store.ListUsers(t.Context(), "", 10)
	if err != nil || len(users) != 1 {
		t.Fatalf("%d users (%v); the page: %+v", len(users), err, end)
	}
	if end.Error != "" || end.Profile == nil || end.Profile.ID != users[0].ID || end.Profile.Email != "mike@example.com" {
		t.Errorf("the page ended with %+v", end)
	}

	// The control of the test below: from a listed origin the same form reaches the sign-up.
	visit(t, tab, origin, s, "jane@example.com")
	if status, text := submit(t, tab); status != http.StatusConflict || !strings.Contains(text, "email_taken") {
		t.Errorf("form of a listed origin: %d %s", status, text)
	}
}

func TestBrowserOfAnotherOrigin(t *testing.T) {
	tab, origin := openTab(t), client(t)
	for name, s := range map[string]*testkit.Server{
		"CORS off":             testkit.Start(t),
		"another origin":       testkit.Start(t, "cors.origins=https://app.example.com"),
		"the other scheme":     testkit.Start(t, "cors.origins="+strings.Replace(origin, "http:", "https:", 1)),
		"the same host's name": testkit.Start(t, "cors.origins="+strings.Replace(origin, "127.0.0.1", "localhost", 1)),
	} {
		t.Run(name, func(t *testing.T) {
			if end := visit(t, tab, origin, s, "mike@example.com"); end.Error != "TypeError" {
				t.Errorf("fetch was not blocked: %+v", end)
			}
			if list := emails(t, s); list != nil {
				t.Errorf("fetch made %s", list)
			}
			if log := s.Log(); !strings.Contains(log, `"method":"OPTIONS","path":"/signup"`) || strings.Contains(log, `"method":"POST"`) {
				t.Errorf("not the preflight alone has come:\n%s", log)
			}
			// A form needs no preflight: the server itself has to refuse it.
			if status, text := submit(t, tab); status != http.StatusForbidden || !strings.Contains(text, "cross_origin") {
				t.Errorf("form: %d %s", status, text)
			}
			if list := emails(t, s); list != nil {
				t.Errorf("a form made %s", list)
			}
		})
	}
}

// submit sends the form of the client's page and returns the answer that the browser then shows.
func submit(t *testing.T, ctx context.Context) (status int64, text string) {
	t.Helper()
	res, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS("button")))
	if err != nil {
		t.Fatal(err)
	}
	return res.Status, run(t, ctx, chromedp.Text(chromedp.CSS("body")))
}

func TestBrowserShowsDocs(t *testing.T) {
	tab, s := openTab(t), testkit.Start(t)
	events := watch(t, tab)
	do(t, tab, chromedp.EmulateViewport(390, 844), chromedp.Navigate(s.URL+"/docs"))
	text := run(t, tab, chromedp.Text(chromedp.CSS("main")))
	for _, route := range documentedRoutes(t, s) {
		if !strings.Contains(text, route) {
			t.Errorf("the page does not name %s:\n%s", route, text)
		}
	}
	if width := run(t, tab, chromedp.Evaluate[int]("document.documentElement.scrollWidth")); width != 390 {
		t.Errorf("a screen 390 wide has to scroll to %d", width)
	}

	if _, err := chromedp.Call(tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	do(t, tab, chromedp.Navigate(s.URL+"/docs"))
	if got := run(t, tab, chromedp.Text(chromedp.CSS("main"))); got != text {
		t.Errorf("without scripts the page says something else:\n%s", got)
	}

	requests, troubles := events()
	for _, u := range requests {
		if u != s.URL+"/docs" {
			t.Errorf("the page asks for %s", u)
		}
	}
	if len(requests) != 2 {
		t.Errorf("saw %d requests, want that of either visit", len(requests))
	}
	for _, trouble := range troubles {
		t.Error(trouble)
	}
}

// documentedRoutes returns the routes of the OpenAPI document, as method and path.
func documentedRoutes(t *testing.T, s *testkit.Server) (routes []string) {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]any
	}
	if err := json.Unmarshal([]byte(s.Do(t, s.Request(t, http.MethodGet, "/openapi.json", "")).Body), &doc); err != nil {
		t.Fatal(err)
	}
	for path, methods := range doc.Paths {
		for method := range methods {
			routes = append(routes, strings.ToUpper(method)+" "+path)
		}
	}
	if len(routes) == 0 {
		t.Fatal("the OpenAPI document has no route")
	}
	return routes
}

// watch listens to the tab. The func that it returns tells which addresses were asked for, and what went wrong: failed
// requests, errors, anything on the console. The browser reports what breaks the page's policy there.
func watch(t *testing.T, ctx context.Context) func() (requests, troubles []string) {
	t.Helper()
	var mu sync.Mutex
	var requests, troubles []string
	err := chromedp.Listen(ctx, func(ev any) {
		mu.Lock()
		defer mu.Unlock()
		trouble := func(format string, args ...any) { troubles = append(troubles, fmt.Sprintf(format, args...)) }
		switch ev := ev.(type) {
		case *network.EventRequestWillBeSent:
			requests = append(requests, ev.Request.URL)
		case *network.EventResponseReceived:
			if ev.Response.Status >= 400 {
				trouble("%s: %d", ev.Response.URL, ev.Response.Status)
			}
		case *network.EventLoadingFailed:
			trouble("loading failed: %s %s", ev.ErrorText, ev.BlockedReason)
		case *runtime.EventConsoleAPICalled:
			trouble("console.%s", ev.Type)
		case *runtime.EventExceptionThrown:
			trouble("exception: %s", ev.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			trouble("%s: %s", ev.Entry.Level, ev.Entry.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return func() ([]string, []string) {
		mu.Lock()
		defer mu.Unlock()
		return requests, troubles
	}
}
