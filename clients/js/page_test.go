package js_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/countersign-auth/countersign/internal/testkit/need"
)

// servePage serves a page that has a client, auth, of the server in ?api=, or of the page's own origin. What happens to its session is
// in events.
func servePage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte(`<!doctype html>
<meta charset="utf-8">
<title>A page with a client</title>
<script type="module">
import * as countersign from "/client/index.js";
const query = new URLSearchParams(location.search);
const events = [];
const auth = countersign.createClient({ baseURL: query.get("api") ?? location.origin, session: query.get("session") ?? "token" });
auth.onChange((event) => events.push(event.reason === undefined ? event.type : event.type + " " + event.reason));
Object.assign(window, { countersign, auth, events });
</script>`))
}

// browser is a Chromium with one profile.
type browser struct{ ctx context.Context }

// openBrowser starts one for the test, which lasts two minutes at most.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Minute) // not t.Context(): it ends before the clean-up
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
	return &browser{ctx}
}

// tab is a tab with a page of the gate.
type tab struct{ ctx context.Context }

// open opens a page in a new tab and waits for its client.
func (b *browser) open(t *testing.T, url string) *tab {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(b.ctx)
	t.Cleanup(closeTab)
	opened := &tab{ctx}
	opened.load(t, chromedp.Navigate(url))
	return opened
}

// reload loads the page of the tab anew.
func (p *tab) reload(t *testing.T) {
	t.Helper()
	p.load(t, chromedp.Reload())
}

func (p *tab) load(t *testing.T, action chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(p.ctx, action); err != nil {
		t.Fatal(err)
	}
	p.until(t, "window.auth !== undefined")
}

// until waits until an expression is true in the page.
func (p *tab) until(t *testing.T, expression string) {
	t.Helper()
	if _, err := chromedp.Run(p.ctx, chromedp.Poll[bool]("Boolean("+expression+")")); err != nil {
		t.Fatalf("%s: %v; events: %s", expression, err, p.run(t, "events"))
	}
}

// run runs the body of an async function in the page and returns what it returns as JSON, or the name and code of what it throws.
func (p *tab) run(t *testing.T, expression string) string {
	t.Helper()
	text, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](`(async () => {
		try {
			return JSON.stringify(await (async () => (`+expression+`))()) ?? "undefined";
		} catch (error) {
			return error.name + " " + (error.code ?? "");
		}
	})()`, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return text
}

// want fails the test if the expression is not that JSON in the page.
func (p *tab) want(t *testing.T, expression, want string) {
	t.Helper()
	if got := p.run(t, expression); got != want {
		t.Fatalf("%s is %s, want %s", expression, got, want)
	}
}

// quote returns a text as JavaScript.
func quote(text string) string {
	b, _ := json.Marshal(text) // a string has no error
	return string(b)
}
