package mongostore

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/internal/testkit/mongotest"
)

// TestUsersOfAnotherProgramAreNotTaken opens the database of the founding tutorial as if it were one of ours.
func TestUsersOfAnotherProgramAreNotTaken(t *testing.T) {
	t.Parallel()
	url := mongotest.Start(t).URL(t.Name())
	client, err := mongo.Connect(options.Client().ApplyURI(url))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Disconnect(t.Context())
	name, err := databaseName(url)
	if err != nil {
		t.Fatal(err)
	}
	users := client.Database(name).Collection("users")
	if _, err := users.InsertOne(t.Context(), bson.D{{Key: "email", Value: "mike@example.com"}, {Key: "password", Value: "$2b$10$x"}}); err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func(context.Context, string) (*Store, error){"Open": Open, "OpenAsIs": OpenAsIs} {
		s, err := open(t.Context(), url)
		if err == nil {
			t.Error(s.Close())
		}
		if err == nil || !strings.Contains(err.Error(), "of another program") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if specs, err := users.Indexes().ListSpecifications(t.Context()); err != nil || len(specs) != 1 {
		t.Errorf("it was changed: %d indexes (%v)", len(specs), err)
	}
}

// TestCandidateLooksAsOften: a login must not tell by its time who exists, not even where it computes no hash.
func TestCandidateLooksAsOften(t *testing.T) {
	t.Parallel()
	server := mongotest.Start(t)
	s, err := Open(t.Context(), server.URL(t.Name()))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	day := time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC)
	u := store.User{ID: "id", Email: "mike@example.com", EmailKey: "mike@example.com", Epoch: "e", CreatedAt: day, UpdatedAt: day}
	c := store.Credential{UserID: u.ID, Method: "password", Key: u.EmailKey, Data: []byte("{}"), CreatedAt: day, UpdatedAt: day}
	if err := s.CreateUser(t.Context(), u, c); err != nil {
		t.Fatal(err)
	}
	finds := 0 // this client does one thing at a time
	monitored, err := mongo.Connect(options.Client().ApplyURI(server.URL(t.Name())).SetMonitor(&event.CommandMonitor{
		Started: func(_ context.Context, e *event.CommandStartedEvent) {
			if e.CommandName == "find" {
				finds++
			}
		},
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer monitored.Disconnect(t.Context())
	db := monitored.Database(s.users.Database().Name())
	s.users, s.reservations, s.counters = db.Collection("users"), db.Collection("reservations"), db.Collection("counters")
	looks := map[string]int{}
	for _, key := range []string{u.EmailKey, "nobody@example.com"} {
		finds = 0
		if _, err := s.Candidate(t.Context(), "password", key, day, "k1", "k2"); err != nil {
			t.Fatal(err)
		}
		looks[key] = finds
	}
	if looks[u.EmailKey] != looks["nobody@example.com"] || looks[u.EmailKey] == 0 {
		t.Errorf("looks into the database: %v", looks)
	}
}
