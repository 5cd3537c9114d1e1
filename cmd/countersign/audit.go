package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/countersign-auth/countersign/internal/app"
	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/store"
)

func auditCommand(w *world) *cobra.Command {
	return group("audit", "Read the audit log", auditTail(w), auditExport(w))
}

func auditTail(w *world) *cobra.Command {
	var asJSON, follow bool
	var n int
	cmd := &cobra.Command{
		Use: "tail", Short: "Print the newest events", Args: arguments(),
		Example: "  countersign audit tail -n 100\n  countersign audit tail --follow --json",
	}
	cmd.Flags().IntVarP(&n, "lines", "n", 20, "how `many` events")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what comes, until ^C")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, an event a line")
	return onUsers(w, cmd, false, func(cmd *cobra.Command, a *app.App, _ []string) error {
		if n < 0 {
			return usageError{errors.New("-n: it is a number of events")}
		}
		show := textLines(cmd.OutOrStdout())
		if asJSON {
			show = jsonLines(cmd.OutOrStdout())
		}
		t := tail{events: a.Store, show: show}
		if !follow {
			return t.last(cmd.Context(), n)
		}
		return t.follow(cmd.Context(), n)
	})
}

func auditExport(w *world) *cobra.Command {
	var since, until string
	var kinds []string
	cmd := &cobra.Command{
		Use: "export", Short: "Print all events as JSON, an event a line, the oldest first", Args: arguments(),
		Long: `Print all events as JSON, an event a line, the oldest first.

A time is a date (2026-01-31, in UTC), a time of day with its zone (2026-01-31T12:00:00Z), or how long ago (24h).
An event stands at the time that its id says. What --until names is not in it any more: the --until of one export
can be the --since of the next.`,
		Example: "  countersign audit export --since 2026-01-01 --until 2026-02-01 > january.jsonl\n  countersign audit export --since 24h --kind login,signup",
	}
	cmd.Flags().StringVar(&since, "since", "", "the first `time`; from the beginning if not set")
	cmd.Flags().StringVar(&until, "until", "", "the `time` behind the last; to the end if not set")
	cmd.Flags().StringSliceVar(&kinds, "kind", nil, "only events of these `kinds`")
	return onUsers(w, cmd, false, func(cmd *cobra.Command, a *app.App, _ []string) error {
		now := time.Now()
		from, err := bound("since", since, "", now)
		if err != nil {
			return err
		}
		to, err := bound("until", until, behindAll, now)
		if err != nil {
			return err
		}
		out := bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)
		show := jsonLines(out)
		err = eachEvent(cmd.Context(), a.Store, from, to, func(e store.Event) error {
			if len(kinds) > 0 && !slices.Contains(kinds, e.Kind) {
				return nil
			}
			return show(e)
		})
		return errors.Join(err, out.Flush())
	})
}

// behindAll is greater than every id.
const behindAll = "~"

// bound returns what stands just before the ids of the time that a flag names.
func bound(flag, text, unset string, now time.Time) (string, error) {
	if text == "" {
		return unset, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return audit.Before(now.Add(-ago)), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return audit.Before(t), nil
		}
	}
	return "", usageError{fmt.Errorf("--%s: %q is not a time: write 2026-01-31, 2026-01-31T12:00:00Z, or how long ago, as 24h", flag, text)}
}

// eachEvent calls f for every event with an id greater than after and less than end, page by page.
func eachEvent(ctx context.Context, events store.Events, after, end string, f func(store.Event) error) error {
	const page = 1000
	for {
		list, err := events.ListEvents(ctx, after, page)
		if err != nil {
			return err
		}
		for _, e := range list {
			if e.ID >= end {
				return nil
			}
			if err := f(e); err != nil {
				return err
			}
			after = e.ID
		}
		if len(list) < page {
			return nil
		}
	}
}

// tail shows the end of the log.
type tail struct {
	events store.Events
	show   func(store.Event) error
	// shown are the ids of what was shown lately.
	shown map[string]bool
}

// last shows the newest n events. They are looked for in the last minute, and then in ever more.
func (t *tail) last(ctx context.Context, n int) error {
	now := time.Now()
	for span := time.Minute; ; span *= 8 {
		after := audit.Before(now.Add(-span))
		var newest []store.Event
		err := eachEvent(ctx, t.events, after, behindAll, func(e store.Event) error {
			if newest = append(newest, e); len(newest) > 2*n+1000 {
				newest = slices.Clone(newest[len(newest)-n:])
			}
			return nil
		})
		if err != nil {
			return err
		}
		if len(newest) < n && after != "" {
			continue
		}
		for _, e := range newest[max(0, len(newest)-n):] {
			if t.shown != nil {
				t.shown[e.ID] = true
			}
			if err := t.show(e); err != nil {
				return err
			}
		}
		return nil
	}
}

const (
	followEvery = 500 * time.Millisecond
	// followOverlap is how much later than an event's id its commit may be seen: other processes write too.
	followOverlap = 5 * time.Second
)

// follow shows the newest n events, and then what comes until ctx ends, once each.
func (t *tail) follow(ctx context.Context, n int) error {
	from := time.Now()
	t.shown = map[string]bool{}
	err := eachEvent(ctx, t.events, audit.Before(from.Add(-followOverlap)), behindAll, func(e store.Event) error {
		t.shown[e.ID] = true // or too old to be
		return nil
	})
	if err == nil {
		err = t.last(ctx, n)
	}
	for ended := false; err == nil && !ended; {
		select {
		case <-ctx.Done():
			ended = true // what came until now is shown yet
		case <-time.After(followEvery):
		}
		next, seen := time.Now(), map[string]bool{}
		err = eachEvent(context.WithoutCancel(ctx), t.events, audit.Before(from.Add(-followOverlap)), behindAll, func(e store.Event) error {
			if seen[e.ID] = true; t.shown[e.ID] {
				return nil
			}
			return t.show(e)
		})
		from, t.shown = next, seen
	}
	return err
}

func jsonLines(out io.Writer) func(store.Event) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	return func(e store.Event) error { return enc.Encode(audit.Line(e)) }
}

// textLines begins with a head as soon as there is an event.
func textLines(out io.Writer) func(store.Event) error {
	const line = "%-20s  %-8s  %-7s  %-16s  %-36s  %-24s  %-20s  %s\n"
	begun := false
	return func(e store.Event) error {
		if !begun {
			begun = true
			if _, err := fmt.Fprintf(out, line, "TIME", "KIND", "RESULT", "REASON", "USER", "ACTOR", "CLIENT", "COUNT"); err != nil {
				return err
			}
		}
		_, err := fmt.Fprintf(out, line, e.At.UTC().Format(time.RFC3339), cell(e.Kind), cell(e.Result), cell(e.Reason), cell(e.UserID),
			cell(e.Actor), cell(e.Client), fmt.Sprint(e.Count))
		return err
	}
}

// cell returns text for a terminal: an imported user id may be anything, a control sequence included.
func cell(text string) string {
	if text == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
