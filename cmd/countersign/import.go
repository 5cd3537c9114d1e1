package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/countersign-auth/countersign/internal/app"
	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/config"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/transfer"
)

func importCommand(w *world) *cobra.Command {
	cmd := group("import", "Import users from other systems, or a whole database from an export", importOwn(w))
	for _, system := range transfer.Systems() {
		cmd.AddCommand(importSystem(w, system))
	}
	return cmd
}

// importFlags are the flags of an import from another system.
type importFlags struct {
	options          transfer.Options
	mapping          string
	idPrefix         string
	report           string
	dryRun           bool
	withoutData      bool
	withoutPasswords bool
	asJSON           bool
}

const importHelp = `Import %s.
Without %s, or with -, it is read from stdin.

Passwords go on working: their hashes are taken as they are, and renewed at the next login. A user keeps the id. What is
there already, by id and address, is left as it is, so that an import which was ended goes on when it is started again.
What cannot be imported is skipped: the summary says how many for which reason, --report has each, and the exit
status is 3. docs/moving.md says what is taken of each field.`

func importSystem(w *world, system transfer.System) *cobra.Command {
	var f importFlags
	place := "FILE"
	if system.URL {
		place = "URL"
	}
	cmd := &cobra.Command{
		Use: system.Name + " [" + place + "]", Short: "Import " + system.Help, Args: atMostOne(place),
		Long: fmt.Sprintf(importHelp, system.Help, place),
	}
	f.add(cmd, system)
	s := addSettings(cmd, "data", "database")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if f.options.Map, err = transfer.ParseMapping(f.mapping); err != nil {
			return usageError{fmt.Errorf("--map: %w", err)}
		}
		var dump openedDump
		var size int64
		if system.URL {
			dump, err = urlOf(cmd, args)
		} else {
			dump, size, err = openDump(cmd, args)
		}
		if err != nil {
			return err
		}
		defer dump.close()
		cfg := transfer.Config{
			System: system, Dump: dump.Dump, Options: f.options, IDPrefix: f.idPrefix, WithoutData: f.withoutData,
			WithoutPasswords: f.withoutPasswords, Now: time.Now,
		}
		if f.dryRun {
			return f.tryOut(cmd, w, s, cfg, size)
		}
		target, err := s.openStore(cmd, w, true)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, target.Close()) }()
		cfg.Store = target
		summary, err := f.run(cmd, cfg, size)
		if summary.Imported+summary.PasswordsAdded > 0 {
			err = errors.Join(err, recordImport(cmd.Context(), target, system.Name))
		}
		return f.conclude(cmd, summary, err)
	}
	return cmd
}

// add adds the flags that a system has.
func (f *importFlags) add(cmd *cobra.Command, system transfer.System) {
	flags := cmd.Flags()
	flags.BoolVar(&f.dryRun, "dry-run", false, "say what would be imported and skipped, and write nothing")
	flags.StringVar(&f.report, "report", "", "write what is skipped into this new `file`, as JSON Lines")
	flags.StringVar(&f.idPrefix, "id-prefix", "", "put this `text` before each id")
	flags.BoolVar(&f.withoutData, "without-data", false, "leave data and admin_data out")
	flags.BoolVar(&f.withoutPasswords, "without-passwords", false, "also import a dump in which no hash of a password is found")
	addJSON(cmd, &f.asJSON)
	if slices.Contains(system.Options, "map") {
		flags.StringVar(&f.mapping, "map", "", "our names of the fields and those of the dump, as `email=mail,hash=pw_hash,id=uid`")
	}
	if slices.Contains(system.Options, "domain") {
		flags.StringVar(&f.options.Domain, "domain", "", "make addresses of user names with this `domain`")
	}
	if slices.Contains(system.Options, "model") {
		flags.StringVar(&f.options.Model, "model", "auth.user", "the `model` that has the users")
	}
	if slices.Contains(system.Options, "collection") {
		flags.StringVar(&f.options.Collection, "collection", "users", "the `collection` that has the users")
	}
}

// tryOut imports into a database that is thrown away, without the hashes, and looks at the real one if it is there.
func (f *importFlags) tryOut(cmd *cobra.Command, w *world, s *settings, cfg transfer.Config, size int64) (err error) {
	settings, _, err := s.load(cmd, w)
	if err != nil {
		return err
	}
	if file := settings.DatabasePath(); file == "" || exists(file) {
		there, err := app.OpenStore(cmd.Context(), settings)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, there.Close()) }()
		cfg.Taken = there
	}
	folder, err := os.MkdirTemp("", "countersign-dry-run-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	scratch, err := app.OpenStore(cmd.Context(), &config.Config{Data: folder})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, scratch.Close()) }()
	cfg.Store = withoutHashes{scratch}
	summary, err := f.run(cmd, cfg, size)
	return f.conclude(cmd, summary, err)
}

// withoutHashes is a store that keeps no hashes.
type withoutHashes struct{ store.Store }

// AddAccounts implements [store.Archive].
func (s withoutHashes) AddAccounts(ctx context.Context, accounts ...store.Account) ([]error, error) {
	for i := range accounts {
		for j := range accounts[i].Credentials {
			accounts[i].Credentials[j].Data = []byte("{}")
		}
	}
	return s.Store.AddAccounts(ctx, accounts...)
}

// shownSkips is how many of the skipped records are told without a report.
const shownSkips = 10

