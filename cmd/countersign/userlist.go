package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-auth/countersign/internal/app"
	"github.com/countersign-auth/countersign/internal/login"
	"github.com/countersign-auth/countersign/internal/store"
)

func userList(w *world) *cobra.Command {
	var asJSON bool
	var limit int
	var after string
	cmd := &cobra.Command{
		Use: "list [PREFIX]", Short: "List users, all of them or those whose address begins so", Args: atMostOne("PREFIX"),
		Long: `List users in the order of their ids; with PREFIX those whose address begins so, in the order of the addresses, in lower case.
With --limit it prints that many, and says with which --after the next page begins.`,
		Example: "  countersign user list\n  countersign user list mike --limit 20",
	}
	addJSON(cmd, &asJSON)
	cmd.Flags().IntVar(&limit, "limit", 0, "at most so `many`; 0 is all")
	cmd.Flags().StringVar(&after, "after", "", "begin behind this `id`, or with PREFIX this address")
	return onUsers(w, cmd, false, func(cmd *cobra.Command, a *app.App, args []string) error {
		if limit < 0 {
			return usageError{errors.New("--limit: it is a number of users")}
		}
		l := listing{after: strings.ToLower(after), limit: limit, by: func(u store.User) string { return u.EmailKey }}
		if len(args) == 0 {
			l.after, l.by, l.list = after, func(u store.User) string { return u.ID }, a.Store.ListUsers
		} else {
			prefix := login.PrefixKey(args[0])
			l.list = func(ctx context.Context, after string, limit int) ([]store.User, error) {
				return a.Store.SearchUsers(ctx, prefix, after, limit)
			}
		}
		var err error
		if asJSON {
			err = l.printJSON(cmd.Context(), cmd.OutOrStdout())
		} else {
			err = l.printTable(cmd.Context(), cmd.OutOrStdout())
		}
		if err == nil && l.next != "" {
			fmt.Fprintf(cmd.ErrOrStderr(), "there are more: --after %s\n", cell(l.next))
		}
		return err
	})
}

// listing lists users page by page.
type listing struct {
	list  func(ctx context.Context, after string, limit int) ([]store.User, error)
	by    func(store.User) string
	after string
	limit int
	// next is behind whom the next page begins; empty if there is none.
	next string
}

// each calls f for the users, page by page.
func (l *listing) each(ctx context.Context, f func([]store.User) error) error {
	const page = 500
	for n, after := 0, l.after; ; {
		want := page
		if l.limit > 0 {
			want = min(page-1, l.limit-n) + 1 // one more, to know whether there are more
		}
		users, err := l.list(ctx, after, want)
		if err != nil {
			return err
		}
		whole := len(users) < want
		if l.limit > 0 && n+len(users) > l.limit {
			users, whole = users[:l.limit-n], true
			l.next = after
			if len(users) > 0 {
				l.next = l.by(users[len(users)-1])
			}
		}
		if err := f(users); err != nil || whole {
			return err
		}
		n, after = n+len(users), l.by(users[len(users)-1])
	}
}

// printTable aligns the columns page by page: however many users there are, no more than a page is held.
func (l *listing) printTable(ctx context.Context, out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tEMAIL\tSTATE\tROLES\tCREATED")
	return l.each(ctx, func(users []store.User) error {
		for _, u := range users {
			v := viewOf(u)
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", cell(v.ID), v.Email, v.state(), v.roles(), v.CreatedAt.Format(time.DateOnly))
		}
		return t.Flush()
	})
}

func (l *listing) printJSON(ctx context.Context, out io.Writer) error {
	before := "[\n  "
	err := l.each(ctx, func(users []store.User) error {
		for _, u := range users {
			var b bytes.Buffer
			enc := json.NewEncoder(&b)
			enc.SetIndent("  ", "  ")
			enc.SetEscapeHTML(false)
			if err := enc.Encode(viewOf(u)); err != nil {
				return err
			}
			if _, err := fmt.Fprintf(out, "%s%s", before, bytes.TrimRight(b.Bytes(), "\n")); err != nil {
				return err
			}
			before = ",\n  "
		}
		return nil
	})
	if err != nil {
		return err
	}
	if before == "[\n  " {
		_, err = fmt.Fprintln(out, "[]")
	} else {
		_, err = fmt.Fprintln(out, "\n]")
	}
	return err
}
