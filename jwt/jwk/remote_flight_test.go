package jwk_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/jwt/jwk"
)

// TestRemoteKeyComesDuringAFetch: an answer that was on its way before a key came does not stand for one that asks for it.
func TestRemoteKeyComesDuringAFetch(t *testing.T) {
	t.Parallel()
	old, both := must(jwk.MarshalSet(someKeys()[0])), must(jwk.MarshalSet(someKeys()[:2]...))
	var n atomic.Int64
	asked, answer := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch n.Add(1) {
		case 1:
			_, _ = w.Write(old)
		case 2:
			close(asked)
			<-answer
			_, _ = w.Write(old)
		default:
			_, _ = w.Write(both)
		}
	}))
	t.Cleanup(server.Close)
	r := remote(t, server.URL, jwk.RemoteConfig{})
	if err := r.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	refreshed := make(chan error, 1)
	go func() { refreshed <- r.Refresh(t.Context()) }()
	<-asked
	got := make(chan string, 1)
	go func() { got <- found(t, r, "b") }()
	time.Sleep(20 * time.Millisecond) // so that it finds the fetch under way; without, the test shows nothing
	close(answer)
	if err := <-refreshed; err != nil {
		t.Error(err)
	}
	if id := <-got; id != "b" {
		t.Errorf("the new key: %q", id)
	}
}
