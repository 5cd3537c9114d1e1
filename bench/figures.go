package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Under this share of its core a server was not what held the figure down.
const busyEnough = 0.9

type target struct {
	text string
	met  bool
}

// targets are what Countersign promises of one scenario.
type targets []target

func (t *targets) promise(met bool, format string, args ...any) {
	*t = append(*t, target{fmt.Sprintf(format, args...), met})
}

func (t targets) allMet() bool {
	return !slices.ContainsFunc(t, func(t target) bool { return !t.met })
}

func (t targets) write(out io.Writer) {
	if len(t) == 0 {
		return
	}
	fmt.Fprintln(out, "\n### Targets")
	fmt.Fprintln(out)
	for _, t := range t {
		verdict := "met"
		if !t.met {
			verdict = "MISSED"
		}
		fmt.Fprintf(out, "- %s: **%s**\n", t.text, verdict)
	}
	fmt.Fprintln(out)
}

// tableHead begins a Markdown table; all columns but the first hold numbers.
func tableHead(out io.Writer, columns ...string) {
	tableRow(out, columns...)
	fmt.Fprintf(out, "|---|%s\n", strings.Repeat("--:|", len(columns)-1))
}

func tableRow(out io.Writer, cells ...string) {
	fmt.Fprintf(out, "| %s |\n", strings.Join(cells, " | "))
}

// doubt names a row that measures something other than its server. load is
// what made the load, and what comes of a figure that is too low follows.
func doubt(out io.Writer, label string, serverCPU, loadCPU float64, load, follows string) {
	if serverCPU >= busyEnough {
		return
	}
	why := "others were using the machine"
	if loadCPU >= busyEnough {
		why = load + " had no more of its own core to give"
	}
	fmt.Fprintf(out, "\n%s used only %s of its core: %s; %s.\n", label, percent(serverCPU), why, follows)
}

// where says on what the run was made.
func (o options) where() string {
	return fmt.Sprintf("Servers on core %d, load on core %d; %s, %s/%s%s.",
		o.serverCore, o.loadCore, runtime.Version(), runtime.GOOS, runtime.GOARCH, cpuModel())
}

func medianOf[S any, T ~float64 | ~int64](samples []S, of func(S) T) T {
	return median(valuesOf(samples, of))
}

func valuesOf[S, T any](samples []S, of func(S) T) []T {
	values := make([]T, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	return values
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

// fineMillis is for times whose difference is small.
func fineMillis(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', 1, 64) + " ms"
}

func percent(share float64) string { return strconv.FormatFloat(100*share, 'f', 0, 64) + " %" }

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
