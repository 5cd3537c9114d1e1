package passporttest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/problem"
)

func (c *checker[U]) valid() {
	for i, v := range c.suite.Valid {
		a := c.ask(v.Request)
		c.right("success", i, a)
		if !a.succeeded() {
			continue
		}
		user, _ := a.outcome.User()
		if rv := reflect.ValueOf(&user).Elem(); rv.IsZero() || rv.Kind() == reflect.Interface && rv.Elem().IsZero() {
			if rv.Type().Size() > 0 {
				c.report("user", "valid request %d succeeds without a user", i)
			}
		}
	}
}

// right reports under rule when a is not the success of the i-th valid request.
func (c *checker[U]) right(rule string, i int, a answer[U]) {
	if !a.ok {
		return
	}
	if !a.succeeded() {
		c.report(rule, "valid request %d: %v", i, a)
		return
	}
	if user, _ := a.outcome.User(); !c.suite.Same(user, c.suite.Valid[i].User) {
		c.report(rule, "valid request %d succeeds as another user", i)
	}
}

func (c *checker[U]) failures() {
	for i, build := range c.suite.Absent {
		c.absent("absent", i, c.ask(build))
	}
	for i, build := range c.suite.Refused {
		c.refused("refused", i, c.ask(build))
	}
	for rule, list := range map[string][]func() *http.Request{"malformed": c.suite.Malformed, "twice": c.suite.Twice} {
		for i, build := range list {
			if a := c.ask(build); a.ok && (a.err != nil || a.outcome.Kind() != passport.Failed) {
				c.report(rule, "request %d: %v", i, a)
			}
		}
	}
	for i, build := range c.suite.InQuery {
		if a := c.ask(build); a.ok && (a.err != nil || a.outcome.Kind() == passport.Succeeded) {
			c.report("query", "request %d: %v", i, a)
		}
	}
}

func (c *checker[U]) absent(rule string, i int, a answer[U]) {
	if !a.ok {
		return
	}
	f, failed := a.outcome.Failure()
	kind := a.outcome.Kind()
	// A redirect is the answer of strategies that send users to a login provider.
	if a.err != nil || kind != passport.Passed && kind != passport.Redirected && !(failed && f.Absent) {
		c.report(rule, "request %d: %v", i, a)
	}
}

func (c *checker[U]) refused(rule string, i int, a answer[U]) {
	if !a.ok {
		return
	}
	f, failed := a.outcome.Failure()
	if a.err != nil || !failed || f.Absent || status(f) != http.StatusUnauthorized && status(f) != http.StatusForbidden {
		c.report(rule, "request %d: %v", i, a)
	}
}

// hostile sends what no client of good will sends.
func (c *checker[U]) hostile() {
	long := strings.Repeat("a", 1<<20)
	for _, h := range [][2]string{
		{"Authorization", ""}, {"Authorization", " "}, {"Authorization", "Bearer"}, {"Authorization", "Bearer "}, {"Authorization", "Basic"},
		{"Authorization", "Basic \x00"}, {"Authorization", "Basic " + long}, {"Authorization", "Bearer " + long}, {"Authorization", ":::"},
		{"Cookie", "=;;=; \xff"}, {"Content-Type", ""}, {"Content-Type", ";"}, {"Content-Type", "application/json; charset=utf-16"},
		{"Content-Encoding", "gzip"}, {"Content-Length", "-1"},
	} {
		c.odd(func() *http.Request {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header[h[0]] = []string{h[1]}
			return r
		})
	}
	for _, media := range []string{"application/json", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain"} {
		for _, body := range []string{"", "{", "null", "[]", `{"a":1}{`, "%", "&&;=", "\xff\xfe", strings.Repeat("[", 100_000), "--\r\n"} {
			c.odd(func() *http.Request {
				r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
				r.Header.Set("Content-Type", media)
				return r
			})
		}
	}
	c.odd(func() *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/?%zz=%&;a", nil)
		r.Body = nil
		r.Header = http.Header{}
		return r
	})
}

func (c *checker[U]) odd(build func() *http.Request) {
	if a := c.ask(build); a.ok && (a.err != nil || a.outcome.Kind() == passport.Succeeded) {
		r := build()
		c.report("hostile", "%s %s with a header of %d fields: %v", r.Method, r.URL.Path, len(r.Header), a)
	}
}