// run imports, and tells of what is skipped.
func (f *importFlags) run(cmd *cobra.Command, cfg transfer.Config, size int64) (summary transfer.Summary, err error) {
	p := newProgress(cmd, "users", size)
	cfg.Progress = func(s transfer.Summary) { p.show(s.Read, s.Bytes) }
	skips := 0
	cfg.Skipped = func(s transfer.Skipped) error {
		if skips++; skips <= shownSkips {
			p.end()
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s %s %s\n", s.Place, s.Reason, s.Email, s.Detail)
		}
		return nil
	}
	if f.report != "" {
		report, openErr := os.OpenFile(f.report, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if openErr != nil {
			return summary, fmt.Errorf("report: %w", openErr)
		}
		defer func() { err = errors.Join(err, report.Close()) }()
		enc := json.NewEncoder(report)
		enc.SetEscapeHTML(false)
		cfg.Skipped = func(s transfer.Skipped) error { return enc.Encode(s) }
	}
	summary, err = transfer.Import(cmd.Context(), cfg)
	p.end()
	if f.report == "" && skips > shownSkips {
		fmt.Fprintf(cmd.ErrOrStderr(), "and %s more: --report FILE has them all\n", thousands(skips-shownSkips))
	}
	return summary, err
}

// recordImport puts an event into the audit log.
func recordImport(ctx context.Context, s store.Store, from string) error {
	log := audit.New(s, slog.New(slog.DiscardHandler), time.Now)
	ctx = context.WithoutCancel(ctx) // what is imported stays imported
	err := log.Record(ctx, store.Event{Kind: "users_imported", Result: audit.OK, Reason: from, Actor: audit.CLI})
	return errors.Join(err, log.Close(ctx))
}

// conclude prints the summary.
func (f *importFlags) conclude(cmd *cobra.Command, s transfer.Summary, err error) error {
	if f.asJSON {
		err = errors.Join(err, printJSON(cmd, s))
	} else {
		err = errors.Join(err, printSummary(cmd.OutOrStdout(), s, f.dryRun))
	}
	switch {
	case cmd.Context().Err() != nil:
		return errors.New("the import was ended; the same command goes on with it")
	case err != nil:
		return err
	case s.Read == 0:
		return errors.New("there is no user in it")
	case s.SkippedTotal() > 0:
		return incompleteError{fmt.Errorf("%s of %s users were skipped", thousands(s.SkippedTotal()), thousands(s.Read))}
	}
	return nil
}

func printSummary(to io.Writer, s transfer.Summary, dryRun bool) error {
	out := new(strings.Builder)
	done := "imported"
	if dryRun {
		done = "would be imported"
	}
	fmt.Fprintf(out, "%s %s\n", thousands(s.Imported), done)
	for _, part := range []struct {
		n    int
		what string
	}{
		{s.Disabled, "of them disabled"}, {s.WithoutPassword, "of them without a password, who cannot log in with one"},
		{s.There, "were there already"}, {s.PasswordsAdded, "of them had no password, and have that of the dump now"},
	} {
		if part.n > 0 {
			fmt.Fprintf(out, "%s %s\n", thousands(part.n), part.what)
		}
	}
	for _, format := range sortedKeys(s.Hashes) {
		fmt.Fprintf(out, "%s with %s\n", thousands(s.Hashes[format]), format)
	}
	if n := s.SkippedTotal(); n > 0 {
		fmt.Fprintf(out, "%s skipped\n", thousands(n))
	}
	for _, reason := range sortedKeys(s.Skipped) {
		fmt.Fprintf(out, "  %s %s\n", thousands(s.Skipped[reason]), reason)
	}
	if len(s.FieldsLeft) > 0 {
		fmt.Fprint(out, "fields not taken:")
		for _, name := range s.FieldsLeft {
			fmt.Fprintf(out, " %s", cell(name))
		}
		fmt.Fprintln(out)
	}
	_, err := io.WriteString(to, out.String())
	return err
}

func sortedKeys[K ~string](m map[K]int) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// openedDump is a dump that is closed when it has been read.
type openedDump struct {
	transfer.Dump
	close func()
}

// openDump opens the file that is named, or stdin. Size is how long it is; 0 if nobody knows.
func openDump(cmd *cobra.Command, args []string) (d openedDump, size int64, err error) {
	if len(args) == 0 || args[0] == "-" {
		in := cmd.InOrStdin()
		if f, ok := in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			return d, 0, usageError{fmt.Errorf("%s reads a FILE or stdin, and stdin is a terminal\nSee: %s --help", cmd.CommandPath(), cmd.CommandPath())}
		}
		return openedDump{transfer.Dump{Reader: in}, func() {}}, 0, nil
	}
	f, err := os.Open(args[0])
	if err != nil {
		return d, 0, err
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		size = info.Size()
	}
	return openedDump{transfer.Dump{Name: args[0], Reader: f}, func() { _ = f.Close() }}, size, nil
}

// urlOf returns the URL that is given. One with a password is better sent to stdin: every user of the machine can read the command
// line.
func urlOf(cmd *cobra.Command, args []string) (openedDump, error) {
	url, err := argumentOrLine(cmd, args, "URL")
	return openedDump{transfer.Dump{Name: url}, func() {}}, err
}

// atMostOne lets an argument be left out.
func atMostOne(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) <= 1 {
			return nil
		}
		return usageError{fmt.Errorf("%s takes one %s at most\nSee: %s --help", cmd.CommandPath(), name, cmd.CommandPath())}
	}
}
