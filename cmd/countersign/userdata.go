package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/spf13/cobra"

	"github.com/countersign-auth/countersign/internal/account"
	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/app"
	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/store"
)

func userRole(w *world) *cobra.Command {
	return group("role", "Add and remove what a user may do in applications", userRoleAdd(w), userRoleRemove(w))
}

const rolesReach = `Tokens have the roles of their user when they are made: the change reaches them at the next refresh or login, which is
at the latest when the present token expires (jwt.access_ttl). To take a role away at once, end the sessions too:
countersign user sessions EMAIL --end-all`

func userRoleAdd(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "add EMAIL|ID ROLE...", Short: "Give a user roles, which tokens have from the next refresh on", Args: userAndRoles,
		Long: fmt.Sprintf("Give a user roles, of which there may be %d. A role has 1 to 64 of the characters a-z 0-9 : _ . -\n\n%s",
			account.MaxRoles, rolesReach),
		Example: "  countersign user role add mike@example.com admin billing:read",
	}
	return onRoles(w, cmd, "role_added", account.AddRoles)
}

func userRoleRemove(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "remove EMAIL|ID ROLE...", Short: "Take roles from a user, which tokens lose at the next refresh", Args: userAndRoles,
		Long:    "Take roles from a user.\n\n" + rolesReach,
		Example: "  countersign user role remove mike@example.com admin",
	}
	return onRoles(w, cmd, "role_removed", func(have []string, gone ...string) ([]string, error) {
		return slices.DeleteFunc(slices.Clone(have), func(role string) bool { return slices.Contains(gone, role) }), nil
	})
}

func userAndRoles(cmd *cobra.Command, args []string) error {
	if len(args) < 2 {
		return usageError{fmt.Errorf("%s takes EMAIL|ID and a ROLE or more\nSee: %s --help", cmd.CommandPath(), cmd.CommandPath())}
	}
	return nil
}

// onRoles returns a command that changes roles by f. There is an event of each that was changed.
func onRoles(w *world, cmd *cobra.Command, kind string, f func(have []string, named ...string) ([]string, error)) *cobra.Command {
	var asJSON bool
	addJSON(cmd, &asJSON)
	return onUsers(w, cmd, false, func(cmd *cobra.Command, a *app.App, args []string) error {
		var before []string
		u, err := change(cmd.Context(), a.Store, args[0], func(u *store.User) (err error) {
			before = u.Roles
			u.Roles, err = f(u.Roles, args[1:]...)
			return err
		})
		if err != nil {
			return err
		}
		for _, role := range slices.Concat(before, u.Roles) {
			if slices.Contains(before, role) != slices.Contains(u.Roles, role) {
				a.Audit.Done(cmd.Context(), store.Event{Kind: kind, Reason: role, UserID: u.ID, Actor: audit.CLI})
			}
		}
		if asJSON {
			return printUser(cmd, u, true)
		}
		roles := "no roles"
		if len(u.Roles) > 0 {
			roles = strings.Join(u.Roles, ", ")
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", u.Email, roles)
		return err
	})
}

func userData(w *world) *cobra.Command {
	var admin string
	cmd := &cobra.Command{
		Use: "data EMAIL|ID", Short: "Print a user's data, or set the operator's part of them", Args: arguments("EMAIL|ID"),
		Long: fmt.Sprintf(`Print the data of a user as JSON: data is the user's own, admin_data is what the user can read and only this command
writes. Either is an object of at most %d KiB.`, account.MaxData>>10),
		Example: "  countersign user data mike@example.com\n  countersign user data mike@example.com --admin '{\"plan\":\"pro\"}'\n  countersign user data mike@example.com --admin - <plan.json",
	}
	cmd.Flags().StringVar(&admin, "admin", "", "set admin_data to this JSON `object`; - reads it from stdin")
	return onUsers(w, cmd, false, func(cmd *cobra.Command, a *app.App, args []string) error {
		u, err := findUser(cmd.Context(), a.Store, args[0])
		if err == nil && cmd.Flags().Changed("admin") {
			u, err = setAdminData(cmd, a, args[0], admin)
		}
		if err != nil {
			return err
		}
		return printJSON(cmd, map[string]any{"data": printable(u.Data), "admin_data": printable(u.AdminData)})
	})
}

func setAdminData(cmd *cobra.Command, a *app.App, name, text string) (store.User, error) {
	if text == "-" {
		b, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), api.MaxBody))
		if err != nil {
			return store.User{}, err
		}
		text = string(b)
	}
	object, err := api.ParseObject([]byte(text))
	switch {
	case err != nil:
		return store.User{}, usageError{errors.New("--admin: this is not a JSON object in which each name occurs once")}
	case len(object) > account.MaxData:
		return store.User{}, usageError{fmt.Errorf("--admin: the object has %d bytes, and may have %d", len(object), account.MaxData)}
	}
	return change(cmd.Context(), a.Store, name, func(u *store.User) error {
		u.AdminData = object
		return nil
	})
}

// printable returns an object for a terminal: what a terminal could obey, which only strings can have, is escaped.
func printable(object []byte) json.RawMessage {
	if object == nil {
		return json.RawMessage("{}")
	}
	var b strings.Builder
	for _, r := range string(object) {
		switch {
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return json.RawMessage(b.String())
}
