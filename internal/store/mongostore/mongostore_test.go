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
	return storetest.Opened(t, s, err)
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

// database returns the database of a URL as the driver has it.
func database(t *testing.T, url string) *mongo.Database {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(url))
	must(t, err)
	t.Cleanup(func() { must(t, client.Disconnect(context.Background())) })
	name, _, _ := strings.Cut(url[strings.LastIndexByte(url, '/')+1:], "?")
	return client.Database(name)
}

func TestPasswordInABadURLIsNotRepeated(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"mongodb://mike:canary/x@127.0.0.1/db", "mongodb://mike:canary@x@127.0.0.1/db", "mongodb://mike:canary%zz@127.0.0.1/db"} {
		if _, err := mongostore.Open(t.Context(), url); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	url := mongotest.Start(t).URL("one")
	must(t, openAt(t, url).Ping(t.Context()))
	_, err := database(t, url).Collection("schema").UpdateOne(t.Context(), bson.D{}, bson.D{{Key: "$set", Value: bson.D{{Key: "version", Value: 2}}}})
	must(t, err)
	if _, err := mongostore.Open(t.Context(), url); err == nil || !strings.Contains(err.Error(), "run a newer countersign") {
		t.Errorf("got %v", err)
	}
}

// TestSchemaAsItIs is about those who only look: they make nothing, and see a newer schema too.
func TestSchemaAsItIs(t *testing.T) {
	t.Parallel()
	url := mongotest.Start(t).URL("one")
	db := database(t, url)
	look := func(want int64) {
		t.Helper()
		s, err := mongostore.OpenAsIs(t.Context(), url)
		must(t, err)
		defer s.Close()
		if current, newest, err := s.Schema(t.Context()); err != nil || current != want || newest != 1 {
			t.Errorf("versions %d and %d (%v), want %d and 1", current, newest, err, want)
		}
	}
	look(0)
	if made, err := db.ListCollectionNames(t.Context(), bson.D{}); err != nil || len(made) != 0 {
		t.Errorf("it made %v (%v)", made, err)
	}
	openAt(t, url)
	look(1)
	_, err := db.Collection("schema").UpdateOne(t.Context(), bson.D{}, bson.D{{Key: "$set", Value: bson.D{{Key: "version", Value: 2}}}})
	must(t, err)
	look(2)
}

func TestNoServer(t *testing.T) {
	t.Parallel()
	start := time.Now()
	_, err := mongostore.Open(t.Context(), "mongodb://127.0.0.1:1/countersign") // where nobody listens
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
			s := openAt(t, tap.URL(t.Name())+"&timeoutMS=5000")
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

// TestSweptRevocations is about what the sweeper leaves so that no position comes again, or too late.
func TestSweptRevocations(t *testing.T) {
	t.Parallel()
	url := mongotest.Start(t).URL("one")
	s := openAt(t, url)
	left := func(want int64) {
		t.Helper()
		n, err := database(t, url).Collection("revocations").CountDocuments(t.Context(), bson.D{})
		if err != nil || n != want {
			t.Errorf("%d documents are left (%v), want %d", n, err, want)
		}
		all, err := s.Revocations(t.Context(), 0, 10)
		if err != nil || len(all) != 0 {
			t.Errorf("revocations %v (%v)", all, err)
		}
	}
	sweep := func(at time.Time) {
		t.Helper()
		_, err := s.DeleteExpired(t.Context(), at, 10)
		must(t, err)
	}
	must(t, s.Revoke(t.Context(), store.Revocation{Key: "a", ExpiresAt: day}, store.Revocation{Key: "b", ExpiresAt: day}))
	sweep(day)
	left(2)
	const kept = 2 * time.Minute // twice what a verb may take here
	sweep(day.Add(kept - time.Second))
	left(2)
	sweep(day.Add(kept))
	left(1)
	must(t, s.Revoke(t.Context(), store.Revocation{Key: "c", ExpiresAt: until}))
	if all, err := s.Revocations(t.Context(), 2, 10); err != nil || len(all) != 1 || all[0].Position != 3 {
		t.Errorf("revocations %v (%v)", all, err)
	}
}

// TestHalfMadeUsersAreSwept is about a creator that was killed and whom nobody comes after.
func TestHalfMadeUsersAreSwept(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	url := server.URL("one")
	s, tap := openAt(t, url), server.Tap(t)
	victim := openAt(t, tap.URL("one"))
	u, c, _ := user(1)
	tap.Cut(2) // the user and the reservation
	if err := victim.CreateUser(t.Context(), u, c); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("got %v, want %v", err, store.ErrUnavailable)
	}
	left := func(want int64) {
		t.Helper()
		for _, name := range []string{"users", "reservations"} {
			n, err := database(t, url).Collection(name).CountDocuments(t.Context(), bson.D{})
			if err != nil || n != want {
				t.Errorf("%s: %d documents are left (%v), want %d", name, n, err, want)
			}
		}
	}
	for _, sweep := range []struct {
		after time.Duration
		left  int64
	}{{29 * time.Second, 1}, {30 * time.Second, 0}} {
		_, err := s.DeleteExpired(t.Context(), day.Add(sweep.after), 10)
		must(t, err)
		left(sweep.left)
	}
	must(t, s.CreateUser(t.Context(), u, c))
}
