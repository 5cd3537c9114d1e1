package main

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-auth/countersign/internal/account"
	"github.com/countersign-auth/countersign/internal/admin"
	"github.com/countersign-auth/countersign/internal/app"
	"github.com/countersign-auth/countersign/internal/login/withpassword"
	"github.com/countersign-auth/countersign/internal/store"
)

func userDisable(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "disable EMAIL|ID", Short: "Refuse a user's logins, and end all sessions and tokens", Args: arguments("EMAIL|ID"),
		Long: `Refuse a user's logins, and end all sessions and tokens. A running server sees it within a second.`,
	}
	var asJSON bool
	addJSON(cmd, &asJSON)
	return onUsers(w, cmd, false, func(cmd *cobra.Command, a *app.App, args []string) error {
		disabled := true
		u, err := change(cmd, a, args[0], admin.Change{Disabled: &disabled})
		if err != nil {
			return err
		}
		return sayDone(cmd, "disabled", u, asJSON)
	})
}

func userEnable(w *world) *cobra.Command {
	cmd := &cobra.Command{Use: "enable EMAIL|ID", Short: "Let a disabled user log in again", Args: arguments("EMAIL|ID")}
	var asJSON bool
	addJSON(cmd, &asJSON)
	return onUsers(w, cmd, false, func(cmd *cobra.Command, a *app.App, args []string) error {
		disabled := false
		u, err := change(cmd, a, args[0], admin.Change{Disabled: &disabled})
		if err != nil {
			return err
		}
		return sayDone(cmd, "enabled", u, asJSON)
	})
}

// sayDone says what was done to the user.
func sayDone(cmd *cobra.Command, done string, u store.User, asJSON bool) error {
	if asJSON {
		return printUser(cmd, u, true)
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", done, u.Email)
	return err
}

func userSetPassword(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "set-password EMAIL|ID", Short: "Give a user a new password, and end all sessions; it is asked for, or read from stdin",
		Args: arguments("EMAIL|ID"),
		Long: `Give a user a new password, and end all sessions; it is asked for, or read from stdin. API keys go on being good.`,
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
		err = a.Passwords.SetPassword(cmd.Context(), u, pw)
		if errors.Is(err, withpassword.ErrNoPassword) {
			return fmt.Errorf("%s has no password that could be replaced", u.Email)
		}
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s has a new password\n", u.Email); err != nil {
			return err
		}
		keys, err := a.APIKeys.List(cmd.Context(), u.ID)
		if err == nil && len(keys) > 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "API keys of %s go on being good: %d. To end them: countersign apikey revoke %s --all\n", u.Email, len(keys), u.ID)
		}
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
		if err := a.Admin.Unlock(cmd.Context(), byCommand, u.ID); err != nil {
			return err
		}
		return sayDone(cmd, "unlocked", u, false)
	})
}

func userDelete(w *world) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "delete EMAIL|ID", Short: "Delete a user and all that belongs to it", Args: arguments("EMAIL|ID"),
		Long: `Delete a user and all that belongs to it, sessions and tokens included. A running server sees it within a second.
What the audit log has of the user stays there.`,
	}
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
		if err := a.Admin.Delete(cmd.Context(), byCommand, u.ID); err != nil {
			return err
		}
		return sayDone(cmd, "deleted", u, false)
	})
}

func userSessions(w *world) *cobra.Command {
	var end string
	var endAll, asJSON bool
	cmd := &cobra.Command{
		Use: "sessions EMAIL|ID", Short: "List a user's sessions, or end them", Args: arguments("EMAIL|ID"),
		Long: `List a user's sessions, the one used last first, or end one or all of them. A running server sees it within a second.
To end all ends the tokens too that belong to no session, and what a login is about to open.`,
		Example: "  countersign user sessions mike@example.com\n  countersign user sessions mike@example.com --end-all",
	}
	cmd.Flags().StringVar(&end, "end", "", "end the session of this `id`")
	cmd.Flags().BoolVar(&endAll, "end-all", false, "end all sessions")
	addJSON(cmd, &asJSON)
	return onUsers(w, cmd, false, func(cmd *cobra.Command, a *app.App, args []string) error {
		if end != "" && endAll {
			return usageError{errors.New("--end and --end-all: choose one")}
		}
		u, err := findUser(cmd.Context(), a.Store, args[0])
		switch {
		case err != nil:
			return err
		case end != "":
			return endSession(cmd, a, u, end)
		case endAll:
			return endAllSessions(cmd, a, u)
		}
		records, err := a.Sessions.List(cmd.Context(), u)
		if err != nil {
			return err
		}
		sessions := account.SessionsOf(records, "")
		if asJSON {
			return printJSON(cmd, sessions)
		}
		t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "ID\tCLIENT\tCREATED\tLAST USED\tEXPIRES\tDEVICE")
		for _, s := range sessions {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, cell(s.Client), s.CreatedAt.Format(time.RFC3339),
				s.LastUsedAt.Format(time.RFC3339), s.ExpiresAt.Format(time.RFC3339), cell(s.Device))
		}
		return t.Flush()
	})
}

func endSession(cmd *cobra.Command, a *app.App, u store.User, id string) error {
	err := a.Admin.EndSession(cmd.Context(), byCommand, u.ID, id)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%s has no session %s: `countersign user sessions` shows all", u.Email, id)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "ended %s\n", id)
	return err
}

func endAllSessions(cmd *cobra.Command, a *app.App, u store.User) error {
	if err := a.Admin.EndSessions(cmd.Context(), byCommand, u.ID); err != nil {
		return err
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "ended all sessions of %s\n", u.Email)
	return err
}