// bodies gives valid requests a body without end and one that breaks off.
func (c *checker[U]) bodies() {
	const limit = 8 << 20 // no credentials are as long
	for i, v := range c.suite.Valid {
		r := v.Request()
		if len(drain(r)) == 0 {
			continue
		}
		endless := &countingBody{limit: limit}
		r.Body, r.ContentLength = endless, -1
		a := c.call(c.strategy, r)
		if n := endless.read.Load(); a.succeeded() || n >= limit {
			c.report("unbounded", "request %d: %v after %d bytes", i, a, n)
		}

		r = v.Request()
		whole := drain(r)
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader(string(whole[:len(whole)/2])), failingReader{}))
		if a := c.call(c.strategy, r); a.ok && (a.err != nil || a.outcome.Kind() != passport.Failed) {
			c.report("broken body", "request %d: %v", i, a)
		}
	}
}

// countingBody is a body of spaces. It ends at its limit only so that a bad strategy ends, too.
type countingBody struct {
	read  atomic.Int64
	limit int64
}

func (b *countingBody) Read(p []byte) (int, error) {
	if b.read.Load() >= b.limit {
		return 0, io.EOF
	}
	n := copy(p, spaces)
	b.read.Add(int64(n))
	return n, nil
}

// spaces is never written to.
var spaces = strings.Repeat(" ", 64<<10)

func (b *countingBody) Close() error { return nil }

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func (c *checker[U]) backends() {
	if c.suite.NoBackend {
		return
	}
	broken, err := c.suite.Broken()
	if err != nil {
		c.report("suite", "Broken: %v", err)
		return
	}
	hanging, err := c.suite.Hanging()
	if err != nil {
		c.report("suite", "Hanging: %v", err)
		return
	}
	for i, v := range c.suite.Valid {
		a := c.call(broken, v.Request())
		switch {
		case !a.ok:
		case a.err == nil:
			c.report("fault", "valid request %d, the back end is down: %v", i, a)
		case problem.From(a.err).Status < 500:
			c.report("fault", "valid request %d, the back end is down: the error has the status %d", i, problem.From(a.err).Status)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	a := c.call(hanging, withContext(c.suite.Valid[0].Request, ctx)())
	if took := time.Since(start); !a.ok || a.err == nil || took > 3*time.Second {
		c.report("cancel", "the context ended after 20 ms: %v after %v", a, took.Round(time.Second))
	}
	if a.ok && a.err != nil && !errors.Is(a.err, context.DeadlineExceeded) && problem.From(a.err).Status < 500 {
		c.report("cancel", "the context ended: the error has the status %d", problem.From(a.err).Status)
	}
}

// stateless asks again after other requests: neither a user nor a refusal may stick.
func (c *checker[U]) stateless() {
	for range 2 {
		for i, v := range c.suite.Valid {
			c.right("state", i, c.ask(v.Request))
			c.absent("state", 0, c.ask(c.suite.Absent[0]))
			c.refused("state", 0, c.ask(c.suite.Refused[0]))
		}
	}
}

// outcomes keeps what was returned and looks at it again later.
func (c *checker[U]) outcomes() {
	var kept []answer[U]
	var texts []string
	for _, list := range [][]func() *http.Request{c.suite.Absent, c.suite.Refused, c.suite.Malformed, c.suite.Twice} {
		for _, build := range list {
			if a := c.ask(build); a.ok && a.err == nil {
				f, _ := a.outcome.Failure()
				kept, texts = append(kept, a), append(texts, describe(f))
			}
		}
	}
	for _, v := range c.suite.Valid {
		c.ask(v.Request)
	}
	for i, a := range kept {
		if f, _ := a.outcome.Failure(); describe(f) != texts[i] {
			c.report("outcome", "a failure changed after it was returned")
		}
	}
}

func (c *checker[U]) concurrent() {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for g := range 64 {
		wg.Go(func() {
			<-start
			for n := range 4 {
				switch i := (g + n) % (len(c.suite.Valid) + 2); {
				case i < len(c.suite.Valid):
					c.right("concurrent", i, c.ask(c.suite.Valid[i].Request))
				case i == len(c.suite.Valid):
					c.absent("concurrent", 0, c.ask(c.suite.Absent[0]))
				default:
					c.refused("concurrent", 0, c.ask(c.suite.Refused[0]))
				}
			}
		})
	}
	close(start)
	wg.Wait()
}
