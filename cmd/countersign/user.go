package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/countersign-auth/countersign/internal/app"
	"github.com/countersign-auth/countersign/internal/login"
	"github.com/countersign-auth/countersign/internal/login/withpassword"
	"github.com/countersign-auth/countersign/internal/store"
)

func userCommand(w *world) *cobra.Command {
	return group("user", "Create, list and change users",
		userCreate(w), userList(w), userShow(w), userSetDisabled(w, true), userSetDisabled(w, false), userSetPassword(w), userUnlock(w), userDelete(w))
}

// onUsers returns a command that works on the database.
func onUsers(w *world, cmd *cobra.Command, create bool, run func(cmd *cobra.Command, a *app.App, args []string) error) *cobra.Command {
	s := addSettings(cmd, "data", "database")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		a, err := s.open(cmd, w, create)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, a.Close()) }()
		return run(cmd, a, args)
	}
	return cmd
}

// userView is a user as the command prints it.
type userView struct {
	ID         string     `json:"id"`
	Email      string     `json:"email"`
	Disabled   bool       `json:"disabled"`
	DisabledAt *time.Time `json:"disabled_at,omitempty"`
	CreatedAt  time.Time  `json:"created_at"`
	UpdatedAt  time.Time  `json:"updated_at"`
}

func viewOf(u store.User) userView {
	v := userView{ID: u.ID, Email: u.Email, Disabled: u.Disabled(), CreatedAt: u.CreatedAt.UTC(), UpdatedAt: u.UpdatedAt.UTC()}
	if v.Disabled {
		v.DisabledAt = &u.DisabledAt
	}
	return v
}

func (v userView) state() string {
	if v.Disabled {
		return "disabled"
	}
	return "active"
}

func printUser(cmd *cobra.Command, u store.User, asJSON bool) error {
	v := viewOf(u)
	if asJSON {
		return printJSON(cmd, v)
	}
	t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "id\t%s\nemail\t%s\nstate\t%s\ncreated\t%s\nchanged\t%s\n",
		v.ID, v.Email, v.state(), v.CreatedAt.Format(time.RFC3339), v.UpdatedAt.Format(time.RFC3339))
	return t.Flush()
}

func userCreate(w *world) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "create EMAIL", Short: "Make a user; the password is asked for, or read from stdin", Args: arguments("EMAIL"),
		Example: "  countersign user create mike@example.com\n  printf %s \"$PASSWORD\" | countersign user create mike@example.com",
	}
	addJSON(cmd, &asJSON)
	return onUsers(w, cmd, true, func(cmd *cobra.Command, a *app.App, args []string) error {
		pw, err := readPassword(cmd)
		if err != nil {
			return err
		}
		u, err := a.Passwords.Create(cmd.Context(), args[0], pw)
		if errors.Is(err, withpassword.ErrTaken) {
			return fmt.Errorf("there is a user %s already: see `countersign user show`", args[0])
		}
		if err != nil {
			return err
		}
		return printUser(cmd, u, asJSON)
	})
}

func userList(w *world) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{Use: "list", Short: "List all users", Args: arguments()}
	addJSON(cmd, &asJSON)
	return onUsers(w, cmd, false, func(cmd *cobra.Command, a *app.App, _ []string) error {
		t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		if !asJSON {
			fmt.Fprintln(t, "ID\tEMAIL\tSTATE\tCREATED")
		}
		all := []userView{}
		err := eachUser(cmd.Context(), a.Store, func(u store.User) {
			v := viewOf(u)
			if asJSON {
				all = append(all, v)
				return
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", v.ID, v.Email, v.state(), v.CreatedAt.Format(time.DateOnly))
		})
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(cmd, all)
		}
		return t.Flush()
	})
}

// eachUser calls f for every user, page by page.
func eachUser(ctx context.Context, dir store.Directory, f func(store.User)) error {
	const page = 500
	for after := ""; ; {
		users, err := dir.ListUsers(ctx, after, page)
		if err != nil {
			return err
		}
		for _, u := range users {
			f(u)
		}
		if len(users) < page {
			return nil
		}
		after = users[len(users)-1].ID
	}
}

func userShow(w *world) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{Use: "show EMAIL|ID", Short: "Show one user", Args: arguments("EMAIL|ID")}
	addJSON(cmd, &asJSON)
	return onUsers(w, cmd, false, func(cmd *cobra.Command, a *app.App, args []string) error {
		u, err := findUser(cmd.Context(), a.Store, args[0])
		if err != nil {
			return err
		}
		return printUser(cmd, u, asJSON)
	})
}

// findUser finds a user by id or by address.
func findUser(ctx context.Context, users store.Users, name string) (u store.User, err error) {
	if strings.Contains(name, "@") {
		address, addressErr := login.ParseAddress(name)
		if addressErr != nil {
			return u, usageError{fmt.Errorf("%q is not an e-mail address", name)}
		}
		u, err = users.UserByEmail(ctx, address.Key)
	} else {
		u, err = users.User(ctx, name)
	}
	if errors.Is(err, store.ErrNotFound) {
		return u, fmt.Errorf("there is no user %s: `countersign user list` shows all", name)
	}
	return u, err
}

