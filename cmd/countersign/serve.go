package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/app"
)

func serveCommand(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "serve", Short: "Run the server", Args: arguments(),
		Long: `Run the server until it is told to stop.

Each flag is also a key of the configuration file (--access-log is access_log, --jwt-access-ttl is
jwt.access_ttl) and a variable of the environment (COUNTERSIGN_ACCESS_LOG, COUNTERSIGN_JWT_ACCESS_TTL).
A flag wins over the environment, the environment over the file. The secret jwt.secret has no flag:
set COUNTERSIGN_JWT_SECRET, or name a file with --jwt-secret-file.`,
		Example: `  countersign serve
  countersign serve --listen 0.0.0.0:8443 --tls-cert-file cert.pem --tls-key-file key.pem
  countersign serve --config countersign.yaml`,
	}
	s := addSettings(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, _, err := s.load(cmd, w)
		if err != nil {
			return err
		}
		return app.Serve(cmd.Context(), cfg, api.NewLog(cmd.ErrOrStderr()), cmd.OutOrStdout())
	}
	return cmd
}

func configCommand(w *world) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "config", Short: "Print the settings in force, and where each comes from", Args: arguments(),
		Long: "Print the settings in force with these flags, this environment and this file, and where each comes from.\nSecrets are not shown.",
	}
	addJSON(cmd, &asJSON)
	s := addSettings(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, all, err := s.load(cmd, w)
		if err != nil {
			return err
		}
		if asJSON {
			type row struct {
				Value  string `json:"value"`
				Source string `json:"source"`
			}
			rows := map[string]row{}
			for _, setting := range all {
				rows[setting.Key] = row{setting.Value(), setting.Source}
			}
			return printJSON(cmd, rows)
		}
		t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "SETTING\tVALUE\tFROM")
		for _, setting := range all {
			fmt.Fprintf(t, "%s\t%s\t%s\n", setting.Key, setting.Value(), setting.Source)
		}
		if err := t.Flush(); err != nil {
			return err
		}
		for _, warning := range cfg.Warnings() {
			fmt.Fprintln(cmd.ErrOrStderr(), "warning:", warning)
		}
		return nil
	}
	return cmd
}
