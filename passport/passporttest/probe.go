package passporttest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/countersign-auth/countersign/passport"
	"github.com/countersign-auth/countersign/problem"
)

// patience is how long an answer may take. Password hashing on a slow machine under the race detector must fit.
const patience = 20 * time.Second

type checker[U any] struct {
	suite    Suite[U]
	strategy passport.Strategy[U]

	mu       sync.Mutex
	seen     map[Finding]bool
	findings []Finding
}

func (c *checker[U]) report(rule, format string, args ...any) {
	f := Finding{Rule: rule, Detail: fmt.Sprintf(format, args...)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.seen[f] {
		c.seen[f] = true
		c.findings = append(c.findings, f)
	}
}

// answer is what came of one call. ok is false when there was none: it panicked or did not return.
type answer[U any] struct {
	outcome passport.Outcome[U]
	err     error
	ok      bool
}

func (a answer[U]) succeeded() bool {
	return a.ok && a.err == nil && a.outcome.Kind() == passport.Succeeded
}

func (a answer[U]) String() string {
	switch {
	case !a.ok:
		return "no answer"
	case a.err != nil:
		return "error"
	}
	if f, ok := a.outcome.Failure(); ok {
		return fmt.Sprintf("failure %d (absent %v)", status(f), f.Absent)
	}
	return a.outcome.Kind().String()
}

// call asks a strategy and reports what no answer may have.
func (c *checker[U]) call(s passport.Strategy[U], r *http.Request) answer[U] {
	done := make(chan answer[U], 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				c.report("panic", "%v at %s", v, place(debug.Stack()))
				done <- answer[U]{}
			}
		}()
		o, err := s.Authenticate(r)
		done <- answer[U]{o, err, true}
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case a := <-done:
		c.inspect(a)
		return a
	case <-timer.C:
		c.report("timeout", "%s %s: no answer in %v", r.Method, r.URL.Path, patience)
		return answer[U]{}
	}
}

// place is the frame that panicked, without the addresses that differ from call to call.
func place(stack []byte) string {
	lines := strings.Split(string(stack), "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, "panic(") && i+3 < len(lines) {
			file, _, _ := strings.Cut(strings.TrimSpace(lines[i+3]), " ")
			return file
		}
	}
	return "an unknown place"
}

func (c *checker[U]) inspect(a answer[U]) {
	if !a.ok {
		return
	}
	text := ""
	if a.err != nil {
		text = a.err.Error()
	} else if f, ok := a.outcome.Failure(); ok {
		text = describe(f)
		if f.Problem != nil && f.Problem.Cause != nil {
			text += f.Problem.Cause.Error()
		}
		c.challenge(f)
		if st := status(f); st < 400 || st > 499 {
			c.report("refused", "a failure has the status %d", st)
		}
	} else if a.outcome.Kind() == passport.Undecided {
		c.report("success", "the outcome is the zero Outcome")
	}
	for _, secret := range c.suite.Secrets {
		if secret != "" && strings.Contains(text, secret) {
			c.report("secrets", "a failure or an error repeats a secret of the request")
		}
	}
}

func (c *checker[U]) challenge(f passport.Failure) {
	if c.suite.Scheme == "" || status(f) != http.StatusUnauthorized {
		return
	}
	list := f.Challenges
	if f.Problem != nil && len(f.Problem.Challenges) > 0 {
		list = f.Problem.Challenges
	}
	for _, ch := range list {
		if strings.EqualFold(ch.Scheme, c.suite.Scheme) {
			return
		}
	}
	c.report("challenge", "a 401 has no %s challenge", c.suite.Scheme)
}

// ask calls the strategy under test with a new request and checks that it left the request alone.
func (c *checker[U]) ask(build func() *http.Request) answer[U] {
	r := build()
	body := drain(r)
	method, url, header, host, ctx := r.Method, *r.URL, r.Header.Clone(), r.Host, r.Context()
	a := c.call(c.strategy, r)
	if !a.ok {
		return a
	}
	if r.Method != method || r.Host != host || !reflect.DeepEqual(*r.URL, url) || !reflect.DeepEqual(r.Header, header) || r.Context() != ctx {
		c.report("request", "the strategy changed the method, the URL, the header, the host or the context")
	}
	var again []byte
	var err error
	if r.Body != nil {
		again, err = io.ReadAll(r.Body)
	}
	if err != nil || !bytes.Equal(again, body) {
		c.report("body", "of %d bytes of the body, the next reader gets %d (%v)", len(body), len(again), err)
	}
	return a
}

// drain reads r's body and puts it back.
func drain(r *http.Request) []byte {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	data, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(data))
	return data
}

func status(f passport.Failure) int {
	if f.Problem == nil || f.Problem.Status == 0 {
		return http.StatusUnauthorized
	}
	return f.Problem.Status
}

// describe puts all that a client could see of a failure into one text.
func describe(f passport.Failure) string {
	p := f.Problem
	if p == nil {
		p = &problem.Error{}
	}
	return fmt.Sprintf("%d %s %s %+v %v %v %v", p.Status, p.Code, p.Detail, p.Fields, p.Challenges, f.Challenges, f.Absent)
}

func withContext(build func() *http.Request, ctx context.Context) func() *http.Request {
	return func() *http.Request { return build().WithContext(ctx) }
}
