// Package api is the kit that every HTTP route of the server is built with: the router that also keeps the OpenAPI
// document, and the middleware around it: request ids, access log, panics, security headers, CORS, cross-site
// protection, body limits and client addresses.
package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/problem"
)

// MaxBody is the largest request body that any route reads, in bytes.
const MaxBody = 64 << 10

// Config is what the middleware needs to know. Its zero value works: no log, no CORS, no trusted proxy, plain HTTP.
type Config struct {
	// Log receives panics and technical faults, and the access log if AccessLog is set.
	Log       *slog.Logger
	AccessLog bool
	// Origins are the origins whose pages may call the server, exactly as browsers send them.
	Origins []string
	// Proxies are the addresses whose forwarding headers are believed.
	Proxies Proxies
	// HTTPS says that clients reach the server by TLS, for Strict-Transport-Security.
	HTTPS bool
	// Beside answers what is for it in place of the routes.
	Beside *Mount
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Mount is a handler beside the routes, for requests that are not about this server. What protects the routes is not for
// it: no CORS, no refusal of other origins, no rule for the spelling of paths. It gets each path as it was sent.
type Mount struct {
	// Path is where it is, with all below. Other spellings of it are left to the routes.
	Path    string
	Handler http.Handler
}

// takes reports whether a request with that target is for the mount.
func (m *Mount) takes(target string) bool {
	behind, ok := strings.CutPrefix(target, m.Path)
	return ok && (behind == "" || behind[0] == '/' || behind[0] == '?')
}

// Wrap returns next behind the middleware.
func Wrap(cfg Config, next http.Handler) (http.Handler, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	sameSite, err := crossOrigin(cfg.Origins, next)
	if err != nil {
		return nil, err
	}
	return &front{cfg: cfg, next: cors(cfg.Origins, sameSite)}, nil
}

// front is the outermost handler. What it does for each request is in one place because it all wraps the same writer.
type front struct {
	cfg  Config
	next http.Handler
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := &recorder{ResponseWriter: w, id: [1]string{f.requestID(r)}}
	h := w.Header()
	h["X-Request-Id"] = rec.id[:]
	f.secure(h)
	// A request that carries both Transfer-Encoding and Content-Length reaches us as chunked, its length forgotten. A proxy
	// in front may have believed the length, so what follows on this connection is not to be trusted
	// (RFC 9112, section 6.1): it is closed after any chunked request.
	if len(r.TransferEncoding) > 0 && r.ProtoMajor == 1 {
		h["Connection"] = []string{"close"}
	}
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = http.MaxBytesReader(rec, r.Body, MaxBody)
	}
	var start time.Time
	if f.cfg.AccessLog {
		start = f.cfg.Now()
	}

	defer func() {
		if v := recover(); v != nil {
			if v == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so too
				panic(v)
			}
			f.cfg.Log.LogAttrs(r.Context(), slog.LevelError, "panic",
				slog.String("request_id", rec.id[0]), slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
			if rec.status == 0 {
				problem.Write(rec, errors.New("panic"))
			} else { // half an answer must not look like a whole one: net/http cuts the connection
				defer panic(http.ErrAbortHandler)
			}
		}
		if f.cfg.AccessLog {
			f.log(r, rec, start)
		}
	}()
	if f.cfg.Beside != nil && f.cfg.Beside.takes(r.RequestURI) {
		f.cfg.Beside.Handler.ServeHTTP(rec, r)
		return
	}
	f.next.ServeHTTP(rec, r)
}

var (
	noSniff    = []string{"nosniff"}
	noReferrer = []string{"no-referrer"}
	noStore    = []string{"no-store"}
	nothing    = []string{"default-src 'none'; frame-ancestors 'none'"}
	jsonType   = []string{"application/json"}
	oneYear    = []string{"max-age=31536000"}
)

// secure sets the headers of every answer. A handler may replace them by what its content needs.
func (f *front) secure(h http.Header) {
	h["X-Content-Type-Options"] = noSniff
	h["Referrer-Policy"] = noReferrer
	h["Cache-Control"] = noStore
	h["Content-Security-Policy"] = nothing
	if f.cfg.HTTPS {
		h["Strict-Transport-Security"] = oneYear
	}
}

// clientGone is what the log has of a request whose client did not wait for the answer. Nobody reads it otherwise.
var clientGone = problem.New(499, "client_gone", "The client closed the connection.")

// databaseBusy answers [store.ErrBusy], whatever a route asked of the store: nothing was written, and soon it may be.
var databaseBusy = problem.New(http.StatusServiceUnavailable, "database_busy", "The database is busy. Try again shortly.").
	WithRetryAfter(time.Second)

// databaseUnavailable answers [store.ErrUnavailable].
var databaseUnavailable = problem.New(http.StatusServiceUnavailable, "database_unavailable", "The database does not answer. Try again later.").
	WithRetryAfter(5 * time.Second)

// Fail answers with err, and logs it if it is the server's fault. A 503 without a cause is no fault but a refusal, which
// whoever refused has counted: a line for each would let a flood fill the disk.
func Fail(log *slog.Logger, w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		problem.Write(w, clientGone)
		return
	}
	e := problem.From(err)
	if e.Code == problem.Internal {
		switch {
		case errors.Is(err, store.ErrBusy):
			e = databaseBusy.WithCause(err)
		case errors.Is(err, store.ErrUnavailable):
			e = databaseUnavailable.WithCause(err)
		}
	}
	refusal := e.Status == http.StatusServiceUnavailable && e.Cause == nil
	if e.Status >= 500 && !refusal {
		level := slog.LevelError
		if e.Status == http.StatusServiceUnavailable {
			level = slog.LevelWarn
		}
		log.LogAttrs(r.Context(), level, "request failed",
			slog.String("request_id", w.Header().Get("X-Request-Id")), slog.String("path", r.URL.Path), slog.Any("error", err))
	}
	problem.Write(w, e)
}

// recorder notes what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	code   string // of a problem
	bytes  int64
	id     [1]string // of the request; an array, so that the header needs no memory of its own
}

// Unwrap lets http.ResponseController reach the connection.
func (rec *recorder) Unwrap() http.ResponseWriter { return rec.ResponseWriter }

// NoteProblem implements what [problem.Write] asks for.
func (rec *recorder) NoteProblem(code string) { rec.code = code }

func (rec *recorder) WriteHeader(status int) {
	if rec.status == 0 && status >= 200 {
		rec.status = status
	}
	rec.ResponseWriter.WriteHeader(status)
}

func (rec *recorder) Write(b []byte) (int, error) {
	if rec.status == 0 {
		rec.status = http.StatusOK
	}
	n, err := rec.ResponseWriter.Write(b)
	rec.bytes += int64(n)
	return n, err
}

// addrOf returns the address of the peer of r's connection; the zero Addr if there is none.
func addrOf(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}
