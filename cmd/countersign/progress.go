package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// progress tells people how far a command is: on a terminal in a line that changes, else in a line every so often.
type progress struct {
	out      io.Writer
	terminal bool
	what     string
	// total is how many bytes there are; 0 if nobody knows.
	total       int64
	begun, last time.Time
}

const (
	progressOnTerminal = 200 * time.Millisecond
	progressElsewhere  = 10 * time.Second
)

func newProgress(cmd *cobra.Command, what string, total int64) *progress {
	out := cmd.ErrOrStderr()
	f, ok := out.(*os.File)
	now := time.Now()
	return &progress{out: out, terminal: ok && term.IsTerminal(int(f.Fd())), what: what, total: total, begun: now, last: now}
}

// show says that n things are done and that many bytes read, if it is time.
func (p *progress) show(n int, bytes int64) {
	every := progressElsewhere
	if p.terminal {
		every = progressOnTerminal
	}
	now := time.Now()
	if now.Sub(p.last) < every {
		return
	}
	p.last = now
	text := fmt.Sprintf("%s %s, %s a second", thousands(n), p.what, thousands(int(float64(n)/now.Sub(p.begun).Seconds())))
	if p.total > 0 {
		text += fmt.Sprintf(", %d %%", min(100, 100*bytes/p.total))
	}
	if p.terminal {
		fmt.Fprintf(p.out, "\r\x1b[K%s", text)
		return
	}
	fmt.Fprintln(p.out, text)
}

// end takes the line away.
func (p *progress) end() {
	if p.terminal {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

// thousands returns a number with commas.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}
