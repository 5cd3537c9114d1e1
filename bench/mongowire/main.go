// Command mongowire serves the MongoDB wire protocol from a folder of SQLite
// files, so that the Express app has its database wherever Go runs, and the
// tests of the MongoDB store a server. It is FerretDB embedded; it prints its
// mongodb:// URI once it takes connections and ends on SIGTERM or SIGINT.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mongowire:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("mongowire", flag.ContinueOnError)
	flags.SetOutput(stderr)
	listen := flags.String("listen", "127.0.0.1:27017", "`address` to listen on; port 0 takes a free one")
	dir := flags.String("dir", "", "`folder` of the SQLite files, made if missing (required)")
	sync := flags.Bool("sync", true, "wait for the disk at each write; without that the newest are lost if the power fails")
	follow := flags.Bool("follow-stdin", false, "end when standard input does: with the process that holds its other end")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *follow {
		var end context.CancelFunc
		ctx, end = context.WithCancel(ctx)
		defer end()
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			end()
		}()
	}
	if *dir == "" {
		return errors.New("-dir is required")
	}
	if err := os.MkdirAll(*dir, 0o700); err != nil {
		return err
	}
	abs, err := filepath.Abs(*dir)
	if err != nil {
		return err
	}

	db, err := ferretdb.New(&ferretdb.Config{
		Listener: ferretdb.ListenerConfig{TCP: *listen},
		// A line per query would cost the app that is being measured.
		Logger:    slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		Handler:   "sqlite",
		SQLiteURL: sqliteURL(abs, *sync),
	})
	if err != nil {
		return err
	}

	done := make(chan error, 1)
	go func() { done <- db.Run(ctx) }()
	// MongoDBURI waits for the listener, which only Run brings up.
	fmt.Fprintln(stdout, db.MongoDBURI())
	return <-done
}

func sqliteURL(dir string, sync bool) string {
	location := "file:" + dir + "/" // without the slash FerretDB refuses it
	if !sync {
		location += "?_pragma=synchronous(off)"
	}
	return location
}
