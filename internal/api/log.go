package api

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// NewLog returns a logger that writes a line of JSON for each record, with the time in UTC. Strings are escaped, so that no
// value can forge a line. Each line is one write, made before the call returns: a crash loses none.
//
// [Wrap] writes its access lines to such a logger without what slog costs, and to any other through slog.
func NewLog(out io.Writer) *slog.Logger {
	w := &lineWriter{out: out}
	return slog.New(&lines{Handler: slog.NewJSONHandler(w, nil), out: w})
}

// lines is a slog.JSONHandler for records, with a way around it for access lines.
type lines struct {
	slog.Handler
	out *lineWriter // nil once there are attributes that every line has
}

func (l *lines) Handle(ctx context.Context, r slog.Record) error {
	r.Time = r.Time.UTC()
	return l.Handler.Handle(ctx, r)
}

func (l *lines) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &lines{Handler: l.Handler.WithAttrs(attrs)}
}

func (l *lines) WithGroup(name string) slog.Handler {
	return &lines{Handler: l.Handler.WithGroup(name)}
}

// lineWriter keeps the lines of the two ways apart.
type lineWriter struct {
	mu  sync.Mutex
	out io.Writer
}

func (w *lineWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(line)
}

// access is what the access line of a request says. The query is left out, because it may carry a token.
type access struct {
	id, method, path string
	status           int
	code             string // of a problem; empty for none
	bytes            int64
	took             time.Duration
	client           netip.Addr
}

// log writes the access line. Of 304 Not Modified there is none: it says that there is nothing new, to services that ask for the
// revocation feed twice a second each.
func (f *front) log(r *http.Request, rec *recorder, start time.Time) {
	if rec.status == http.StatusNotModified {
		return
	}
	now := f.cfg.Now()
	a := access{
		id: rec.id[0], method: r.Method, path: r.URL.Path, status: rec.status, code: rec.code, bytes: rec.bytes,
		took: now.Sub(start), client: f.cfg.Proxies.Client(r),
	}
	if a.status == 0 {
		a.status = http.StatusOK
	}
	l, direct := f.cfg.Log.Handler().(*lines)
	if !direct || l.out == nil || !a.plain() {
		f.cfg.Log.LogAttrs(r.Context(), slog.LevelInfo, "request", a.attrs()...)
		return
	}
	p := buffers.Get().(*[]byte)
	b := a.append((*p)[:0], time.Now().UTC())
	_, _ = l.out.Write(b) // slog has nobody to tell, either
	keep(p, b)
}

func (a *access) attrs() []slog.Attr {
	attrs := []slog.Attr{
		slog.String("request_id", a.id),
		slog.String("method", a.method),
		slog.String("path", a.path),
		slog.Int("status", a.status),
		slog.Int64("bytes", a.bytes),
		slog.Int64("took_us", a.took.Microseconds()),
		slog.String("client", a.client.String()),
	}
	if a.code != "" {
		attrs = append(attrs, slog.String("code", a.code))
	}
	return attrs
}

// plain reports whether nothing in the line has to be escaped. The id is a plain one anyway.
func (a *access) plain() bool {
	return onlyOf(a.method, &inJSON) && onlyOf(a.path, &inJSON) && onlyOf(a.code, &inJSON)
}

// append appends the line that slog.JSONHandler writes for attrs, which must be plain.
func (a *access) append(b []byte, now time.Time) []byte {
	b = append(b, `{"time":"`...)
	b = now.AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","level":"INFO","msg":"request","request_id":"`...)
	b = append(b, a.id...)
	b = append(b, `","method":"`...)
	b = append(b, a.method...)
	b = append(b, `","path":"`...)
	b = append(b, a.path...)
	b = append(b, `","status":`...)
	b = strconv.AppendInt(b, int64(a.status), 10)
	b = append(b, `,"bytes":`...)
	b = strconv.AppendInt(b, a.bytes, 10)
	b = append(b, `,"took_us":`...)
	b = strconv.AppendInt(b, a.took.Microseconds(), 10)
	b = append(b, `,"client":"`...)
	if a.client.IsValid() {
		b = a.client.AppendTo(b) // a zone has been taken off, so there is nothing to escape
	} else {
		b = append(b, "invalid IP"...)
	}
	if a.code != "" {
		b = append(b, `","code":"`...)
		b = append(b, a.code...)
	}
	return append(b, "\"}\n"...)
}
