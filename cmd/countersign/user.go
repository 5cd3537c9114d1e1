package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-auth/countersign/internal/admin"
	"github.com/countersign-auth/countersign/internal/app"
	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/login"
	"github.com/countersign-auth/countersign/internal/login/withpassword"
	"github.com/countersign-auth/countersign/internal/store"
)

func userCommand(w *world) *cobra.Command {
	return group("user", "Create, list and change users",
		userCreate(w), userList(w), userShow(w), userExport(w), userDisable(w), userEnable(w), userSetPassword(w), userUnlock(w),
		userRole(w), userData(w), userSessions(w), userDelete(w))
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
	Roles      []string   `json:"roles"`
	Disabled   bool       `json:"disabled"`
	DisabledAt *time.Time `json:"disabled_at,omitempty"`
	CreatedAt  time.Time  `json:"created_at"`
	UpdatedAt  time.Time  `json:"updated_at"`
}

func viewOf(u store.User) userView {
	v := userView{
		ID: u.ID, Email: u.Email, Roles: append([]string{}, u.Roles...), Disabled: u.Disabled(),
		CreatedAt: u.CreatedAt.UTC(), UpdatedAt: u.UpdatedAt.UTC(),
	}
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

func (v userView) roles() string { return cmp.Or(strings.Join(v.Roles, ","), "-") }

func printUser(cmd *cobra.Command, u store.User, asJSON bool) error {
	v := viewOf(u)
	if asJSON {
		return printJSON(cmd, v)
	}
	t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "id\t%s\nemail\t%s\nstate\t%s\nroles\t%s\ncreated\t%s\nchanged\t%s\n",
		v.ID, v.Email, v.state(), v.roles(), v.CreatedAt.Format(time.RFC3339), v.UpdatedAt.Format(time.RFC3339))
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
		u, err := a.Admin.Create(cmd.Context(), withpassword.NewUser{Email: args[0], Password: pw, Actor: audit.CLI})
		if errors.Is(err, withpassword.ErrTaken) {
			return fmt.Errorf("there is a user %s already: see `countersign user show`", args[0])
		}
		if err != nil {
			return err
		}
		return printUser(cmd, u, asJSON)
	})
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
	address, addressErr := login.ParseAddress(name)
	if addressErr == nil {
		if u, err = users.UserByEmail(ctx, address.Key); !errors.Is(err, store.ErrNotFound) {
			return u, err
		}
	}
	u, err = users.User(ctx, name) // the id of an imported user may be anything, an address too
	if !errors.Is(err, store.ErrNotFound) {
		return u, err
	}
	if strings.Contains(name, "@") && addressErr != nil {
		return u, usageError{fmt.Errorf("%q is not an e-mail address", name)}
	}
	return u, fmt.Errorf("there is no user %s: `countersign user list` shows all", name)
}

// byCommand is who changes users here.
var byCommand = audit.By{Actor: audit.CLI}

// change makes a change to a user of that id or address.
func change(cmd *cobra.Command, a *app.App, name string, ch admin.Change) (store.User, error) {
	u, err := findUser(cmd.Context(), a.Store, name)
	if err != nil {
		return u, err
	}
	return a.Admin.Change(cmd.Context(), byCommand, u.ID, ch)
}
