package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"
)

const (
	targetMedianShift = 0.05 // of the median of the unknown address
	targetSuperiority = 0.08 // off 0.5
)

type timingReport struct {
	options
	rows      []*timingRow // the first is what the others are compared with
	serverCPU float64
	targets
}

func newTimingReport(o options, rows []*timingRow, serverCPU float64) *timingReport {
	r := &timingReport{options: o, rows: rows, serverCPU: serverCPU}
	var shift, off float64
	var shifted, offRow *timingRow
	for _, row := range rows[1:] {
		if s := math.Abs(row.shift(rows[0])); shifted == nil || s > shift {
			shift, shifted = s, row
		}
		superiority, _ := mannWhitney(row.took, rows[0].took)
		if d := math.Abs(superiority - 0.5); offRow == nil || d > off {
			off, offRow = d, row
		}
	}
	r.promise(shift <= targetMedianShift, "the median farthest from that of an unknown address is %.2f %% off (%s); at most %.0f %% wanted",
		100*shift, shifted.label, 100*targetMedianShift)
	r.promise(off <= targetSuperiority, "the AUC farthest from 0.5 is %.3f off (%s); at most %.2f wanted", off, offRow.label, targetSuperiority)
	return r
}

// shift is how much longer than base it takes, as a share.
func (row *timingRow) shift(base *timingRow) float64 {
	m := median(base.took)
	return float64(median(row.took)-m) / float64(m)
}

func (r *timingReport) write(w io.Writer) error {
	out := bufio.NewWriter(w)
	base := r.rows[0]
	fmt.Fprintf(out, "## The time of a refused login\n\nPOST /login, bcrypt of cost 10, limits off: %d guesses of each kind, one after the other on one connection, in rounds "+
		"of one of each in random order. All were answered with the same 401, byte for byte but for `Date`, `X-Request-Id` and `request_id`. "+
		"AUC is the probability that such a guess takes longer than one at an unknown address; with no difference at all it is within 0.5 ± %.3f in 19 of 20 runs. "+
		"p is by the Mann-Whitney U test. %s\n\n", len(base.took), superiorityNoise(len(base.took), len(base.took)), r.where())
	tableHead(out, "guess", "median", "p10", "p90", "median less that of an unknown address", "of it", "AUC", "p")
	for n, row := range r.rows {
		sorted := slices.Sorted(slices.Values(row.took))
		cells := []string{row.label, exactMillis(median(sorted)), exactMillis(percentile(sorted, 10)), exactMillis(percentile(sorted, 90))}
		if n == 0 {
			tableRow(out, append(cells, "–", "–", "–", "–")...)
			continue
		}
		superiority, p := mannWhitney(row.took, base.took)
		tableRow(out, append(cells, fmt.Sprintf("%+d µs", (median(row.took)-median(base.took)).Microseconds()),
			fmt.Sprintf("%+.2f %%", 100*row.shift(base)), fmt.Sprintf("%.3f", superiority), pValue(p))...)
	}
	fmt.Fprintf(out, "\nThe server had %s of its core in use.\n", percent(r.serverCPU))
	if r.serverCPU < busyEnough {
		fmt.Fprintln(out, "Others were using the machine: a difference may be lost in that.")
	}
	r.targets.write(out)
	return out.Flush()
}

func pValue(p float64) string {
	if p < 0.01 {
		return "< 0.01"
	}
	return strconv.FormatFloat(p, 'f', 2, 64)
}

// exactMillis is for times that differ by microseconds.
func exactMillis(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', 2, 64) + " ms"
}
