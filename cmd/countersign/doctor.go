package main

import (
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/countersign-auth/countersign/internal/app"
)

func doctorCommand(w *world) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "doctor", Short: "Check what the server would start with", Args: arguments(),
		Long: `Check the configuration, the rights of files, the disk, the database, its schema and whether it is damaged, the master key and the
clock. A line each: ok, doubt (worth a look), failed or skipped. It changes nothing, and may run beside the server; a large
database takes a while. The exit code is 1 when a check has failed.`,
	}
	addJSON(cmd, &asJSON)
	s := addSettings(cmd, "data", "database")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, _, err := s.load(cmd, w)
		if err != nil {
			return err
		}
		all := app.Examine(cmd.Context(), cfg)
		if asJSON {
			if err := printJSON(cmd, all); err != nil {
				return err
			}
		} else {
			t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, f := range all {
				fmt.Fprintf(t, "%s\t%s\t%s\n", f.Verdict, f.Check, f.Detail)
			}
			if err := t.Flush(); err != nil {
				return err
			}
		}
		for _, f := range all {
			if f.Verdict == app.Failed {
				return errors.New("a check has failed")
			}
		}
		return nil
	}
	return cmd
}

func migrateCommand(w *world) *cobra.Command {
	var status, asJSON bool
	cmd := &cobra.Command{
		Use: "migrate", Short: "Bring the database's schema up to date, as a start of the server does", Args: arguments(),
		Long: `Bring the database's schema up to date. A start of the server does so too; this is for those who want it apart from that. There is
no way back: make a backup before. A binary that is older than the schema does not start.`,
	}
	cmd.Flags().BoolVar(&status, "status", false, "only print the versions")
	addJSON(cmd, &asJSON)
	s := addSettings(cmd, "data", "database")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := s.existing(cmd, w)
		if err != nil {
			return err
		}
		if status {
			v, err := app.Schema(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd, v)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "the schema has version %d; this binary has %d\n", v.Current, v.Newest)
			return err
		}
		from, to, err := app.Migrate(cmd.Context(), cfg)
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(cmd, map[string]int64{"from": from, "to": to.Current})
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "the schema had version %d, and has %d\n", from, to.Current)
		return err
	}
	return cmd
}
