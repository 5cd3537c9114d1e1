// Command echo is an API for orders, with echo, that Countersign guards.
package main

import (
	"cmp"
	"context"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/countersign-auth/countersign/passport/bearer"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	issuer := flag.String("issuer", "http://127.0.0.1:3000", "`URL` of the Countersign server, as its setting issuer has it")
	audience := flag.String("audience", "", "whom its tokens are for, as its setting jwt.audience has it; empty is the issuer")
	origin := flag.String("origin", "https://api.example.com", "scheme and host of this API at the proxy, by which programs come")
	listen := flag.String("listen", "127.0.0.1:8081", "where to listen")
	flag.Parse()

	people, err := bearer.New(bearer.Config{Issuer: *issuer, Audience: cmp.Or(*audience, *issuer)})
	if err != nil {
		return err
	}
	defer people.Close()
	// Programs have API keys, which only the server can check. The proxy asks it, and hands on what it has signed.
	programs, err := bearer.New(bearer.Config{
		Issuer: *issuer, Audience: *origin, Types: []string{"assertion+jwt"}, Extract: bearer.HeaderField("X-User-Assertion"),
	})
	if err != nil {
		return err
	}
	defer programs.Close()
	return serve(*listen, routes(people.Guard(), programs.Guard()))
}

// serve answers requests until the process is told to stop, and then those that have begun.
func serve(addr string, handler http.Handler) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
	}
	log.Printf("orders listens on http://%s", listener.Addr())
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return server.Shutdown(drain)
}
