package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/countersign-auth/countersign/internal/archive"
)

func exportCommand(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "export [FILE]", Short: "Write everything in the database into a file, to import it elsewhere", Args: atMostOne("FILE"),
		Long: `Write everything in the database as JSON Lines, into a new file that only you can read, or to stdout: users with their
password hashes and sessions, signing keys and secrets, revocations, counters, the audit log. Import it with
countersign import countersign FILE, into a database of any kind.

Signing keys and secrets stay sealed: whoever runs a server on the copy needs the same master key. The rest is in the
clear, password hashes too: keep the file as you keep the database. An export of a database that is in use has each user
whole, and not all of what is written meanwhile: stop the servers first to lose nothing.`,
		Example: "  countersign export backup.jsonl\n  countersign export | gzip >backup.jsonl.gz",
	}
	s := addSettings(cmd, "data", "database")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		from, err := s.openStore(cmd, w, false)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, from.Close()) }()
		out, err := exportTarget(cmd, args)
		if err != nil {
			return err
		}
		p := newProgress(cmd, "records", 0)
		counts, err := archive.Export(cmd.Context(), from, out, func(c archive.Counts) { p.show(c.Total(), 0) })
		p.end()
		if err := out.finish(err); err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "exported %s\n", countsText(counts))
		return nil
	}
	return cmd
}

// target is where an export goes.
type target struct {
	*bufio.Writer
	file *os.File // nil for stdout
}

func exportTarget(cmd *cobra.Command, args []string) (target, error) {
	const size = 1 << 20
	if len(args) == 0 || args[0] == "-" {
		if f, ok := cmd.OutOrStdout().(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			return target{}, usageError{errors.New("an export has password hashes, and stdout is a terminal: name a FILE")}
		}
		return target{bufio.NewWriterSize(cmd.OutOrStdout(), size), nil}, nil
	}
	f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return target{}, err
	}
	return target{bufio.NewWriterSize(f, size), f}, nil
}

// finish ends an export, of which err is what came. A file that is not whole is removed; one that is, is on the disk.
func (t target) finish(err error) error {
	err = errors.Join(err, t.Flush())
	if t.file == nil {
		return err
	}
	if err == nil {
		err = t.file.Sync()
	}
	err = errors.Join(err, t.file.Close())
	if err != nil {
		err = errors.Join(err, os.Remove(t.file.Name()))
	}
	return err
}

func countsText(c archive.Counts) string {
	return fmt.Sprintf("%s users, %s signing keys, %s secrets, %s revocations, %s counters, %s events", thousands(c.Accounts),
		thousands(c.Keys), thousands(c.Secrets), thousands(c.Revocations), thousands(c.Counters), thousands(c.Events))
}

func importOwn(w *world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "countersign [FILE]", Short: "Import a whole database from what `countersign export` has written", Args: atMostOne("FILE"),
		Long: `Import a whole database from what countersign export has written, into an empty one of any kind. Without FILE, or
with -, it is read from stdin.

The file is read twice: nothing is written before it is known to be whole. A pipe is read once, and what stands before a
fault in it is written. An import that was ended goes on when it is
started again. A database that holds anything else is refused, and nothing in it is changed. Start no server on the
database before the import is done; it needs the master key of the old one.`,
		Example: "  countersign import countersign backup.jsonl --database postgres://db.example/countersign",
	}
	s := addSettings(cmd, "data", "database")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		dump, _, err := openDump(cmd, args)
		if err != nil {
			return err
		}
		defer dump.close()
		into, err := s.openStore(cmd, w, true)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, into.Close()) }()
		p := newProgress(cmd, "records", 0)
		counts, err := archive.Restore(cmd.Context(), into, dump.Reader, func(c archive.Counts) { p.show(c.Total(), 0) })
		p.end()
		switch {
		case cmd.Context().Err() != nil:
			return errors.New("the import was ended; the same command goes on with it")
		case err != nil:
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "imported %s\n", countsText(counts))
		return err
	}
	return cmd
}
