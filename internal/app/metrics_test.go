package app_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/countersign-auth/countersign/internal/testkit"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.SignUp(t, "mike@example.com")
	first := logIn(t, s, "mike@example.com")
	second := refreshed(t, s, first.refresh)
	refreshed(t, s, first.refresh)
	third := refreshed(t, s, second.refresh)
	refreshed(t, s, third.refresh)
	wantNoTokens(t, s, "csr_x", "nonsense")
	wantNoTokens(t, s, first.refresh, "reused")
	fourth := logIn(t, s, "mike@example.com")
	for range 3 {
		s.Profile(t, fourth.access)
	}
	w := httptest.NewRecorder()
	s.App.Metrics().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{
		"countersign_sessions_opened_total 2\n",
		`countersign_refreshes_total{result="rotated"} 3` + "\n",
		`countersign_refreshes_total{result="repeated"} 1` + "\n",
		`countersign_refreshes_total{result="refused"} 1` + "\n",
		`countersign_refreshes_total{result="reused"} 1` + "\n",
		"countersign_revocations 1\n",
		`countersign_token_cache_lookups_total{result="hit"} 1` + "\n",
		`countersign_token_cache_lookups_total{result="miss"} 2` + "\n",
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %q in\n%s", want, w.Body)
		}
	}
	if res := s.Do(t, s.Request(t, http.MethodGet, "/metrics", "")); res.Status != http.StatusNotFound {
		t.Errorf("the API has them too: %d", res.Status)
	}
}
