package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"time"
)

// A pairsReport is the table of what was compared with its ceiling.
type pairsReport struct {
	options
	title   string
	about   string // what was compared with what
	ceiling string // what the ceiling is called in the table
	pairs   []*pair
	targets
}

// newPairsReport judges the pairs of which something is wanted.
func newPairsReport(r pairsReport) *pairsReport {
	for _, p := range r.pairs {
		if p.atLeast == 0 {
			continue
		}
		rate, cpu := medianOf(p.rounds, pairSample.ofRate), medianOf(p.rounds, pairSample.ofCPU)
		r.promise(rate >= p.atLeast, "%s: %.3f of the requests a second; at least %.2f wanted", p.label, rate, p.atLeast)
		r.promise(cpu >= p.atLeast, "%s: %.3f by the CPU time a request; at least %.2f wanted", p.label, cpu, p.atLeast)
	}
	return &r
}

func (r *pairsReport) write(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "## %s\n\n%s Median of %d rounds of %v, %d connections by wrk; ratios are of rounds. %s\n\n",
		r.title, r.about, r.rounds, r.duration, r.connections, r.where())
	tableHead(out, "row", "req/s", r.ceiling, "ratio", "least to most", "CPU a request", r.ceiling, "ratio", "least to most")
	for _, p := range r.pairs {
		rates, cpus := valuesOf(p.rounds, pairSample.ofRate), valuesOf(p.rounds, pairSample.ofCPU)
		tableRow(out, p.label,
			thousands(medianOf(p.rounds, func(s pairSample) float64 { return s.ours.perSecond })),
			thousands(medianOf(p.rounds, func(s pairSample) float64 { return s.ceiling.perSecond })),
			fmt.Sprintf("%.3f", median(rates)), spread(rates),
			micros(medianOf(p.rounds, func(s pairSample) time.Duration { return s.ours.perRequest() })),
			micros(medianOf(p.rounds, func(s pairSample) time.Duration { return s.ceiling.perRequest() })),
			fmt.Sprintf("%.3f", median(cpus)), spread(cpus))
	}
	for _, p := range r.pairs {
		doubt(out, p.label,
			medianOf(p.rounds, func(s pairSample) float64 { return min(s.ours.serverCPU, s.ceiling.serverCPU) }),
			medianOf(p.rounds, func(s pairSample) float64 { return max(s.ours.loadCPU, s.ceiling.loadCPU) }),
			"wrk", "of its ratios, that of CPU time tells more")
	}
	r.targets.write(out)
	return out.Flush()
}

func spread(values []float64) string {
	return fmt.Sprintf("%.3f to %.3f", slices.Min(values), slices.Max(values))
}

func micros(d time.Duration) string {
	return fmt.Sprintf("%.1f µs", float64(d)/float64(time.Microsecond))
}
