package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"time"
)

const (
	targetRefreshes  = 2000 // a second
	targetRefreshP99 = 50 * time.Millisecond
	// targetGrowth is what a server may take more for the sessions in its database.
	// A million of them are some 500 MiB there.
	targetGrowth = 16 // MiB
)

type refreshReport struct {
	options
	rows []*refreshRow
	targets
}

// newRefreshReport takes the row of few sessions and then that of many.
func newRefreshReport(o options, rows []*refreshRow) *refreshReport {
	r := &refreshReport{options: o, rows: rows}
	for _, row := range rows {
		rate, p99 := medianOf(row.seen, perSecond), refreshP99(row)
		r.promise(rate >= targetRefreshes, "%s: %s refreshes a second; at least %s wanted", row.label, thousands(rate), thousands(targetRefreshes))
		r.promise(p99 < targetRefreshP99, "%s: p99 of %s; under %s wanted", row.label, millis(p99), millis(targetRefreshP99))
	}
	few, many := rows[0], rows[len(rows)-1]
	growth := max(many.startMiB-few.startMiB, many.endMiB-few.endMiB)
	r.promise(growth < targetGrowth, "%s sessions take %.1f MiB more of the process; under %d wanted",
		thousands(float64(many.sessions)), growth, targetGrowth)
	return r
}

func (r *refreshReport) write(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "## Refreshes\n\nPOST /token/refresh on %d connections, each with a session of its own and always the newest refresh token of it; "+
		"ES256, SQLite with durable commits. Median of %d rounds of %v. %s\n\n", refreshClients, r.rounds, r.duration, r.where())
	tableHead(out, "in the database", "refreshes/s", "least to most", "p50", "p99", "its core in use", "resident at idle", "after the load", "peak")
	for _, row := range r.rows {
		rates := valuesOf(row.seen, perSecond)
		tableRow(out, row.label, thousands(median(rates)), thousands(slices.Min(rates))+" to "+thousands(slices.Max(rates)),
			millis(medianOf(row.seen, middle)), millis(refreshP99(row)), percent(medianOf(row.seen, serverCPU)),
			mebibytes(row.startMiB), mebibytes(row.endMiB), mebibytes(row.peakMiB))
	}
	r.targets.write(out)
	return out.Flush()
}

func mebibytes(x float64) string { return fmt.Sprintf("%.1f MiB", x) }
