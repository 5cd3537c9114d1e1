package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"
)

// A request is what is sent over and over.
type request struct {
	method string
	path   string
	header http.Header
	body   string
	// tokens is a file with a token a line, tokenCount in all, of which wrk sends
	// each in the Authorization header once, and then again from the beginning.
	tokens     string
	tokenCount int
}

// A wrkLoad is one kind of load by wrk.
type wrkLoad struct {
	title string
	// prepare gives the request for one server, whose account exists. It runs
	// before every round, so that no token grows old.
	prepare func(context.Context, *instance) (request, error)
	// want is in every right answer.
	want string
}

var profileLoad = wrkLoad{
	title: "GET /user/profile with an HS256 token",
	prepare: func(ctx context.Context, i *instance) (request, error) {
		token, err := i.logIn(ctx, i.account)
		return profileRequest(token), err
	},
	want: "You made it to the secure route",
}

func profileRequest(token string) request {
	return request{
		method: http.MethodGet,
		path:   "/user/profile",
		header: http.Header{"Authorization": {"Bearer " + token}},
	}
}

// profile compares reads of the profile, and what the servers take to start.
func (b *bench) profile(ctx context.Context) (section, error) {
	servers, err := b.profileServers(ctx)
	if err != nil {
		return nil, err
	}
	rows := make([]*row, len(servers))
	for i, s := range servers {
		if rows[i], err = b.bringUp(ctx, s); err != nil {
			return nil, err
		}
	}
	if err := b.load(ctx, profileLoad, rows); err != nil {
		return nil, err
	}
	return newProfileReport(b.options, profileLoad, rows), nil
}

// load runs the rounds. They alternate over the servers, so that a machine
// that slows down halfway slows all of them.
func (b *bench) load(ctx context.Context, l wrkLoad, rows []*row) error {
	if b.warmup > 0 {
		b.progress("warming up, %v each", b.warmup)
		for _, r := range rows {
			if _, err := b.once(ctx, l, r.instance, b.warmup); err != nil {
				return err
			}
		}
	}
	for n := range b.rounds {
		for _, r := range rows {
			got, err := b.once(ctx, l, r.instance, b.duration)
			if err != nil {
				return err
			}
			r.samples = append(r.samples, got)
			b.progress("round %d of %d: %s: %s req/s", n+1, b.rounds, r.label, thousands(got.perSecond))
		}
	}
	return nil
}

func (b *bench) once(ctx context.Context, l wrkLoad, i *instance, d time.Duration) (sample, error) {
	req, err := l.prepare(ctx, i)
	if err != nil {
		return sample{}, err
	}
	return b.hammer(ctx, l, i, req, d)
}

// probe sends r once and looks at the answer, which wrk does not: to wrk any
// status under 400 is well.
func (l wrkLoad) probe(ctx context.Context, i *instance, r request) error {
	body, err := i.do(ctx, r)
	if err != nil {
		return err
	}
	if !bytes.Contains(body, []byte(l.want)) {
		return fmt.Errorf("%s: %s %s answered 200 without %q", i.label, r.method, r.path, l.want)
	}
	return nil
}
