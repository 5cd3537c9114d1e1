package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	targetFloodMiB     = 150
	targetFloodHealthy = time.Second
)

// floodStatuses are what a login may be answered in a flood.
var floodStatuses = []int{http.StatusOK, http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusServiceUnavailable}

type floodReport struct {
	options
	rows []*floodRow
	targets
}

func newFloodReport(o options, rows []*floodRow) *floodReport {
	r := &floodReport{options: o, rows: rows}
	for _, row := range rows {
		r.promise(row.peakMiB < targetFloodMiB, "%s: %.1f MiB resident at the most; under %d wanted", row.label, row.peakMiB, targetFloodMiB)
		r.promise(row.otherStatuses() == 0, "%s: %s answers were not 200, 401, 429 or 503; none wanted",
			row.label, thousands(float64(row.otherStatuses())))
		r.promise(row.healthy <= targetFloodHealthy, "%s: well %s after the flood; within %s wanted",
			row.label, row.wellAfter(), millis(targetFloodHealthy))
	}
	return r
}

func (row *floodRow) otherStatuses() (n int) {
	for status, count := range row.flood.Statuses {
		if !slices.Contains(floodStatuses, status) {
			n += count
		}
	}
	return n
}

func (row *floodRow) wellAfter() string {
	if row.healthy == never {
		return fmt.Sprintf("not even %v", wellPatience)
	}
	return millis(row.healthy)
}

func (r *floodReport) write(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "## A flood of logins\n\n%s attempts a second offered for %v by vegeta over %s connections, limits on: in equal parts the right password, "+
		"a wrong one, and an address that nobody has. %s\n\n", thousands(floodRate), floodDuration, thousands(floodConnections), r.where())
	columns := []string{"server", "attempts/s", "answers/s"}
	for _, status := range floodStatuses {
		columns = append(columns, strconv.Itoa(status))
	}
	tableHead(out, append(columns, "other", "no answer", "p50", "p99", "p50 of 200", "peak memory", "well after")...)
	for _, row := range r.rows {
		f := row.flood
		cells := []string{row.label, thousands(f.PerSecond), thousands(f.Answered)}
		for _, status := range floodStatuses {
			cells = append(cells, thousands(float64(f.Statuses[status])))
		}
		unanswered := 0
		for n := range maps.Values(f.Failed) {
			unanswered += n
		}
		tableRow(out, append(cells, thousands(float64(row.otherStatuses())), thousands(float64(unanswered)), millis(f.P50), millis(f.P99),
			millis(f.RightP50), fmt.Sprintf("%.1f MiB", row.peakMiB), row.wellAfter())...)
	}
	for _, row := range r.rows {
		row.notes(out)
	}
	r.targets.write(out)
	return out.Flush()
}

// notes say what the table has no room for.
func (row *floodRow) notes(out io.Writer) {
	f := row.flood
	fmt.Fprintf(out, "\n%s: %s connections were made; VmRSS sampled every 100 ms was %.1f MiB at the most; a lone reader's p99 before the flood was %s.\n",
		row.label, thousands(float64(f.Connections)), row.rssMiB, millis(row.calmP99))
	if f.PerSecond < busyEnough*floodRate {
		fmt.Fprintf(out, "The generator offered only %s attempts a second: its core had no more to give, or others were using the machine.\n", thousands(f.PerSecond))
	}
	var failed []string
	for _, why := range slices.Sorted(maps.Keys(f.Failed)) {
		failed = append(failed, thousands(float64(f.Failed[why]))+" × "+why)
	}
	if len(failed) > 0 {
		fmt.Fprintf(out, "Without an answer: %s.\n", strings.Join(failed, "; "))
	}
}
