// Command constant is the yardstick of Countersign's request path: its own
// http.Server with its own middleware around a handler that answers bytes made
// beforehand. What it cannot do here, no handler behind them can. With -naked it
// is net/http's server as it comes, around the same handler. It is a row of the
// benchmark and nothing else.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"strings"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/app"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:3001", "`address` to listen on")
	length := flag.Int("length", 750, "`bytes` of the answer")
	naked := flag.Bool("naked", false, "without the middleware, headers and time limits")
	header := http.Header{"Content-Type": {"application/json"}}
	flag.Func("header", "`name: value` of the answer, any number of them", func(line string) error {
		name, value, _ := strings.Cut(line, ": ")
		header.Set(name, value)
		return nil
	})
	flag.Parse()
	if err := run(*listen, constant(header, *length), *naked); err != nil {
		fmt.Fprintln(os.Stderr, "constant:", err)
		os.Exit(1)
	}
}

func run(listen string, handler http.Handler, naked bool) error {
	if naked {
		return (&http.Server{Addr: listen, Handler: handler}).ListenAndServe()
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	wrapped, err := api.Wrap(api.Config{Log: log}, handler)
	if err != nil {
		return err
	}
	defer app.MakeRoom()()
	server := app.HTTPServer(wrapped, log)
	server.Addr = listen
	return server.ListenAndServe()
}

// constant answers these headers and so many bytes.
func constant(header http.Header, length int) http.Handler {
	var body []byte
	if length > 0 {
		body = append(bytes.Repeat([]byte("x"), length-1), '\n')
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), header)
		_, _ = w.Write(body)
	})
}
