package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/countersign-auth/countersign/internal/app"
	"github.com/countersign-auth/countersign/internal/config"
)

func backupCommand(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "backup FILE", Short: "Write a copy of the SQLite database, beside a server that runs", Args: arguments("FILE"),
		Long: `Write a copy of the SQLite database to FILE, which must not exist: all of it as it is at one moment, checked for damage. The server
goes on meanwhile.

The master key is not in it. Keep a copy of that file apart from the backups: whoever has both has the keys that sign tokens, and
without it they do not open.`,
	}
	s := addSettings(cmd, "data", "database")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := s.existing(cmd, w)
		if err != nil {
			return err
		}
		c, err := app.Backup(cmd.Context(), cfg, args[0])
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "the master key is not in it: keep a copy of %s apart from it\n", masterKeyPlace(cfg))
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d users, %d KiB, schema version %d, no damage\n", args[0], c.Users, c.Bytes>>10, c.Schema)
		return err
	}
	return cmd
}

func restoreCommand(w *world) *cobra.Command {
	var force, keep bool
	cmd := &cobra.Command{
		Use: "restore FILE", Short: "Put a backup in the place of the SQLite database", Args: arguments("FILE"),
		Long: `Put a copy that countersign backup has written in the place of the SQLite database, while no server runs. FILE is checked first,
and stays as it is. A database that is there is replaced with --force only, and kept under another name.

All sessions are ended, for they are those of the time of the backup: some were ended since, and the clients of others have tokens
that the backup does not know. With --keep-sessions they live on: one that was ended since is alive again, a token that was
used since works again, and a client whose token is newer than the backup is logged out.`,
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace the database that is there, which is kept under another name")
	cmd.Flags().BoolVar(&keep, "keep-sessions", false, "do not end the sessions of the backup")
	s := addSettings(cmd, "data", "database")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, _, err := s.load(cmd, w)
		if err != nil {
			return err
		}
		if path := cfg.DatabasePath(); path != "" && exists(path) && !force {
			return fmt.Errorf("there is a database at %s: with --force it is replaced, and kept under another name", path)
		}
		r, err := app.Restore(cmd.Context(), cfg, args[0], force, keep)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %d users, from %s\n", cfg.DatabasePath(), r.Users, args[0])
		if !keep {
			fmt.Fprintf(cmd.OutOrStdout(), "%d sessions are ended\n", r.Ended)
		}
		if r.Aside != "" {
			fmt.Fprintf(cmd.OutOrStdout(), "the database that was there: %s\n", r.Aside)
		}
		if r.Lost != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "what the database that was there had revoked does not hold on: %v\n", r.Lost)
		}
		return failedChecks(cmd, app.Examine(cmd.Context(), cfg))
	}
	return cmd
}

// failedChecks prints the findings that are failures, and returns an error if there are any.
func failedChecks(cmd *cobra.Command, all []app.Finding) error {
	failed := 0
	for _, f := range all {
		if f.Verdict == app.Failed {
			failed++
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", f.Check, f.Detail)
		}
	}
	if failed > 0 {
		return errors.New("it is put in place, and the server would not work with it as it is: see `countersign doctor`")
	}
	return nil
}

// existing reads the settings, and makes sure that the database is there if it is a file.
func (s *settings) existing(cmd *cobra.Command, w *world) (*config.Config, error) {
	cfg, _, err := s.load(cmd, w)
	if err != nil {
		return nil, err
	}
	if file := cfg.DatabasePath(); file != "" && !exists(file) {
		return nil, errNoDatabase(file)
	}
	return cfg, nil
}

// masterKeyPlace says where the master key is.
func masterKeyPlace(cfg *config.Config) string {
	switch {
	case cfg.MasterKeyFile != "":
		return cfg.MasterKeyFile
	case cfg.MasterKey != "":
		return "COUNTERSIGN_MASTER_KEY"
	}
	return cfg.DefaultMasterKeyFile()
}
