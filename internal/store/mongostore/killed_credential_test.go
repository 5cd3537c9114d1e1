package mongostore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/testkit/mongotest"
)

func passkey(on scene) store.Credential {
	return store.Credential{UserID: on.user.ID, Method: "passkey", Key: on.user.ID, CreatedAt: day, Version: 1}
}

func addKey(ctx context.Context, s store.Store, on scene) error {
	return s.AddCredential(ctx, passkey(on))
}

// checkAdded is about a credential that is added, and if not, about who comes next with the same method and key.
func checkAdded(on scene, done bool) bool {
	c, err := on.store.Credential(on.Context(), "passkey", on.user.ID)
	if err == nil {
		if c.UserID != on.user.ID {
			on.Errorf("it is one of %s", c.UserID)
		}
		return true
	}
	if !errors.Is(err, store.ErrNotFound) {
		on.Fatal(err)
	}
	other, otherC, _ := user(on.n + 500)
	must(on.T, on.store.CreateUser(on.Context(), other, otherC))
	next := passkey(on)
	next.UserID, next.CreatedAt = other.ID, day.Add(time.Minute)
	must(on.T, on.store.AddCredential(on.Context(), next))
	if err := addKey(on.Context(), on.store, on); !errors.Is(err, store.ErrExists) {
		on.Errorf("the first one again: %v", err)
	}
	return false
}

// checkDeleted is about a credential that is deleted, and about who comes next with its method and key.
func checkDeleted(on scene, done bool) bool {
	_, err := on.store.Credential(on.Context(), on.credential.Method, on.credential.Key)
	listed, listErr := on.store.ListCredentials(on.Context(), on.user.ID, on.credential.Method)
	must(on.T, listErr)
	if (err == nil) != (len(listed) == 1) {
		on.Errorf("the credential: %v; %d are listed", err, len(listed))
	}
	on.hasSessions(0, 1, 2)
	if err == nil {
		return false
	}
	other, otherC, _ := user(on.n + 500) // whoever comes next may have its method and key
	otherC.Key = on.credential.Key
	must(on.T, on.store.CreateUser(on.Context(), other, otherC))
	return true
}

// TestDeletedCredentialIsSaidToBe is about faults once a credential is gone: who revokes an API key must not believe that it is good
// still.
func TestDeletedCredentialIsSaidToBe(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	for name, tt := range map[string]struct {
		disturb func(*mongotest.Tap)
		want    error
		gone    bool
	}{
		"cut before it":              {func(tap *mongotest.Tap) { tap.Cut(0) }, store.ErrUnavailable, false},
		"its answer is lost":         {func(tap *mongotest.Tap) { tap.Lose(0) }, nil, true},
		"cut after it":               {func(tap *mongotest.Tap) { tap.Cut(1) }, nil, true},
		"an answer after it is lost": {func(tap *mongotest.Tap) { tap.Lose(1) }, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			on := inhabited(t, server, 3)
			tap := server.Tap(t)
			s := openAt(t, tap.URL(t.Name()))
			tt.disturb(tap)
			if err := s.DeleteCredential(t.Context(), on.credential); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if gone := checkDeleted(on, tt.want == nil); gone != tt.gone {
				t.Errorf("it is gone: %t, want %t", gone, tt.gone)
			}
		})
	}
}
