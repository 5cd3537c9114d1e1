package mongostore_test

import (
	"testing"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/store/mongostore"
	"github.com/countersign-auth/countersign/internal/store/storetest"
	"github.com/countersign-auth/countersign/internal/testkit/mongotest"
)

func openAt(t *testing.T, url string) *mongostore.Store {
	t.Helper()
	s, err := mongostore.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestContract(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	t.Run("suite", func(t *testing.T) { // which waits for its parallel parts before the server ends
		storetest.Run(t, func(t *testing.T, place string) store.Store { return openAt(t, server.URL(place)) })
	})
}
