package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
)

const (
	targetLoginRatio = 2.5  // times the logins of a server that hashes one by one
	targetLoneLogin  = 1.05 // times the wait there
)

type loginReport struct {
	options
	rows []*loginRow
	targets
}

func newLoginReport(o options, rows []*loginRow) *loginReport {
	r := &loginReport{options: o, rows: rows}
	ours := r.subject()
	if ours == nil {
		return r
	}
	for _, row := range rows {
		if row.subject {
			continue
		}
		ratio := medianOf(ours.crowd, perSecond) / medianOf(row.crowd, perSecond)
		r.promise(ratio >= targetLoginRatio, "%s: %.2f times the logins a second of %s; at least %.1f wanted",
			ours.label, ratio, row.label, targetLoginRatio)
	}
	for _, row := range rows {
		if row.group == groupPlain {
			ratio := float64(medianOf(ours.lone, middle)) / float64(medianOf(row.lone, middle))
			r.promise(ratio <= targetLoneLogin, "%s: a lone login takes %.3f times as long as with %s; at most %.2f wanted",
				ours.label, ratio, row.label, targetLoneLogin)
		}
	}
	return r
}

// subject is nil when Countersign is not in the run.
func (r *loginReport) subject() *loginRow {
	i := slices.IndexFunc(r.rows, func(row *loginRow) bool { return row.server.subject })
	if i < 0 {
		return nil
	}
	return r.rows[i]
}

func (r *loginReport) write(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "## Logins\n\nPOST /login with the right password, bcrypt of cost 10: %d clients, each with the next login as soon as it has its token. "+
		"Median of %d rounds of %v. %s\n\n", loginClients, r.rounds, r.duration, r.where())
	tableHead(out, "server", "logins/s", "least to most", "p50", "p99", "its core in use", "Countersign does, times")
	ours := r.subject()
	for _, row := range r.rows {
		ratio := "–"
		if ours != nil {
			ratio = fmt.Sprintf("%.2f", medianOf(ours.crowd, perSecond)/medianOf(row.crowd, perSecond))
		}
		rates := valuesOf(row.crowd, perSecond)
		tableRow(out, row.label, fmt.Sprintf("%.1f", median(rates)), fmt.Sprintf("%.1f to %.1f", slices.Min(rates), slices.Max(rates)),
			millis(medianOf(row.crowd, middle)), millis(medianOf(row.crowd, slow)),
			percent(medianOf(row.crowd, serverCPU)), ratio)
	}
	for _, row := range r.rows {
		doubt(out, row.label, medianOf(row.crowd, serverCPU), medianOf(row.crowd, loadCPU), "the clients", "it may be faster than this")
	}
	r.writeLone(out)
	r.targets.write(out)
	return out.Flush()
}

func (r *loginReport) writeLone(out io.Writer) {
	fmt.Fprintf(out, "\n### A lone login\n\nOne client, one login after the other, on a server that does nothing else.\n\n")
	tableHead(out, "server", "p50", "least to most", "mean", "p99", "its core in use")
	for _, row := range r.rows {
		middles := valuesOf(row.lone, middle)
		tableRow(out, row.label, fineMillis(median(middles)), fineMillis(slices.Min(middles))+" to "+fineMillis(slices.Max(middles)),
			fineMillis(medianOf(row.lone, mean)), fineMillis(medianOf(row.lone, slow)),
			percent(medianOf(row.lone, serverCPU)))
	}
}
