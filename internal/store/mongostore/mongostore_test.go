package mongostore_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

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

func TestDatabaseOfTheURL(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	key := store.SigningKey{ID: "k", Private: []byte("p")}
	must(t, openAt(t, server.URL("one")).AddKey(t.Context(), key, ""))
	if keys, err := openAt(t, server.URL("one")).SigningKeys(t.Context()); err != nil || len(keys) != 1 {
		t.Errorf("keys of the same database: %v (%v)", keys, err)
	}
	if keys, err := openAt(t, server.URL("another")).SigningKeys(t.Context()); err != nil || len(keys) != 0 {
		t.Errorf("keys of another database: %v (%v)", keys, err)
	}
	badly := strings.Replace(server.URL("one"), "/countersign_", "/%zz", 1)
	if _, err := mongostore.Open(t.Context(), badly); err == nil || !strings.Contains(err.Error(), "escaped") {
		t.Errorf("a name that is badly escaped: %v", err)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	url := mongotest.Start(t).URL("one")
	must(t, openAt(t, url).Ping(t.Context()))
	client, err := mongo.Connect(options.Client().ApplyURI(url))
	must(t, err)
	name, _, _ := strings.Cut(url[strings.LastIndexByte(url, '/')+1:], "?")
	_, err = client.Database(name).Collection("schema").UpdateOne(t.Context(), bson.D{}, bson.D{{Key: "$set", Value: bson.D{{Key: "version", Value: 2}}}})
	must(t, err)
	must(t, client.Disconnect(t.Context()))
	if _, err := mongostore.Open(t.Context(), url); err == nil || !strings.Contains(err.Error(), "run a newer countersign") {
		t.Errorf("got %v", err)
	}
}

func TestNoServer(t *testing.T) {
	t.Parallel()
	start := time.Now()
	_, err := mongostore.Open(t.Context(), "mongodb://127.0.0.1:1/countersign")
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v, want %v", err, store.ErrUnavailable)
	}
	if took := time.Since(start); took > 8*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestServerThatDoesNotAnswer is about a verb whose command is lost on the way.
func TestServerThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	for name, tt := range map[string]struct {
		patience time.Duration // of the caller; 0 is any
		want     error
	}{
		"for long":                 {want: store.ErrUnavailable},
		"and the caller goes away": {patience: 100 * time.Millisecond, want: context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tap := server.Tap(t)
			s := openAt(t, tap.URL(t.Name()))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			held, release := tap.Hold(0)
			defer release()
			go func() {
				<-held
				if tt.patience > 0 {
					time.Sleep(tt.patience)
					cancel()
				}
			}()
			start := time.Now()
			_, err := s.User(ctx, "id")
			took := time.Since(start)
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if took > 8*time.Second || tt.patience > 0 && took > tt.patience+2*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// TestServerThatComesBack is about the same store before, while and after there is no connection.
func TestServerThatComesBack(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	tap := server.Tap(t)
	s := openAt(t, tap.URL(t.Name()))
	must(t, s.AppendEvents(t.Context(), store.Event{ID: "1"}))
	tap.Cut(0)
	if err := s.AppendEvents(t.Context(), store.Event{ID: "2"}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v, want %v", err, store.ErrUnavailable)
	}
	tap.Mend()
	for start := time.Now(); ; {
		err := s.AppendEvents(t.Context(), store.Event{ID: "3"})
		if err == nil {
			break
		}
		if !errors.Is(err, store.ErrUnavailable) || time.Since(start) > 15*time.Second {
			t.Fatal(err)
		}
	}
	events, err := s.ListEvents(t.Context(), "", 10)
	if err != nil || len(events) != 2 {
		t.Errorf("events %v (%v)", events, err)
	}
}
