package main

import (
	crypto "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-auth/countersign/internal/app"
	"github.com/countersign-auth/countersign/internal/seed"
	"github.com/countersign-auth/countersign/password"
)

// seedEpoch is the time before which everything happened that is made with --random-seed.
var seedEpoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func seedCommand(w *world) *cobra.Command {
	var users int
	var number uint64
	var ask, force bool
	cmd := &cobra.Command{
		Use: "seed", Short: "Fill a database with users for trials", Args: arguments(),
		Long: `Fill a database with users for trials, at example.com. All have the same password, which is hashed once at the
configured cost: so they have the same hash too, as real users never have. The password is random and printed, or with
--ask-password asked for, or read from stdin. A few users have roles, data and sessions that nobody has a token of, and
a few are disabled.

With --random-seed the same number makes the same users, but for the hash. A database that has users is refused unless
--force is given.`,
		Example: "  countersign seed --users 100000 --data trial",
	}
	flags := cmd.Flags()
	flags.IntVar(&users, "users", 1000, "how many `users`")
	flags.Uint64Var(&number, "random-seed", 0, "make the same users for the same `number`")
	flags.BoolVar(&ask, "ask-password", false, "ask for the password, or read it from stdin")
	flags.BoolVar(&force, "force", false, "also where there are users already")
	return onUsers(w, cmd, true, func(cmd *cobra.Command, a *app.App, _ []string) error {
		if users < 1 {
			return usageError{errors.New("--users must be 1 or more")}
		}
		if there, err := a.Store.ListUsers(cmd.Context(), "", 1); err != nil {
			return err
		} else if len(there) > 0 && !force {
			return fmt.Errorf("%s has users already: --force adds to them", a.Config.DatabaseName())
		}
		pw := crypto.Text()
		if ask {
			var err error
			if pw, err = readPassword(cmd); err != nil {
				return err
			}
		}
		hash, err := a.Passwords.Hasher(password.Claim{}).Hash(cmd.Context(), pw)
		if err != nil {
			return err
		}
		source, now := seedSource(number, cmd.Flags().Changed("random-seed"))
		p := newProgress(cmd, "users", 0)
		made, err := seed.Fill(cmd.Context(), seed.Config{
			Store: a.Store, Users: users, Hash: hash, Random: source, Now: now, Progress: func(n int) { p.show(n, 0) },
		})
		p.end()
		if !ask && (made > 0 || err != nil) { // after a fault there may be more than those that were counted
			fmt.Fprintf(cmd.OutOrStdout(), "password of those that were made: %s\n", pw)
		}
		if err != nil {
			return fmt.Errorf("%s users were made: %w", thousands(made), err)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s users were made\n", thousands(made))
		return err
	})
}

// seedSource returns where random numbers come from, and the time before which everything happened.
func seedSource(number uint64, given bool) (*rand.ChaCha8, time.Time) {
	var key [32]byte
	if given {
		binary.BigEndian.PutUint64(key[:], number)
		return rand.NewChaCha8(key), seedEpoch
	}
	_, _ = crypto.Read(key[:]) // never fails
	return rand.NewChaCha8(key), time.Now()
}
