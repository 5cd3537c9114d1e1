package api_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/problem"
)

func TestFail(t *testing.T) {
	t.Parallel()
	busy := fmt.Errorf("refresh: %w", fmt.Errorf("%w: %w", store.ErrBusy, errors.New("SQLITE_BUSY at /var/lib")))
	refusal := problem.New(503, "busy", "Too many logins.").WithRetryAfter(7 * time.Second)
	for name, c := range map[string]struct {
		err        error
		status     int
		code       string
		retryAfter string
		level      string // of the line in the log; empty for none
	}{
		"a fault":                        {errors.New("disk"), 500, "internal", "", "ERROR"},
		"a busy database":                {busy, 503, "database_busy", "1", "WARN"},
		"no database":                    {fmt.Errorf("create: %w", store.ErrUnavailable), 503, "database_unavailable", "5", "WARN"},
		"one that the route answers for": {refusal.WithCause(busy), 503, "busy", "7", "WARN"},
		"a refusal":                      {refusal, 503, "busy", "7", ""},
		"a client's fault":               {problem.New(400, "malformed_body", "No."), 400, "malformed_body", "", ""},
	} {
		var log bytes.Buffer
		w := httptest.NewRecorder()
		api.Fail(slog.New(slog.NewTextHandler(&log, nil)), w, httptest.NewRequest("GET", "/x", nil), c.err)
		if w.Code != c.status || !strings.Contains(w.Body.String(), `"code":"`+c.code+`"`) || w.Header().Get("Retry-After") != c.retryAfter {
			t.Errorf("%s: %d %v %s", name, w.Code, w.Header(), w.Body)
		}
		if strings.Contains(w.Body.String(), "/var/lib") {
			t.Errorf("%s: the answer has the cause: %s", name, w.Body)
		}
		if c.level == "" != (log.Len() == 0) || !strings.Contains(log.String(), c.level) || c.level != "" && !strings.Contains(log.String(), c.err.Error()) {
			t.Errorf("%s: the log has %q, want %s", name, log.String(), c.level)
		}
	}
}
