package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"time"
)

// What Countersign promises.
const (
	targetRatio  = 20
	targetStart  = 150 * time.Millisecond
	targetMemory = 40 // MiB
)

type profileReport struct {
	options
	wrkLoad
	rows []*row
	targets
}

func newProfileReport(o options, l wrkLoad, rows []*row) *profileReport {
	r := &profileReport{options: o, wrkLoad: l, rows: rows}
	for _, row := range rows {
		if !row.subject {
			continue
		}
		if ratio, ok := r.ratio(row); ok {
			r.promise(ratio >= targetRatio, "%s: %.1f times the requests a second of the Express app; at least %d wanted",
				row.label, ratio, targetRatio)
		}
		start := median(row.starts)
		r.promise(start < targetStart, "%s: cold start %s; under %s wanted", row.label, millis(start), millis(targetStart))
		r.promise(row.residentMiB < targetMemory, "%s: %.1f MiB resident at idle; under %d wanted",
			row.label, row.residentMiB, targetMemory)
	}
	return r
}

// ratio is to the baseline; there may be none in this run.
func (r *profileReport) ratio(of *row) (float64, bool) {
	for _, row := range r.rows {
		if row.baseline {
			return of.perSecond() / row.perSecond(), true
		}
	}
	return 0, false
}

func (r *profileReport) write(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "## %s\n\n", r.title)
	fmt.Fprintf(out, "Median of %d rounds of %v, %d connections by wrk. %s\n\n", r.rounds, r.duration, r.connections, r.where())
	tableHead(out, "server", "req/s", "least to most", "p50", "p99", "its core in use", "req per CPU second", "times Express")
	for _, row := range r.rows {
		ratio := "–"
		if x, ok := r.ratio(row); ok {
			ratio = fmt.Sprintf("%.1f", x)
		}
		rates := valuesOf(row.samples, func(s sample) float64 { return s.perSecond })
		fmt.Fprintf(out, "| %s | %s | %s to %s | %s | %s | %.0f %% | %s | %s |\n",
			row.label, thousands(row.perSecond()), thousands(slices.Min(rates)), thousands(slices.Max(rates)),
			millis(medianOf(row.samples, func(s sample) time.Duration { return s.p50 })),
			millis(medianOf(row.samples, func(s sample) time.Duration { return s.p99 })),
			100*medianOf(row.samples, func(s sample) float64 { return s.serverCPU }),
			thousands(medianOf(row.samples, func(s sample) float64 { return s.perSecond / s.serverCPU })), ratio)
	}
	r.writeDoubts(out)
	r.writeStartup(out)
	r.targets.write(out)
	return out.Flush()
}

// writeDoubts names the rows that measure something other than their server.
func (r *profileReport) writeDoubts(out io.Writer) {
	for _, row := range r.rows {
		follows := "it may be faster than this"
		if row.baseline {
			follows += ", and the ratios too high"
		}
		doubt(out, row.label,
			medianOf(row.samples, func(s sample) float64 { return s.serverCPU }),
			medianOf(row.samples, func(s sample) float64 { return s.loadCPU }), "wrk", follows)
	}
}

func (r *profileReport) writeStartup(out io.Writer) {
	header := false
	for _, row := range r.rows {
		if len(row.starts) == 0 {
			continue
		}
		if !header {
			fmt.Fprintln(out, "\n### Start and idle")
			fmt.Fprintf(out, "\nFrom exec to the first right answer over an existing database, %d times; memory (VmRSS) %v after a login.\n\n", coldStarts, idle)
			tableHead(out, "server", "cold start, median", "slowest", "resident at idle")
			header = true
		}
		fmt.Fprintf(out, "| %s | %s | %s | %.1f MiB |\n",
			row.label, millis(median(row.starts)), millis(slices.Max(row.starts)), row.residentMiB)
	}
}

func (r *row) perSecond() float64 {
	return medianOf(r.samples, func(s sample) float64 { return s.perSecond })
}
