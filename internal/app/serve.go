package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"time"

	"github.com/countersign-auth/countersign/internal/config"
)

// The bounds on what one connection can hold. A client that sends or reads more slowly is cut off.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 15 * time.Second
	writeTimeout  = 30 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10
	drainTimeout  = 10 * time.Second
)

// room is how much more memory than there is the garbage collector believes to be in use.
const room = 16 << 20

// MakeRoom makes the garbage collector run seldom, until release is called. It runs when the heap has doubled: with that of
// a server, 2 MiB, after every thousand requests, for a twentieth of the time. What is allocated here is never touched, so that it
// takes no memory; but as much more garbage may lie about.
func MakeRoom() (release func()) {
	empty := make([]byte, room)
	return func() { runtime.KeepAlive(empty) }
}

// Serve runs the server until ctx ends, then finishes the requests in flight. It says on out where it listens and what
// to try.
func Serve(ctx context.Context, cfg *config.Config, log *slog.Logger, out io.Writer) (err error) {
	for _, w := range cfg.Warnings() {
		log.Warn(w)
	}
	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("%w: is another server running there? Choose another address with --listen", err)
	}
	if cfg.TLS.CertFile != "" {
		if listener, err = withTLS(listener, cfg.TLS); err != nil {
			return err
		}
	}
	addr := cfg.Listen
	if _, port, _ := net.SplitHostPort(addr); port == "0" { // any free port: only the listener knows which
		addr = listener.Addr().String()
	}
	a, err := Open(ctx, cfg, addr, log, nil)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	stop := a.Start(ctx)
	defer stop()
	stopMetrics, err := a.serveMetrics(ctx)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer stopMetrics()
	server, err := a.Server(ctx)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer MakeRoom()()
	a.greet(out, addr)

	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	log.Info("stopping: finishing the requests in flight")
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		return errors.Join(fmt.Errorf("requests were still running after %v: %w", drainTimeout, err), server.Close())
	}
	log.Info("stopped")
	return nil
}

// Server returns the HTTP server, bounded against slow and large requests, ready to serve.
func (a *App) Server(ctx context.Context) (*http.Server, error) {
	if err := a.settleLifetime(ctx, true); err != nil {
		return nil, err
	}
	if err := a.Passwords.Policy.Load(); err != nil {
		return nil, err
	}
	handler, err := a.Handler()
	if err != nil {
		return nil, err
	}
	return HTTPServer(handler, a.log), nil
}

// HTTPServer returns a server of handler, bounded against slow and large requests. Log receives what net/http says.
func HTTPServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

func withTLS(inner net.Listener, files config.TLS) (net.Listener, error) {
	cert, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("tls.cert_file, tls.key_file: %w", err), inner.Close())
	}
	return tls.NewListener(inner, &tls.Config{
		Certificates: []tls.Certificate{cert},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2", "http/1.1"},
	}), nil
}

// greet prints where the server is and three commands that show it working.
func (a *App) greet(out io.Writer, addr string) {
	c := *a.Config
	c.Issuer = ""
	base := c.IssuerAt(addr)
	place := a.Config.DatabaseName()
	if file := a.Config.DatabasePath(); file != "" {
		if abs, err := filepath.Abs(file); err == nil {
			file = abs
		}
		place = file
	}
	fmt.Fprintf(out, `Countersign %s listens on %s
Data lies in %s. API and its description: %s/docs

Try it:
  curl -d email=mike@example.com -d password=correct-horse %s/signup
  curl -d email=mike@example.com -d password=correct-horse %s/login
  curl -H "Authorization: Bearer $TOKEN" %s/user/profile      # with the token of the second answer

`, Version(), base, place, base, base, base, base)
}
