package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-auth/countersign/internal/apikey"
	"github.com/countersign-auth/countersign/internal/app"
	"github.com/countersign-auth/countersign/internal/store"
)

func apikeyCommand(w *world) *cobra.Command {
	return group("apikey", "Make, list and revoke API keys", apikeyCreate(w), apikeyList(w), apikeyRevoke(w))
}

func apikeyCreate(w *world) *cobra.Command {
	var wish apikey.Wish
	var asJSON bool
	cmd := &cobra.Command{
		Use: "create EMAIL|ID", Short: "Make an API key of a user, and print it", Args: arguments("EMAIL|ID"),
		Long: `Make an API key of a user, and print it: this once, and nothing else on stdout. It speaks for the user, with the scopes
given here and without the user's roles. The scope admin opens the routes of administrators.`,
		Example: "  KEY=$(countersign apikey create ops@example.com --name backend --scope admin)\n" +
			"  countersign apikey create mike@example.com --name report --scope orders:read --expires-in 720h",
	}
	cmd.Flags().StringVar(&wish.Name, "name", "", "what to know the key by; required")
	cmd.Flags().StringSliceVar(&wish.Scopes, "scope", nil, "a `scope` that the key has; may be repeated")
	cmd.Flags().DurationVar(&wish.Lifetime, "expires-in", 0, "how long it is good, such as 720h; for ever if not set")
	addJSON(cmd, &asJSON)
	return onUsers(w, cmd, false, func(cmd *cobra.Command, a *app.App, args []string) error {
		if strings.TrimSpace(wish.Name) == "" {
			return usageError{errors.New("--name: a key must have a name, to know it by")}
		}
		if cmd.Flags().Changed("expires-in") && wish.Lifetime == 0 {
			return usageError{errors.New("--expires-in: a key that is good for no time is of no use; leave it out for one that is good for ever")}
		}
		u, err := findUser(cmd.Context(), a.Store, args[0])
		if err != nil {
			return err
		}
		key, secret, err := a.APIKeys.Create(cmd.Context(), u.ID, wish, byCommand)
		switch {
		case errors.Is(err, apikey.ErrTooMany):
			return fmt.Errorf("%s has %d API keys, which is as many as a user may have: `countersign apikey revoke` ends one", u.Email, apikey.MaxPerUser)
		case errors.Is(err, apikey.ErrNotFound):
			return fmt.Errorf("%s was deleted just now", u.Email)
		case err != nil:
			return err
		case asJSON:
			return printJSON(cmd, apikey.CreatedKey{APIKey: secret.Reveal(), Key: apikey.KeyViewOf(key)})
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), secret.Reveal())
		return err
	})
}

func apikeyList(w *world) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list EMAIL|ID", Short: "List the API keys of a user", Args: arguments("EMAIL|ID"),
	}
	addJSON(cmd, &asJSON)
	return onUsers(w, cmd, false, func(cmd *cobra.Command, a *app.App, args []string) error {
		u, err := findUser(cmd.Context(), a.Store, args[0])
		if err != nil {
			return err
		}
		keys, err := a.APIKeys.List(cmd.Context(), u.ID)
		if err != nil {
			return err
		}
		views := keyViews(keys)
		if asJSON {
			return printJSON(cmd, views)
		}
		t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "ID\tNAME\tSCOPES\tCREATED\tEXPIRES\tLAST USED")
		for _, k := range views {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", cell(k.ID), cell(k.Name), cell(strings.Join(k.Scopes, ",")),
				k.CreatedAt.Format(time.RFC3339), instant(k.ExpiresAt), instant(k.LastUsedAt))
		}
		return t.Flush()
	})
}

func keyViews(keys []apikey.Key) []apikey.KeyView {
	views := make([]apikey.KeyView, 0, len(keys))
	for _, k := range keys {
		views = append(views, apikey.KeyViewOf(k))
	}
	return views
}

// instant returns a time for a table.
func instant(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Format(time.RFC3339)
}

func apikeyRevoke(w *world) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "revoke EMAIL|ID KEY-ID", Short: "End an API key of a user at once, or all with --all",
		Args: func(cmd *cobra.Command, args []string) error {
			if all {
				return arguments("EMAIL|ID")(cmd, args)
			}
			return arguments("EMAIL|ID", "KEY-ID")(cmd, args)
		},
		Long:    `End an API key of a user, or all of them. A running server refuses it from then on.`,
		Example: "  countersign apikey revoke mike@example.com QOVZ5TQJ4UYD3M2C\n  countersign apikey revoke mike@example.com --all",
	}
	cmd.Flags().BoolVar(&all, "all", false, "end all API keys of the user")
	return onUsers(w, cmd, false, func(cmd *cobra.Command, a *app.App, args []string) error {
		u, err := findUser(cmd.Context(), a.Store, args[0])
		if err != nil {
			return err
		}
		if all {
			return revokeAll(cmd, a, u)
		}
		err = a.APIKeys.Revoke(cmd.Context(), u.ID, args[1], byCommand)
		if errors.Is(err, apikey.ErrNotFound) { // without what was given: it may be a whole key
			return fmt.Errorf("%s has no API key of this id: `countersign apikey list` shows all", u.Email)
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "revoked %s\n", args[1])
		return err
	})
}

func revokeAll(cmd *cobra.Command, a *app.App, u store.User) error {
	keys, err := a.APIKeys.List(cmd.Context(), u.ID)
	if err != nil {
		return err
	}
	revoked := 0
	for _, k := range keys {
		switch err := a.APIKeys.Revoke(cmd.Context(), u.ID, k.ID, byCommand); {
		case err == nil:
			revoked++
		case !errors.Is(err, apikey.ErrNotFound): // else somebody was faster
			return err
		}
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "revoked %d API keys of %s\n", revoked, u.Email)
	return err
}
