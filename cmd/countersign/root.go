package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/countersign-auth/countersign/internal/app"
	"github.com/countersign-auth/countersign/internal/config"
	"github.com/countersign-auth/countersign/internal/store"
)

func rootCommand(w *world) *cobra.Command {
	root := &cobra.Command{
		Use:   "countersign",
		Short: "Signup, login and signed tokens for any API",
		Long: `Countersign is signup, login and signed tokens for any API, in one binary.

Start with:  countersign serve

It needs no configuration and keeps its users in an SQLite file below ./countersign-data.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w\nSee: %s --help", err, cmd.CommandPath())}
	})
	root.AddCommand(serveCommand(w), configCommand(w), userCommand(w), tokenCommand(w), apikeyCommand(w), keyCommand(w), auditCommand(w), hashCommand(),
		importCommand(w), exportCommand(w), seedCommand(w), rulesCommand(w), backupCommand(w), restoreCommand(w), migrateCommand(w), doctorCommand(w),
		versionCommand())
	return root
}

// usageError is a command line that cannot be followed.
type usageError struct{ error }

// incompleteError says what was left out of what was done.
type incompleteError struct{ error }

func isUsage(err error) bool {
	var u usageError
	return errors.As(err, &u) || strings.HasPrefix(err.Error(), "unknown command")
}

// arguments demands exactly these arguments, and says their names when they are not there.
func arguments(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		want := "no arguments"
		if len(names) > 0 {
			want = strings.Join(names, " ")
		}
		return usageError{fmt.Errorf("%s takes %s\nSee: %s --help", cmd.CommandPath(), want, cmd.CommandPath())}
	}
}

// group is a command that only holds others.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short, RunE: func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usageError{fmt.Errorf("unknown command %q\nSee: %s --help", args[0], cmd.CommandPath())}
		}
		return cmd.Help()
	}, Args: cobra.ArbitraryArgs}
	g.AddCommand(commands...)
	return g
}

// settings are the configuration flags of one command.
type settings struct {
	file   string
	values map[string]*string
}

// addSettings gives cmd a flag for each setting. Those that are not in shown stay out of its help, not of its reach.
func addSettings(cmd *cobra.Command, shown ...string) *settings {
	s := &settings{values: map[string]*string{}}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&s.file, "config", "", "`file` with settings, in YAML")
	for _, setting := range config.Settings() {
		if setting.Secret {
			continue
		}
		value := new(string)
		s.values[setting.Flag()] = value
		flags.Var(&settingFlag{value, setting}, setting.Flag(), setting.Help)
		if setting.Type() == "bool" {
			flags.Lookup(setting.Flag()).NoOptDefVal = "true"
		}
		if len(shown) > 0 && !slices.Contains(shown, setting.Key) {
			flags.Lookup(setting.Flag()).Hidden = true
		}
	}
	return s
}

// settingFlag hands the text on to package config, where all sources meet.
type settingFlag struct {
	value   *string
	setting *config.Setting
}

func (f *settingFlag) Set(text string) error { *f.value = text; return nil }
func (f *settingFlag) Type() string          { return f.setting.Type() }
func (f *settingFlag) String() string {
	if f.setting == nil {
		return ""
	}
	if f.setting.Type() == "bool" && f.setting.Value() == "false" {
		return "" // pflag prints a default of false
	}
	return f.setting.Value()
}

// load reads all sources.
func (s *settings) load(cmd *cobra.Command, w *world) (*config.Config, []*config.Setting, error) {
	src := config.Sources{File: s.file, Environ: w.env, Flags: map[string]string{}}
	for name, value := range s.values {
		if cmd.Flags().Changed(name) {
			src.Flags[name] = *value
		}
	}
	for _, v := range w.env {
		if path, ok := strings.CutPrefix(v, config.ConfigEnv+"="); ok && src.File == "" {
			src.File = path
		}
	}
	cfg, all, err := config.Load(src)
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("the configuration is not valid:\n%w", indent(err))}
	}
	return cfg, all, nil
}

func indent(err error) error {
	return errors.New("  " + strings.ReplaceAll(err.Error(), "\n", "\n  "))
}

// open opens the services over an existing database.
func (s *settings) open(cmd *cobra.Command, w *world, create bool) (*app.App, error) {
	cfg, err := s.database(cmd, w, create)
	if err != nil {
		return nil, err
	}
	if !create { // to look at a database must not make keys in one that is empty
		switch empty, err := app.Empty(cmd.Context(), cfg); {
		case err != nil:
			return nil, err
		case empty:
			return nil, fmt.Errorf("the database %s is empty: start `countersign serve` once, or name another", cfg.DatabaseName())
		}
	}
	return app.Open(cmd.Context(), cfg, cfg.Listen, slog.New(slog.DiscardHandler), nil)
}

// openStore opens a database without the services, which would make keys in one that has none.
func (s *settings) openStore(cmd *cobra.Command, w *world, create bool) (store.Store, error) {
	cfg, err := s.database(cmd, w, create)
	if err != nil {
		return nil, err
	}
	return app.OpenStore(cmd.Context(), cfg)
}

// database reads the settings of a database, which must be there unless it may be created.
func (s *settings) database(cmd *cobra.Command, w *world, create bool) (*config.Config, error) {
	cfg, _, err := s.load(cmd, w)
	if err != nil {
		return nil, err
	}
	if file := cfg.DatabasePath(); file != "" && !exists(file) {
		if !create {
			return nil, errNoDatabase(file)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "making a new database at %s\n", file)
	}
	return cfg, nil
}

func errNoDatabase(file string) error {
	return fmt.Errorf("there is no database at %s: name its folder with --data, or start `countersign serve` once", file)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func printJSON(cmd *cobra.Command, v any) error {
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "version", Short: "Print the version of this binary", Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			goVersion := "unknown"
			if info, ok := debug.ReadBuildInfo(); ok {
				goVersion = info.GoVersion
			}
			if asJSON {
				return printJSON(cmd, map[string]string{"version": app.Version(), "go": goVersion})
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "countersign %s (%s)\n", app.Version(), goVersion)
			return err
		},
	}
	addJSON(cmd, &asJSON)
	return cmd
}

func addJSON(cmd *cobra.Command, into *bool) {
	cmd.Flags().BoolVar(into, "json", false, "print JSON")
}
