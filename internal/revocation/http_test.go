package revocation_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/revocation"
)

// TestDeclared has the feed in the OpenAPI document, with all that it answers.
func TestDeclared(t *testing.T) {
	t.Parallel()
	set := newSet(t, open(t), revocation.Config{})
	rt := api.NewRouter("test", "0", "", issuer)
	newFeed(t, set, signer(signKey(t)), revocation.FeedConfig{}).Routes(rt)
	if err := rt.ServeDocs(); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	rt.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/openapi.json", nil))
	var doc struct {
		Paths map[string]map[string]struct {
			Responses map[string]struct {
				Content map[string]struct{ Schema map[string]any }
			}
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	got := doc.Paths[revocation.Path]["get"].Responses
	if got["200"].Content["application/jwt"].Schema["type"] != "string" || got["503"].Content == nil {
		t.Errorf("%+v", got)
	}
	if r, ok := got["304"]; !ok || r.Content != nil {
		t.Errorf("304: %+v", r)
	}
}
