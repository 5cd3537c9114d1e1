package main

import (
	"bufio"
	"fmt"
	"io"
	"time"
)

// targetScale is how many times as long the work may take with many users.
const targetScale = 1.5

type scaleReport struct {
	options
	few, many *scaleRow
	targets
}

func newScaleReport(o options, few, many *scaleRow) *scaleReport {
	r := &scaleReport{options: o, few: few, many: many}
	for _, e := range errands {
		ratio := r.ratio(e, 50)
		r.promise(ratio <= targetScale, "%s: %.2f times what it takes with %s; at most %.1f wanted", e.name, ratio, thousands(float64(few.users)), targetScale)
	}
	return r
}

func (r *scaleReport) ratio(e errand, p float64) float64 {
	return float64(percentile(r.many.took[e.name], p)) / float64(max(percentile(r.few.took[e.name], p), 1))
}

func (r *scaleReport) write(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "## Many users\n\nThe database's work for %s random users, one after the other, on SQLite with durable commits; no hashing. "+
		"%s users were written in %v. %s\n\n",
		thousands(float64(r.looks)), thousands(float64(r.many.users)), r.many.filled.Round(time.Second), r.where())
	few, many := thousands(float64(r.few.users)), thousands(float64(r.many.users))
	tableHead(out, "", few+" users: median", "p99", many+" users: median", "p99", "ratio of medians", "of p99")
	for _, e := range errands {
		tableRow(out, e.name,
			micros(percentile(r.few.took[e.name], 50)), micros(percentile(r.few.took[e.name], 99)),
			micros(percentile(r.many.took[e.name], 50)), micros(percentile(r.many.took[e.name], 99)),
			fmt.Sprintf("%.2f", r.ratio(e, 50)), fmt.Sprintf("%.2f", r.ratio(e, 99)))
	}
	r.targets.write(out)
	return out.Flush()
}
