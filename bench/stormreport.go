package main

import (
	"bufio"
	"fmt"
	"io"
	"time"
)

const (
	targetStormP99    = 5 * time.Millisecond
	targetReadsKept   = 0.70
	targetLoginsKept  = 0.20
	targetCalmOfOther = 0.95
)

type stormReport struct {
	options
	rows []*stormRow
	targets
}

func newStormReport(o options, rows []*stormRow) *stormReport {
	r := &stormReport{options: o, rows: rows}
	for _, row := range rows {
		if !row.server.subject {
			continue
		}
		p99, reads, logins := medianOf(row.storm, slow), median(row.readsKept()), median(row.loginsKept())
		r.promise(p99 < targetStormP99, "%s: profile p99 of %s in the storm; under %s wanted", row.label, millis(p99), millis(targetStormP99))
		r.promise(reads >= targetReadsKept, "%s: %.0f %% of its calm reads a second in the storm; at least %.0f %% wanted",
			row.label, 100*reads, 100*targetReadsKept)
		r.promise(logins >= targetLoginsKept, "%s: in the storm %.0f %% of the logins a second that it does without the readers; at least %.0f %% wanted",
			row.label, 100*logins, 100*targetLoginsKept)
		for _, other := range rows {
			if !other.other {
				continue
			}
			share := medianOf(row.calm, perSecond) / medianOf(other.calm, perSecond)
			r.promise(share >= targetCalmOfOther, "%s: %.0f %% of the calm reads a second of %s; at least %.0f %% wanted",
				row.label, 100*share, other.label, 100*targetCalmOfOther)
		}
	}
	return r
}

func (r *stormReport) write(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "## A storm of logins\n\n%d clients read GET /user/profile; then %d more log in while they go on; then the readers pause. "+
		"Median of %d rounds of %v in each phase. %s%s\n\n", stormReaders, stormLogins, r.rounds, r.duration, r.where(), r.beside())
	tableHead(out, "server", "reads/s, calm", "in the storm", "of calm", "p99, calm", "in the storm",
		"logins/s in the storm", "refused/s", "alone", "of alone", "login p50 in the storm")
	for _, row := range r.rows {
		tableRow(out, row.label,
			thousands(medianOf(row.calm, perSecond)), thousands(medianOf(row.storm, perSecond)), percent(median(row.readsKept())),
			millis(medianOf(row.calm, slow)), millis(medianOf(row.storm, slow)),
			fmt.Sprintf("%.1f", medianOf(row.storm, stormLoginRate)), fmt.Sprintf("%.1f", medianOf(row.storm, stormRefused)),
			fmt.Sprintf("%.1f", medianOf(row.alone, perSecond)),
			percent(median(row.loginsKept())), millis(medianOf(row.storm, stormLoginWait)))
	}
	if !r.neighbour {
		for _, row := range r.rows {
			r.doubts(out, row)
		}
	}
	r.targets.write(out)
	return out.Flush()
}

func (r *stormReport) beside() string {
	if r.neighbour {
		return " All the while a busy loop ran on the servers' core."
	}
	return ""
}

func (r *stormReport) doubts(out io.Writer, row *stormRow) {
	for _, phase := range []struct {
		name string
		seen []sight
	}{{"calm", row.calm}, {"in the storm", row.storm}, {"logins alone", row.alone}} {
		doubt(out, row.label+", "+phase.name+",", medianOf(phase.seen, serverCPU), medianOf(phase.seen, loadCPU),
			"the clients", "it may be faster than this")
	}
}
