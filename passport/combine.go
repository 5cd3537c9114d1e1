package passport

import (
	"net/http"
	"slices"

	"github.com/countersign-auth/countersign/problem"
)

// conclude decides for an ordered fallback in which no strategy succeeded. See Guard.Check for the rules.
func (g *Guard[U]) conclude(res Result[U]) Result[U] {
	decisive := -1
	for i, f := range res.Failures {
		if !f.Absent && (decisive < 0 || weight(f.Failure) > weight(res.Failures[decisive].Failure)) {
			decisive = i
		}
	}
	switch {
	case decisive >= 0:
	case g.opt.Optional:
		res.Kind, res.Failures = Passed, nil
		return res
	case len(g.strategies) == 1 && len(res.Failures) == 1:
		decisive = 0
	}
	res.Kind = Failed
	res.Problem = g.answer(res.Failures, decisive, g.strategies[0].Name)
	return res
}

// refuse makes res the failure of one strategy of an all-of guard.
func (g *Guard[U]) refuse(res Result[U], strategy string) Result[U] {
	res.Kind, res.Identity = Failed, Identity[U]{}
	res.Problem = g.answer(res.Failures, len(res.Failures)-1, strategy)
	return res
}

// weight orders the failures of strategies that found credentials: 401 comes last.
func weight(f Failure) int {
	if s := f.status(); s != http.StatusUnauthorized {
		return s
	}
	return 0
}

// answer builds the problem that a client sees from the decisive failure; -1 means that there is none. The name is of
// the strategy after which a challenge is called when no strategy has one.
func (g *Guard[U]) answer(failures []NamedFailure, decisive int, name string) *problem.Error {
	p := problem.Error{Status: http.StatusUnauthorized, Code: "unauthorized", Detail: "This needs credentials."}
	if decisive >= 0 && failures[decisive].Problem != nil {
		p = *failures[decisive].Problem // a copy: strategies may share theirs between requests
		p.Status = failures[decisive].status()
	}
	if p.Status != http.StatusUnauthorized {
		return &p
	}
	p.Challenges = nil
	var lines []string
	for _, f := range failures {
		for _, c := range f.challenges() {
			if line := c.String(); !slices.Contains(lines, line) {
				lines, p.Challenges = append(lines, line), append(p.Challenges, c)
			}
		}
	}
	if p.Challenges == nil {
		c := problem.Challenge{Scheme: name}
		if g.opt.Realm != "" {
			c.Params = []problem.Param{{Name: "realm", Value: g.opt.Realm}}
		}
		p.Challenges = []problem.Challenge{c}
	}
	return &p
}

func (f Failure) status() int {
	if f.Problem == nil || f.Problem.Status == 0 {
		return http.StatusUnauthorized
	}
	return f.Problem.Status
}

func (f Failure) challenges() []problem.Challenge {
	if f.Problem != nil && len(f.Problem.Challenges) > 0 {
		return f.Problem.Challenges
	}
	return f.Challenges
}
