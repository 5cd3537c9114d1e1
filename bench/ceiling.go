package main

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A pair is two servers under the same load, one right after the other in each
// round, so that whatever the machine does meanwhile it does to both. What is of
// interest is the ratio.
type pair struct {
	label         string
	atLeast       float64 // is wanted of both ratios; 0 for none
	ours, ceiling *instance
	load          func(context.Context, time.Duration) (wrkLoad, error)
	rounds        []pairSample
}

type pairSample struct{ ours, ceiling sample }

// perRequest is the server's CPU time for one.
func (s sample) perRequest() time.Duration {
	return time.Duration(s.serverCPU / s.perSecond * float64(time.Second))
}

func (s pairSample) ofRate() float64 { return s.ours.perSecond / s.ceiling.perSecond }
func (s pairSample) ofCPU() float64 {
	return float64(s.ceiling.perRequest()) / float64(s.ours.perRequest())
}

// ceiling compares the profile route with what the same server can do at all.
func (b *bench) ceiling(ctx context.Context) (section, error) {
	pairs, err := b.pairs(ctx)
	if err != nil {
		return nil, err
	}
	if err := b.runPairs(ctx, pairs); err != nil {
		return nil, err
	}
	return newPairsReport(pairsReport{
		options: b.options, pairs: pairs, title: "The profile route and its ceiling", ceiling: "ceiling",
		about: "GET /user/profile with the token in the header, beside the same http.Server and middleware around a handler that writes a " +
			"constant answer of that length.",
	}), nil
}

// runPairs loads all pairs in each round.
func (b *bench) runPairs(ctx context.Context, pairs []*pair) error {
	if b.warmup > 0 {
		b.progress("warming up, %v each", b.warmup)
		for _, p := range pairs {
			if _, err := b.pairRound(ctx, p, 0, b.warmup); err != nil {
				return err
			}
		}
	}
	for n := range b.rounds {
		for _, p := range pairs {
			s, err := b.pairRound(ctx, p, n, b.duration)
			if err != nil {
				return err
			}
			p.rounds = append(p.rounds, s)
			b.progress("round %d of %d: %s: %s req/s, %.3f of the ceiling; %.3f by CPU", n+1, b.rounds, p.label,
				thousands(s.ours.perSecond), s.ofRate(), s.ofCPU())
		}
	}
	return nil
}

// pairRound loads both, in the one order and in the other by turns.
func (b *bench) pairRound(ctx context.Context, p *pair, n int, d time.Duration) (s pairSample, err error) {
	l, err := p.load(ctx, d)
	if err != nil {
		return s, err
	}
	req, err := l.prepare(ctx, p.ours)
	if err != nil {
		return s, err
	}
	one := func(i *instance, into *sample) func() error {
		return func() (err error) {
			own := l
			if i.constant {
				own.want = ""
			}
			*into, err = b.hammer(ctx, own, i, req, d)
			return err
		}
	}
	order := []func() error{one(p.ours, &s.ours), one(p.ceiling, &s.ceiling)}
	if n%2 == 1 {
		order[0], order[1] = order[1], order[0]
	}
	for _, load := range order {
		if err := load(); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (b *bench) pairs(ctx context.Context) ([]*pair, error) {
	secret := newSecret()
	ours := func(name, secret string, env ...string) (*instance, error) {
		s := b.countersign(name, "Countersign ("+name+")", secret)
		s.env = append(s.env, env...)
		up, err := b.bringUp(ctx, s)
		if err != nil {
			return nil, err
		}
		return up.instance, nil
	}
	hs, err := ours("hs256", secret)
	if err != nil {
		return nil, err
	}
	logging, err := ours("hs256-log", secret, "COUNTERSIGN_ACCESS_LOG=on") // to stderr, which is a file here
	if err != nil {
		return nil, err
	}
	top, err := b.ceilingOf(ctx, hs)
	if err != nil {
		return nil, err
	}
	naked, err := b.ceilingOf(ctx, hs, "-naked")
	if err != nil {
		return nil, err
	}
	pairs := []*pair{{label: "HS256, warm", atLeast: 0.95, ours: hs, ceiling: top, load: oneToken}}
	for _, alg := range []string{"ES256", "RS256"} {
		i, err := ours(strings.ToLower(alg), "", "COUNTERSIGN_JWT_ALGORITHM="+alg)
		if err != nil {
			return nil, err
		}
		own, err := b.ceilingOf(ctx, i) // a longer token makes a longer answer
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, &pair{label: alg + ", warm", atLeast: 0.95, ours: i, ceiling: own, load: oneToken})
	}
	return append(pairs,
		&pair{label: "HS256, warm, access log to a file", atLeast: 0.80, ours: logging, ceiling: top, load: oneToken},
		&pair{label: "HS256, every token new", atLeast: 0.75, ours: hs, ceiling: top, load: b.newTokens(hs, secret)},
		&pair{label: "HS256, warm, to a naked net/http handler", ours: hs, ceiling: naked, load: oneToken},
		&pair{label: "The ceiling itself, to a naked net/http handler", ours: top, ceiling: naked, load: tokenOf(hs)},
	), nil
}

// ceilingOf starts the server that answers as many bytes as i does to a profile.
func (b *bench) ceilingOf(ctx context.Context, i *instance, flags ...string) (*instance, error) {
	req, err := profileLoad.prepare(ctx, i)
	if err != nil {
		return nil, err
	}
	body, err := i.do(ctx, req)
	if err != nil {
		return nil, err
	}
	up, err := b.bringUp(ctx, server{
		name:     strings.Join(append([]string{"ceiling", i.server.name}, flags...), "-"),
		label:    strings.Join(append([]string{"ceiling of " + i.label}, flags...), " "),
		group:    groupCountersign,
		constant: true,
		argv:     append([]string{b.binary("constant"), "-length", strconv.Itoa(len(body))}, flags...),
		env:      []string{b.goMaxProcs()},
		listen: func(addr string) (arg, env []string) {
			return []string{"-listen", addr}, nil
		},
		readyPath: "/", readyStatus: http.StatusOK,
	})
	if err != nil {
		return nil, err
	}
	return up.instance, nil
}

// oneToken is a load with a token that comes again and again.
func oneToken(context.Context, time.Duration) (wrkLoad, error) { return profileLoad, nil }

// tokenOf is the load with a token of i, whoever it is sent to.
func tokenOf(i *instance) func(context.Context, time.Duration) (wrkLoad, error) {
	return func(context.Context, time.Duration) (wrkLoad, error) {
		l := profileLoad
		l.prepare = func(ctx context.Context, _ *instance) (request, error) { return profileLoad.prepare(ctx, i) }
		return l, nil
	}
}
