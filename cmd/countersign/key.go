package main

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-auth/countersign/internal/app"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/token"
)

func keyCommand(w *world) *cobra.Command {
	return group("key", "Show and change the keys that sign tokens",
		keyList(w), keyRotate(w), keyRetire(w), keyImport(w), keyExport(w), keyReseal(w))
}

// keyView is a key as JSON shows it.
type keyView struct {
	ID        string    `json:"id"`
	Algorithm string    `json:"algorithm"`
	State     string    `json:"state"`
	Signs     bool      `json:"signs"`
	CreatedAt time.Time `json:"created_at"`
	SignsAt   time.Time `json:"signs_at"`
	EndsAt    time.Time `json:"ends_at,omitzero"`
}

func keyViewOf(k token.KeyInfo) keyView {
	return keyView{k.ID, string(k.Algorithm), string(k.State), k.State == token.Signing, k.CreatedAt, k.SignsAt, k.EndsAt}
}

// use says what a key is for, and until when.
func (k keyView) use() string {
	switch {
	case k.State == string(token.Pending):
		return "pending: signs from " + k.SignsAt.Format(time.RFC3339)
	case k.Signs:
		return "signs"
	}
	return "verifies until " + k.EndsAt.Format(time.RFC3339)
}

func keyList(w *world) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{Use: "list", Short: "List the keys, the newest first", Args: arguments()}
	addJSON(cmd, &asJSON)
	return onTokens(w, cmd, func(cmd *cobra.Command, a *app.App, _ []string) error {
		keys := []keyView{}
		for _, k := range a.Tokens.Keys() {
			keys = append(keys, keyViewOf(k))
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
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", k.ID, k.Algorithm, k.use(), k.CreatedAt.Format(time.RFC3339))
		}
		return t.Flush()
	})
}

// addNow adds the flag of the commands that bring a new key.
func addNow(cmd *cobra.Command, now *bool) {
	cmd.Flags().BoolVar(now, "now", false, "let it sign at once; services that keep the key set do not know it yet, and may refuse its tokens until they have read it again")
}

func keyRotate(w *world) *cobra.Command {
	var now, asJSON bool
	cmd := &cobra.Command{
		Use: "rotate", Short: "Make a new key that will sign instead of the present one", Args: arguments(),
		Long: `Make a new key. It is published at once, signs when all who keep the key set know it (jwt.publish_ahead), and has
the algorithm jwt.algorithm, if that is set, or else that of the newest key. The present key verifies until its last
token has expired. A running server sees it within a second.`,
	}
	addNow(cmd, &now)
	addJSON(cmd, &asJSON)
	return onTokens(w, cmd, func(cmd *cobra.Command, a *app.App, _ []string) error {
		key, err := a.Tokens.Rotate(cmd.Context(), now)
		if err != nil {
			return keyError(err)
		}
		return printNewKey(cmd, key, asJSON)
	})
}

func printNewKey(cmd *cobra.Command, key token.KeyInfo, asJSON bool) error {
	if asJSON {
		return printJSON(cmd, keyViewOf(key))
	}
	from := "now on"
	if key.State == token.Pending {
		from = key.SignsAt.Format(time.RFC3339) + " on"
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s (%s) is published, and signs from %s\n", key.ID, key.Algorithm, from)
	return err
}

// keyError says what to do about an error.
func keyError(err error) error {
	switch {
	case errors.Is(err, store.ErrConflict):
		return errors.New("somebody else has just added a key: see `countersign key list`, and try again if you want another")
	case errors.Is(err, store.ErrExists):
		return errors.New("there is a key of that id already: see `countersign key list`")
	}
	return err
}

func keyRetire(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "retire ID", Short: "Delete a key at once, with all that it has signed", Args: arguments("ID"),
		Long: `Delete a key at once, because somebody else may have it. A running server refuses its tokens within a second; other
services that verify tokens refuse them when they have read the key set again. Sessions go on: their next refresh brings
a token under another key.

A key that is only old needs no retiring: it verifies until its last token has expired, and is deleted by itself.`,
	}
	return onTokens(w, cmd, func(cmd *cobra.Command, a *app.App, args []string) error {
		switch err := a.Tokens.Retire(cmd.Context(), args[0]); {
		case errors.Is(err, token.ErrSigns):
			return fmt.Errorf("%s signs the tokens: run `countersign key rotate --now` first", args[0])
		case errors.Is(err, store.ErrNotFound):
			return fmt.Errorf("there is no key %s: see `countersign key list`", args[0])
		case err != nil:
			return err
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "deleted %s: what it has signed is refused from now on\n", args[0])
		return err
	})
}

func keyReseal(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "reseal", Short: "Seal the secrets in the database under the newest master key", Args: arguments(),
		Long: `Seal the secrets in the database under the first of the master keys given, to change the master key:

  1. Put the new key above the old one, each on a line of its own, and restart the server.
  2. Run countersign key reseal.
  3. Take the old key away, and restart the server.`,
	}
	return onTokens(w, cmd, func(cmd *cobra.Command, a *app.App, _ []string) error {
		n, err := a.Reseal(cmd.Context())
		if err != nil {
			return fmt.Errorf("%d records are sealed anew, not all: %w; run it again", n, err)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d records are sealed anew; all are under master key %s\n", n, a.MasterKeyID())
		return err
	})
}
