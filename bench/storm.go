package main

import (
	"context"
	"slices"
	"time"
)

const (
	stormReaders = 8
	stormLogins  = 64
)

// A stormRow is one server that people read from when all the others come to
// log in. There is one sight of each kind a round.
type stormRow struct {
	*instance
	other    bool // not the subject, but another build of it
	requests [][]byte

	calm  []sight // the readers alone
	storm []sight // readers, then logins
	alone []sight // the logins without the readers
}

// storm shows what a rush of logins leaves to those who read, and the readers to it.
func (b *bench) storm(ctx context.Context) (section, error) {
	rows, err := b.stormRows(ctx)
	if err != nil {
		return nil, err
	}
	if b.neighbour {
		argv, err := jobArgv(jobSpin)
		if err != nil {
			return nil, err
		}
		if _, err := b.start(ctx, "neighbour", argv, nil); err != nil {
			return nil, err
		}
	}
	for n := range b.rounds {
		for _, r := range rows {
			if err := b.stormRound(ctx, r); err != nil {
				return nil, err
			}
			b.progress("round %d of %d: %s: %.0f %% of the reads, %.0f %% of the logins", n+1, b.rounds, r.label,
				100*r.readsKept()[n], 100*r.loginsKept()[n])
		}
	}
	return newStormReport(b.options, rows), nil
}

func (b *bench) stormRows(ctx context.Context) ([]*stormRow, error) {
	servers, err := b.loginServers(ctx)
	if err != nil {
		return nil, err
	}
	if b.otherBinary != "" {
		other := b.countersign("other", b.otherLabel, newSecret())
		other.argv[0] = b.otherBinary
		servers = slices.Insert(servers, 1, other) // -other-binary needs Countersign in the run
	}
	rows := make([]*stormRow, len(servers))
	for i, s := range servers {
		up, err := b.bringUp(ctx, s)
		if err != nil {
			return nil, err
		}
		rows[i] = &stormRow{instance: up.instance, other: s.name == "other"}
		if rows[i].requests, err = up.loginRequests(ctx); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func (b *bench) stormRound(ctx context.Context, r *stormRow) error {
	read, err := profileLoad.prepare(ctx, r.instance)
	if err != nil {
		return err
	}
	wire, err := read.wire(r.addr())
	if err != nil {
		return err
	}
	reads := crowd{Name: "reads", Clients: stormReaders, Requests: [][]byte{wire}, Want: []byte(profileLoad.want)}
	logins := loginCrowd(stormLogins, r.requests)
	logins.MayRefuse = true
	for _, phase := range []struct {
		seen   *[]sight
		crowds []crowd
	}{
		{&r.calm, []crowd{reads}},
		{&r.storm, []crowd{reads, logins}},
		{&r.alone, []crowd{logins}},
	} {
		seen, err := b.observe(ctx, r.instance, phase.crowds...)
		if err != nil {
			return err
		}
		*phase.seen = append(*phase.seen, seen)
	}
	return nil
}

// readsKept is what the storm left of the reads a second, in each round.
func (r *stormRow) readsKept() []float64 {
	return shares(valuesOf(r.storm, perSecond), valuesOf(r.calm, perSecond))
}

// loginsKept is what the readers left of the logins a second, in each round.
func (r *stormRow) loginsKept() []float64 {
	return shares(valuesOf(r.storm, stormLoginRate), valuesOf(r.alone, perSecond))
}

func stormLoginRate(s sight) float64       { return s.Crowds[1].PerSecond }
func stormRefused(s sight) float64         { return s.Crowds[1].Refused }
func stormLoginWait(s sight) time.Duration { return s.Crowds[1].P50 }

func shares(part, whole []float64) []float64 {
	out := make([]float64, len(part))
	for i := range part {
		out[i] = part[i] / whole[i]
	}
	return out
}
