package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
)

const targetSignups = 2000 // a second

type signupReport struct {
	options
	seen []sight
	targets
}

func (r *signupReport) judge() {
	rate := medianOf(r.seen, perSecond)
	r.promise(rate >= targetSignups, "%s sign-ups a second; at least %s wanted", thousands(rate), thousands(targetSignups))
}

func (r *signupReport) write(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "## Sign-ups\n\nPOST /signup on %d connections, each with the next address as soon as it has its answer; bcrypt of cost 4, "+
		"SQLite with durable commits; the server has both cores, and the load takes its share of one. Median of %d rounds of %v. %s\n\n",
		signupClients, r.rounds, r.duration, r.where())
	tableHead(out, "", "sign-ups/s", "least to most", "p50", "p99", "cores in use by the server", "by the load")
	rates := valuesOf(r.seen, perSecond)
	tableRow(out, "Countersign", thousands(median(rates)), thousands(slices.Min(rates))+" to "+thousands(slices.Max(rates)),
		millis(medianOf(r.seen, middle)), millis(medianOf(r.seen, slow)),
		fmt.Sprintf("%.2f", medianOf(r.seen, serverCPU)), fmt.Sprintf("%.2f", medianOf(r.seen, loadCPU)))
	r.targets.write(out)
	return out.Flush()
}
