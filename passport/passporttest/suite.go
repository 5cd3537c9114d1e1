package passporttest

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"testing"

	"github.com/countersign-auth/countersign/passport"
)

// Suite describes a strategy to [Run] and [Check]. Functions that make requests return a new one at each call, as a
// server would see it: httptest.NewRequest does.
type Suite[U any] struct {
	// New returns the strategy under test. Required.
	New func() (passport.Strategy[U], error)
	// Same compares users; nil is [reflect.DeepEqual].
	Same func(a, b U) bool

	// Valid are requests that succeed, of at least two users. Required.
	Valid []Valid[U]
	// Absent are requests without any credentials for this strategy. Required.
	Absent []func() *http.Request
	// Refused are requests with well-formed credentials that are wrong; they are answered with 401 or 403. Required.
	Refused []func() *http.Request
	// Twice are requests that carry good credentials in two values at once: they are a 4xx. Required.
	Twice []func() *http.Request
	// Malformed are requests with credentials that cannot be read; they are a 4xx.
	Malformed []func() *http.Request
	// InQuery are requests whose good credentials stand in the URL's query alone: they do not succeed. Required unless
	// the strategy ReadsQuery on purpose.
	InQuery    []func() *http.Request
	ReadsQuery bool

	// Broken returns the strategy with a back end that always fails, and Hanging with one that answers only when the
	// context ends. Required unless NoBackend says that it needs none to judge a request.
	Broken, Hanging func() (passport.Strategy[U], error)
	NoBackend       bool

	// Secrets are the secret parts of the requests above. No failure and no error may repeat one.
	Secrets []string
	// Scheme is that of the challenge that a 401 of this strategy carries. Empty means that it may have none.
	Scheme string
}

// Valid is a request that succeeds and the user that it belongs to.
type Valid[U any] struct {
	Request func() *http.Request
	User    U
}

// Finding is a breach of the contract.
type Finding struct {
	// Rule is the name of the rule: see [Check].
	Rule string
	// Detail says what happened.
	Detail string
}

// String returns the rule and the detail.
func (f Finding) String() string { return f.Rule + ": " + f.Detail }

// Run reports each breach of a rule as a failure of a sub-test of that name. It includes the rule "panic".
func Run[U any](t *testing.T, s Suite[U]) {
	t.Helper()
	findings := Check(s)
	for _, rule := range ruleNames() {
		t.Run(rule, func(t *testing.T) {
			for _, f := range findings {
				if f.Rule == rule {
					t.Error(f.Detail)
				}
			}
		})
	}
}

// Check returns all breaches that it finds, none for a good strategy. The rules are
//
//	suite       the suite itself is complete and New works
//	panic       no request makes the strategy panic
//	timeout     every answer comes within seconds
//	success     valid requests succeed with the right user
//	user        a success has a user, neither nil nor zero
//	absent      a request without credentials passes or fails, marked Absent
//	refused     wrong credentials fail with 401 or 403, not marked Absent
//	malformed   credentials that cannot be read fail with a 4xx
//	twice       two values of credentials fail with a 4xx
//	query       credentials in the query do not succeed
//	challenge   a 401 carries the challenge of the scheme
//	hostile     odd requests neither succeed nor count as technical faults
//	request     the request is as it was: method, URL, header, context
//	body        the body can be read again
//	unbounded   a body without end is refused before 8 MiB of it are read
//	broken body a body that breaks off is a failure, neither a success nor a technical fault
//	fault       a back end that is down is an error, never an outcome
//	cancel      the end of the context ends the work
//	state       an answer does not depend on the requests before
//	concurrent  goroutines with several users get their own answers
//	outcome     an outcome does not change after it was returned
//	secrets     no failure and no error repeats a secret
func Check[U any](s Suite[U]) []Finding {
	c := &checker[U]{suite: s, seen: map[Finding]bool{}}
	if err := s.complete(); err != nil {
		c.report("suite", "%v", err)
		return c.findings
	}
	if c.suite.Same == nil {
		c.suite.Same = func(a, b U) bool { return reflect.DeepEqual(a, b) }
	}
	strategy, err := s.New()
	if err != nil || strategy == nil {
		c.report("suite", "New: strategy %v, error %v", strategy, err)
		return c.findings
	}
	c.strategy = strategy
	c.valid()
	c.failures()
	c.hostile()
	c.bodies()
	c.backends()
	c.stateless()
	c.outcomes()
	c.concurrent()
	return c.findings
}

func ruleNames() []string {
	return []string{"suite", "panic", "timeout", "success", "user", "absent", "refused", "malformed", "twice", "query", "challenge",
		"hostile", "request", "body", "unbounded", "broken body", "fault", "cancel", "state", "concurrent", "outcome", "secrets"}
}

func (s *Suite[U]) complete() error {
	var errs []error
	want := func(ok bool, what string) {
		if !ok {
			errs = append(errs, fmt.Errorf("the suite needs %s", what))
		}
	}
	want(s.New != nil, "New")
	want(len(s.Valid) >= 2, "two Valid requests of different users")
	want(len(s.Absent) > 0, "an Absent request")
	want(len(s.Refused) > 0, "a Refused request")
	want(len(s.Twice) > 0, "a request with credentials Twice")
	want(len(s.InQuery) > 0 || s.ReadsQuery, "InQuery, or ReadsQuery")
	want(s.Broken != nil && s.Hanging != nil || s.NoBackend, "Broken and Hanging, or NoBackend")
	return errors.Join(errs...)
}
