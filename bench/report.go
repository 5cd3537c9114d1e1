package main

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"time"
)

// What Countersign promises.
const (
	targetRatio  = 20
	targetStart  = 150 * time.Millisecond
	targetMemory = 40 // MiB
)

// Under this share of its core a server was not what held the figure down.
const busyEnough = 0.9

type target struct {
	text string
	met  bool
}

type report struct {
	options
	scenario
	rows    []*row
	targets []target
}

func newReport(o options, s scenario, rows []*row) *report {
	r := &report{options: o, scenario: s, rows: rows}
	for _, row := range rows {
		if !row.subject {
			continue
		}
		if ratio, ok := r.ratio(row); ok {
			r.target(ratio >= targetRatio, "%s: %.1f times the requests a second of the Express app; at least %d wanted",
				row.label, ratio, targetRatio)
		}
		start := median(row.starts)
		r.target(start < targetStart, "%s: cold start %s; under %s wanted", row.label, millis(start), millis(targetStart))
		r.target(row.residentMiB < targetMemory, "%s: %.1f MiB resident at idle; under %d wanted",
			row.label, row.residentMiB, targetMemory)
	}
	return r
}

func (r *report) target(met bool, format string, args ...any) {
	r.targets = append(r.targets, target{fmt.Sprintf(format, args...), met})
}

func (r *report) allMet() bool {
	return !slices.ContainsFunc(r.targets, func(t target) bool { return !t.met })
}

// ratio is to the baseline; there may be none in this run.
func (r *report) ratio(of *row) (float64, bool) {
	for _, row := range r.rows {
		if row.baseline {
			return of.perSecond() / row.perSecond(), true
		}
	}
	return 0, false
}

func (r *report) write(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "## %s\n\n", r.title)
	fmt.Fprintf(out, "Median of %d rounds of %v, %d connections by wrk. Servers on core %d, load on core %d; %s, %s/%s%s.\n\n",
		r.rounds, r.duration, r.connections, r.serverCore, r.loadCore,
		runtime.Version(), runtime.GOOS, runtime.GOARCH, cpuModel())
	fmt.Fprintln(out, "| server | req/s | least to most | p50 | p99 | its core in use | req per CPU second | times Express |")
	fmt.Fprintln(out, "|---|--:|--:|--:|--:|--:|--:|--:|")
	for _, row := range r.rows {
		ratio := "–"
		if x, ok := r.ratio(row); ok {
			ratio = fmt.Sprintf("%.1f", x)
		}
		rates := row.values(func(s sample) float64 { return s.perSecond })
		fmt.Fprintf(out, "| %s | %s | %s to %s | %s | %s | %.0f %% | %s | %s |\n",
			row.label, thousands(row.perSecond()), thousands(slices.Min(rates)), thousands(slices.Max(rates)),
			millis(medianOf(row.samples, func(s sample) time.Duration { return s.p50 })),
			millis(medianOf(row.samples, func(s sample) time.Duration { return s.p99 })),
			100*medianOf(row.samples, func(s sample) float64 { return s.serverCPU }),
			thousands(medianOf(row.samples, func(s sample) float64 { return s.perSecond / s.serverCPU })), ratio)
	}
	r.writeDoubts(out)
	r.writeStartup(out)
	r.writeTargets(out)
	return out.Flush()
}

// writeDoubts names the rows that measure something other than their server.
func (r *report) writeDoubts(out io.Writer) {
	for _, row := range r.rows {
		server := medianOf(row.samples, func(s sample) float64 { return s.serverCPU })
		if server >= busyEnough {
			continue
		}
		why := "others were using the machine"
		if medianOf(row.samples, func(s sample) float64 { return s.loadCPU }) >= busyEnough {
			why = "wrk had no more of its own core to give"
		}
		follows := "it may be faster than this"
		if row.baseline {
			follows += ", and the ratios too high"
		}
		fmt.Fprintf(out, "\n%s used only %.0f %% of its core: %s; %s.\n", row.label, 100*server, why, follows)
	}
}

func (r *report) writeStartup(out io.Writer) {
	header := false
	for _, row := range r.rows {
		if len(row.starts) == 0 {
			continue
		}
		if !header {
			fmt.Fprintln(out, "\n## Start and idle")
			fmt.Fprintf(out, "\nFrom exec to the first right answer over an existing database, %d times; memory (VmRSS) %v after a login.\n\n", coldStarts, idle)
			fmt.Fprintln(out, "| server | cold start, median | slowest | resident at idle |")
			fmt.Fprintln(out, "|---|--:|--:|--:|")
			header = true
		}
		fmt.Fprintf(out, "| %s | %s | %s | %.1f MiB |\n",
			row.label, millis(median(row.starts)), millis(slices.Max(row.starts)), row.residentMiB)
	}
}

func (r *report) writeTargets(out io.Writer) {
	if len(r.targets) == 0 {
		return
	}
	fmt.Fprintln(out, "\n## Targets")
	fmt.Fprintln(out)
	for _, t := range r.targets {
		verdict := "met"
		if !t.met {
			verdict = "MISSED"
		}
		fmt.Fprintf(out, "- %s: **%s**\n", t.text, verdict)
	}
}

func (r *row) perSecond() float64 {
	return medianOf(r.samples, func(s sample) float64 { return s.perSecond })
}

func (r *row) values(of func(sample) float64) []float64 {
	values := make([]float64, len(r.samples))
	for i, s := range r.samples {
		values[i] = of(s)
	}
	return values
}

func medianOf[T ~float64 | ~int64](samples []sample, of func(sample) T) T {
	values := make([]T, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	return median(values)
}

// median of an even number of values is the mean of the middle two; of none, 0.
func median[T ~float64 | ~int64](values []T) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.SortedFunc(slices.Values(values), cmp.Compare[T])
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

func millis(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	if ms < 10 {
		return strconv.FormatFloat(ms, 'f', 2, 64) + " ms"
	}
	return strconv.FormatFloat(ms, 'f', 0, 64) + " ms"
}

// thousands writes 52341.7 as 52,342.
func thousands(x float64) string {
	s := strconv.FormatFloat(x, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// cpuModel is empty where the kernel does not tell.
func cpuModel() string {
	data, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(data) {
		if name, value, ok := bytes.Cut(line, []byte(":")); ok && bytes.HasPrefix(name, []byte("model name")) {
			return ", " + string(bytes.TrimSpace(value))
		}
	}
	return ""
}
