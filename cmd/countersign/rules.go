package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/countersign-auth/countersign/internal/forward"
)

func rulesCommand(w *world) *cobra.Command {
	return group("rules", "Try the rules by which proxies are told what may pass", rulesCheck(w))
}

func rulesCheck(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "check [METHOD URL]", Short: "Say which rules a request would meet, or what is odd about the rules",
		Long: `Say which rules of rules_file a request would meet, and why. The URL is taken as it is written, so that the spellings
of an attacker can be tried.

Without a request, say which rules are never reached, and which ones let in what another one seems to guard.`,
		Example: `  countersign rules check --rules-file rules.yaml
  countersign rules check --rules-file rules.yaml DELETE https://app.example.com/admin/users/7
  countersign rules check --rules-file rules.yaml GET https://app.example.com/%61DMIN/`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 0 && len(args) != 2 {
				return usageError{fmt.Errorf("%s takes METHOD URL, or nothing\nSee: %[1]s --help", cmd.CommandPath())}
			}
			return nil
		},
	}
	s := addSettings(cmd, "rules_file")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, _, err := s.load(cmd, w)
		if err != nil {
			return err
		}
		rules, err := forward.Load(cfg.RulesFile)
		if err != nil {
			return fmt.Errorf("rules_file: %w", err)
		}
		if cfg.RulesFile == "" {
			fmt.Fprintln(cmd.ErrOrStderr(), "no rules_file is set: everything needs somebody who is signed in")
		}
		if len(args) == 0 {
			return printWarnings(cmd, rules)
		}
		report, err := rules.Check(args[0], args[1])
		if err != nil {
			return usageError{err}
		}
		return printReport(cmd, report)
	}
	return cmd
}

func printWarnings(cmd *cobra.Command, rules *forward.Rules) error {
	warnings := rules.Warnings()
	for _, warning := range warnings {
		fmt.Fprintln(cmd.OutOrStdout(), warning)
	}
	if len(warnings) > 0 {
		return errors.New("the rules may not do what they seem to")
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), "nothing is odd about the rules")
	return err
}

func printReport(cmd *cobra.Command, report forward.Report) error {
	out := cmd.OutOrStdout()
	for _, m := range report.Matches {
		how := "matches"
		if !m.Exact {
			how = "matches but for the spelling"
		}
		fmt.Fprintf(out, "%s: %s\n", how, m.Rule)
	}
	var err error
	switch {
	case report.Refused != "":
		_, err = fmt.Fprintf(out, "refused: 403 %s: %s\n", report.Refused, report.Reason)
	case report.Public:
		_, err = fmt.Fprintln(out, "everybody may send it")
	case len(report.Matches) == 1:
		_, err = fmt.Fprintln(out, "may be sent by whoever meets this rule")
	default:
		_, err = fmt.Fprintln(out, "may be sent by whoever meets all of these rules")
	}
	return err
}
