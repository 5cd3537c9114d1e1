package api_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/problem"
)

// served sends r through the middleware with that logger, and returns what is logged.
func served(tb testing.TB, log *slog.Logger, out *bytes.Buffer, r *http.Request, answer http.HandlerFunc) string {
	tb.Helper()
	now := time.Unix(1_800_000_000, 0)
	h, err := api.Wrap(api.Config{Log: log, AccessLog: true, Now: func() time.Time {
		now = now.Add(1234567 * time.Nanosecond)
		return now
	}}, answer)
	if err != nil {
		tb.Fatal(err)
	}
	out.Reset()
	h.ServeHTTP(httptest.NewRecorder(), r)
	return out.String()
}

var volatile = regexp.MustCompile(`"time":"[^"]*"|"request_id":"[^"]*"`)

func sameButForTimeAndID(s string) string { return volatile.ReplaceAllString(s, "…") }

// FuzzAccessLine: the line that is written without slog is the one that slog writes.
func FuzzAccessLine(f *testing.F) {
	f.Add("GET", "/user/profile", "192.0.2.7:1234", 200, "hello")
	f.Add("PUT", "/a\"b\\c\n<&>\x7f\u2028\xff", "[fe80::1%eth0]:80", 404, "")
	f.Add("BR\u00e9W", "/\x00", "", 0, "x")
	f.Add("GET", "/\f\b", "[::ffff:192.0.2.7]:1", 1000, "")
	var slow, fast bytes.Buffer
	plain := slog.New(slog.NewJSONHandler(&slow, nil))
	direct := api.NewLog(&fast)
	f.Fuzz(func(t *testing.T, method, path, peer string, status int, body string) {
		if status == http.StatusNotModified {
			t.Skip("has no line")
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Method, r.URL.Path, r.RemoteAddr = method, path, peer
		answer := func(w http.ResponseWriter, _ *http.Request) {
			if status >= 200 && status <= 999 {
				w.WriteHeader(status)
			}
			_, _ = io.WriteString(w, body)
		}
		want := served(t, plain, &slow, r, answer)
		got := served(t, direct, &fast, r, answer)
		if sameButForTimeAndID(got) != sameButForTimeAndID(want) {
			t.Fatalf("got  %swant %s", got, want)
		}
		var line struct {
			Time      time.Time
			RequestID string `json:"request_id"`
		}
		if err := json.Unmarshal([]byte(got), &line); err != nil || len(line.RequestID) != 26 || time.Since(line.Time) > time.Minute ||
			!strings.HasPrefix(got, `{"time":"`+line.Time.UTC().Format(time.RFC3339Nano)+`","level":"INFO",`) || strings.Count(got, "\n") != 1 {
			t.Fatalf("%v: %s", err, got)
		}
	})
}

// TestLogWithAttributes: what every line of a logger has, access lines have, too.
func TestLogWithAttributes(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	for _, log := range []*slog.Logger{api.NewLog(&out).With("node", "a"), api.NewLog(&out).With().WithGroup("http")} {
		line := served(t, log, &out, httptest.NewRequest(http.MethodGet, "/", nil), func(http.ResponseWriter, *http.Request) {})
		if !json.Valid([]byte(line)) || !strings.Contains(line, `"node":"a"`) && !strings.Contains(line, `"http":{"request_id"`) {
			t.Error(line)
		}
	}
}

// TestLogLinesStayWhole: each line is one write, whichever way it goes.
func TestLogLinesStayWhole(t *testing.T) {
	t.Parallel()
	w := &lines{}
	log := api.NewLog(w)
	h, err := api.Wrap(api.Config{Log: log, AccessLog: true}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		log.Info("within", "path", r.URL.Path)
	}))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
			}
		})
	}
	all.Wait()
	if w.n != 2*8*200 {
		t.Errorf("%d lines", w.n)
	}
}

// lines counts the writes that are a line, and needs no lock: a log does not write two at once.
type lines struct{ n int }

func (w *lines) Write(line []byte) (int, error) {
	if json.Valid(line) && bytes.HasSuffix(line, []byte("}\n")) {
		w.n++
	}
	return len(line), nil
}

func TestLogIsInUTC(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := slog.NewRecord(time.Unix(1_800_000_000, 0).In(time.FixedZone("", 3600)), slog.LevelWarn, "x", 0)
	if err := api.NewLog(&out).Handler().Handle(t.Context(), r); err != nil || out.String() != `{"time":"2027-01-15T08:00:00Z","level":"WARN","msg":"x"}`+"\n" {
		t.Errorf("%v: %s", err, out.String())
	}
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "mike@example.com", `"\`, "<script>&", "\u2028\u2029\x00\x1f\x7f\x80\xff", "é日本\U0001F600", "\xed\xa0\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := json.Marshal(s)
		if got := api.AppendString([]byte("x"), s); err != nil || string(got) != "x"+string(want) {
			t.Fatalf("%q: %s, want %s", s, got, want)
		}
	})
}

type fixed string

func (f fixed) AppendJSON(b []byte) []byte { return api.AppendString(b, string(f)) }

// TestAppendedJSON: answers do not share the memory that they are put together in.
func TestAppendedJSON(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 500 {
				text := strings.Repeat(string(rune('a'+g)), i*40)
				w := httptest.NewRecorder()
				api.AppendedJSON(w, fixed(text))
				if w.Body.String() != `"`+text+"\"\n" || w.Header().Get("Content-Type") != "application/json" {
					t.Fatalf("%.40s… for %.40s…", w.Body, text)
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkAccessLog(b *testing.B) {
	for name, log := range map[string]*slog.Logger{"slog": slog.New(slog.NewJSONHandler(io.Discard, nil)), "direct": api.NewLog(io.Discard)} {
		b.Run(name, func(b *testing.B) {
			h, err := api.Wrap(api.Config{Log: log, AccessLog: true}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			if err != nil {
				b.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodGet, "/user/profile", nil)
			w := httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
	}
}

// TestLogHasTheCode: what was refused is in the log by the code of the answer, whatever wraps the writer.
func TestLogHasTheCode(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	for _, log := range []*slog.Logger{api.NewLog(&out), slog.New(slog.NewJSONHandler(&out, nil))} {
		for _, code := range []string{"cross_origin", `of "others"`} {
			for name, answer := range map[string]http.HandlerFunc{
				"json": func(w http.ResponseWriter, _ *http.Request) { problem.Write(w, problem.New(403, code, "No.")) },
				"wrapped": func(w http.ResponseWriter, _ *http.Request) {
					problem.Write(struct{ wrapper }{wrapper{w}}, problem.New(403, code, "No."))
				},
				"page": func(w http.ResponseWriter, r *http.Request) {
					r.Header.Set("Accept", "text/html")
					problem.Respond(w, r, problem.New(403, code, "No."))
				},
			} {
				line := served(t, log, &out, httptest.NewRequest(http.MethodGet, "/", nil), answer)
				var got struct{ Code string }
				if err := json.Unmarshal([]byte(line), &got); err != nil || got.Code != code {
					t.Errorf("%s: %v: %s", name, err, line)
				}
			}
		}
		if line := served(t, log, &out, httptest.NewRequest(http.MethodGet, "/", nil), func(http.ResponseWriter, *http.Request) {}); strings.Contains(line, `"code"`) {
			t.Error(line)
		}
		if line := served(t, log, &out, httptest.NewRequest(http.MethodGet, "/", nil), func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) }); line != "" {
			t.Errorf("of 304: %s", line)
		}
	}
}

type wrapper struct{ http.ResponseWriter }

func (w wrapper) Unwrap() http.ResponseWriter { return w.ResponseWriter }
