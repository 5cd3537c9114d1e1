package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-auth/countersign/internal/app"
)

func keyCommand(w *world) *cobra.Command {
	return group("key", "Show the keys that sign tokens", keyList(w))
}

func keyList(w *world) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{Use: "list", Short: "List the keys, the one that signs first", Args: arguments()}
	addJSON(cmd, &asJSON)
	return onTokens(w, cmd, func(cmd *cobra.Command, a *app.App, _ []string) error {
		type keyView struct {
			ID        string    `json:"id"`
			Algorithm string    `json:"algorithm"`
			Signs     bool      `json:"signs"`
			CreatedAt time.Time `json:"created_at"`
		}
		keys := []keyView{}
		for i, k := range a.Tokens.Keys() {
			keys = append(keys, keyView{k.ID, k.Algorithm, i == 0, k.CreatedAt})
		}
		if asJSON {
			return printJSON(cmd, keys)
		}
		if len(keys) == 0 {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "Tokens are signed with the shared jwt.secret; there are no other keys.")
			return err
		}
		t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "ID\tALGORITHM\tUSE\tCREATED")
		for _, k := range keys {
			use := "verifies"
			if k.Signs {
				use = "signs"
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", k.ID, k.Algorithm, use, k.CreatedAt.Format(time.DateOnly))
		}
		return t.Flush()
	})
}
