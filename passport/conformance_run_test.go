package passport_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// run runs the row in our library.
func (row *tableRow) run(t *testing.T) observation {
	t.Helper()
	switch row.Kind {
	case "sign":
		return row.Sign.run()
	case "verify":
		return row.Verify.run(t)
	case "bcrypt":
		return row.Bcrypt.run(t)
	}
	a, h, err := row.build()
	if err != nil {
		return observation{Outcome: object{"refused_at_start": true}, Says: err.Error()}
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c := &tableClient{t: t, server: server}
	switch {
	case row.Kind == "cancel":
		return a.cancel(c)
	case len(row.Concurrent) > 0:
		return c.concurrently(row.Concurrent)
	case row.Request == nil:
		return observation{Outcome: object{}}
	}
	if row.SessionBefore != nil {
		c.send(t.Context(), &tableRequest{Method: "POST", Path: "/__seed"})
	}
	for _, r := range row.Before {
		c.send(t.Context(), &r)
	}
	before := c.cookie
	out, body := c.send(t.Context(), row.Request)
	c.observeSession(a, before, out)
	return observation{Outcome: asJSON(out).(object), Says: body}
}

// observeSession says what is left in the session, and whether it is another one than before.
func (c *tableClient) observeSession(a *tableApp, before string, out object) {
	after := c.cookie
	living := a.store.Len()
	dump, _ := c.send(c.t.Context(), &tableRequest{Path: "/__session"})
	data := object{}
	for k, v := range dump {
		switch k {
		case "status", "type", "body", "cache":
		default:
			data[k] = v
		}
	}
	if len(data) > 0 {
		out["session"] = data
	}
	if after != "" && living > 0 {
		out["session_id"] = "new"
		if after == before {
			out["session_id"] = "same"
		}
	}
	if before == "" || before == after {
		return
	}
	// The store held this one session and no other, so the old one lives if there is one more than there should be.
	out["old_session"] = "dead"
	expected := 0
	if after != "" {
		expected = 1
	}
	if living > expected {
		out["old_session"] = "alive"
	}
}

// tableClient keeps one cookie and follows no redirect.
type tableClient struct {
	t      *testing.T
	server *httptest.Server
	cookie string
}

// send returns what came of a request, with the members of a JSON answer, and the text of the body.
func (c *tableClient) send(ctx context.Context, spec *tableRequest) (object, string) {
	c.t.Helper()
	req := spec.request(c.t, ctx, c.server.URL)
	if c.cookie != "" && req.Header.Get("Cookie") == "" {
		req.Header.Set("Cookie", c.cookie)
	}
	client := *c.server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client.Timeout = 10 * time.Second
	resp, err := client.Do(req)
	if err != nil {
		if ctx.Err() == nil {
			c.t.Fatal(err)
		}
		return object{"hung": true}, ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, set := range resp.Cookies() {
		if c.cookie = set.Name + "=" + set.Value; set.MaxAge < 0 {
			c.cookie = ""
		}
	}
	media, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	out := object{"status": resp.StatusCode, "type": media, "body": string(body)}
	for name, member := range map[string]string{"Location": "location", "Cache-Control": "cache", "X-Error-Class": "error_class"} {
		if v := resp.Header.Get(name); v != "" {
			out[member] = v
		}
	}
	if list := resp.Header.Values("WWW-Authenticate"); len(list) > 0 {
		out["challenges"] = list
	}
	if resp.StatusCode == http.StatusOK && media == "application/json" {
		_ = json.Unmarshal(body, &out)
	}
	return out, string(body)
}

func (spec *tableRequest) request(t testing.TB, ctx context.Context, base string) *http.Request {
	t.Helper()
	body, media := spec.Body, ""
	switch {
	case spec.Form != nil:
		body, media = *spec.Form, "application/x-www-form-urlencoded"
	case spec.JSON != nil:
		data, _ := json.Marshal(spec.JSON)
		body, media = string(data), "application/json"
	}
	method := spec.Method
	if method == "" {
		method = http.MethodGet
		if body != "" {
			method = http.MethodPost
		}
	}
	path := spec.Path
	if path == "" {
		path = "/"
	}
	req, err := http.NewRequestWithContext(ctx, method, base, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	// As it is written: url.Parse would refuse some of what a client may send.
	p, query, _ := strings.Cut(path, "?")
	req.URL.Path, req.URL.RawQuery = p, query
	if unescaped, err := url.PathUnescape(p); err == nil {
		req.URL.Path, req.URL.RawPath = unescaped, p
	}
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	for name, values := range spec.Headers {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	return req
}

func (c *tableClient) concurrently(requests []tableRequest) observation {
	answers := make([]string, len(requests))
	ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for i, r := range requests {
		wg.Go(func() {
			one := &tableClient{t: c.t, server: c.server}
			out, _ := one.send(ctx, &r)
			switch {
			case out["hung"] == true:
				answers[i] = "hung"
			case out["user"] != nil:
				answers[i] = out["user"].(string)
			default:
				answers[i] = fmt.Sprint(out["status"])
			}
		})
	}
	wg.Wait()
	return observation{Outcome: asJSON(object{"answers": answers}).(object)}
}

// cancel leaves while the keys are looked up, and sees whether the look-up is told.
func (a *tableApp) cancel(c *tableClient) observation {
	ctx, leave := context.WithCancel(c.t.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		c.send(ctx, a.row.Request)
	}()
	select {
	case <-a.lookup.began:
	case <-time.After(5 * time.Second):
	}
	leave()
	<-gone
	select {
	case <-a.lookup.cancelled:
	case <-time.After(5 * time.Second):
	}
	return observation{Outcome: object{"lookup_began": closed(a.lookup.began), "lookup_cancelled": closed(a.lookup.cancelled)}}
}