func userSetDisabled(w *world, disabled bool) *cobra.Command {
	cmd := &cobra.Command{
		Use: "disable EMAIL|ID", Short: "Refuse a user's logins; tokens that are out live on until they expire", Args: arguments("EMAIL|ID"),
	}
	done := "disabled"
	if !disabled {
		cmd.Use, cmd.Short, done = "enable EMAIL|ID", "Let a disabled user log in again", "enabled"
	}
	var asJSON bool
	addJSON(cmd, &asJSON)
	return onUsers(w, cmd, false, func(cmd *cobra.Command, a *app.App, args []string) error {
		for {
			u, err := findUser(cmd.Context(), a.Store, args[0])
			if err != nil {
				return err
			}
			if u.Disabled() != disabled {
				now := time.Now()
				u.UpdatedAt, u.DisabledAt = now, time.Time{}
				if disabled {
					u.DisabledAt = now
				}
				if err := a.Store.UpdateUser(cmd.Context(), u); errors.Is(err, store.ErrConflict) {
					continue // somebody was faster: look again
				} else if err != nil {
					return err
				}
			}
			if asJSON {
				return printUser(cmd, u, true)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", done, u.Email)
			return err
		}
	})
}

func userSetPassword(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "set-password EMAIL|ID", Short: "Give a user a new password; it is asked for, or read from stdin", Args: arguments("EMAIL|ID"),
	}
	return onUsers(w, cmd, false, func(cmd *cobra.Command, a *app.App, args []string) error {
		u, err := findUser(cmd.Context(), a.Store, args[0])
		if err != nil {
			return err
		}
		pw, err := readPassword(cmd)
		if err != nil {
			return err
		}
		if err := a.Passwords.SetPassword(cmd.Context(), u, pw); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s has a new password\n", u.Email)
		return err
	})
}

func userUnlock(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "unlock EMAIL|ID", Short: "Forget the failed logins that strangers made at a user's account", Args: arguments("EMAIL|ID"),
		Long: `Forget the failed logins that strangers made at a user's account, so that its owner can log in at once from a
device and an address that are not known yet. A running server sees it within a second.`,
	}
	return onUsers(w, cmd, false, func(cmd *cobra.Command, a *app.App, args []string) error {
		u, err := findUser(cmd.Context(), a.Store, args[0])
		if err != nil {
			return err
		}
		if err := a.Logins.Unlock(cmd.Context(), u.EmailKey); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "unlocked %s\n", u.Email)
		return err
	})
}

func userDelete(w *world) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{Use: "delete EMAIL|ID", Short: "Delete a user and all that belongs to it", Args: arguments("EMAIL|ID")}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return onUsers(w, cmd, false, func(cmd *cobra.Command, a *app.App, args []string) error {
		u, err := findUser(cmd.Context(), a.Store, args[0])
		if err != nil {
			return err
		}
		if !yes {
			defer exitOnInterrupt(cmd, func() {})()
			fmt.Fprintf(cmd.ErrOrStderr(), "Delete %s (%s) for good? Type yes: ", u.Email, u.ID)
			if answer, _ := readLine(cmd.InOrStdin()); answer != "yes" {
				return errors.New("not deleted")
			}
		}
		if err := a.Store.DeleteUser(cmd.Context(), u.ID); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "deleted %s\n", u.Email)
		return err
	})
}

// readPassword asks twice on a terminal, and else reads one line. It never comes from the command line, which every
// user of the machine can read.
func readPassword(cmd *cobra.Command) (string, error) {
	in, ok := cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		pw, err := readLine(cmd.InOrStdin())
		if err == nil && pw == "" {
			err = errors.New("no password came on stdin")
		}
		return pw, err
	}
	terminal, err := term.GetState(int(in.Fd()))
	if err != nil {
		return "", err
	}
	defer exitOnInterrupt(cmd, func() { _ = term.Restore(int(in.Fd()), terminal) })()
	ask := func(prompt string) (string, error) {
		fmt.Fprint(cmd.ErrOrStderr(), prompt)
		b, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(cmd.ErrOrStderr())
		return string(b), err
	}
	first, err := ask("Password: ")
	if err != nil {
		return "", err
	}
	second, err := ask("Again: ")
	if err == nil && first != second {
		err = errors.New("the two passwords differ")
	}
	return first, err
}

// exitOnInterrupt ends the process at ^C while a prompt waits for a line, which no context can interrupt. The terminal
// is put right first, for its echo may be off.
func exitOnInterrupt(cmd *cobra.Command, restore func()) (stop func() bool) {
	return context.AfterFunc(cmd.Context(), func() {
		restore()
		os.Exit(exitInterrupted)
	})
}

// readLine returns the first line of r without its end. A line that is longer than any request may be is refused.
func readLine(r io.Reader) (string, error) {
	const longest = 64 << 10
	line, err := bufio.NewReader(io.LimitReader(r, longest+1)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if len(line) > longest {
		return "", errors.New("the line on stdin is too long")
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}
