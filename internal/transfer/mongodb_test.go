package transfer_test

import (
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/countersign-auth/countersign/internal/testkit"
	"github.com/countersign-auth/countersign/internal/testkit/mongotest"
	"github.com/countersign-auth/countersign/internal/transfer"
)

// TestMongoDBDirectly reads the collection that the founding tutorial's users are in.
func TestMongoDBDirectly(t *testing.T) {
	t.Parallel()
	url := mongotest.Start(t).URL(t.Name())
	client, err := mongo.Connect(options.Client().ApplyURI(url))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(t.Context()) }()
	path, _, _ := strings.Cut(url, "?")
	users := client.Database(path[strings.LastIndexByte(path, '/')+1:]).Collection("people")
	const hash = "$2b$10$TnLefm6.RdWLDcdD8cT9juu2eWGJkbIcS.7HrQRfOsxpVQcuqCqsa"
	id, err := bson.ObjectIDFromHex("5c0a7922c9d89830f4911426")
	if err != nil {
		t.Fatal(err)
	}
	documents := []any{
		bson.D{{Key: "_id", Value: id}, {Key: "email", Value: "mike@example.com"}, {Key: "password", Value: hash}, {Key: "__v", Value: 0}},
		bson.D{{Key: "_id", Value: "text"}, {Key: "email", Value: "jane@example.com"}, {Key: "password", Value: "in the clear"}},
	}
	for range 1200 { // more than a batch, of the driver's and of ours
		one := bson.NewObjectID()
		documents = append(documents, bson.D{{Key: "_id", Value: one}, {Key: "email", Value: one.Hex() + "@example.com"}, {Key: "password", Value: hash}})
	}
	if _, err := users.InsertMany(t.Context(), documents); err != nil {
		t.Fatal(err)
	}
	s := testkit.Start(t, "limits.insecure_disabled=true")
	from := transfer.Dump{Name: url + "&collection=people"}
	summary, skipped, err := runDump(t, t.Context(), s.App.Store, "mongodb", from, nil)
	if err != nil || summary.Imported != 1201 || len(skipped) != 1 || skipped[0].Reason != transfer.HashUnknown || skipped[0].ID != "text" {
		t.Fatalf("%+v, skipped %v (%v)", summary, skipped, err)
	}
	check(t, s, imported{id: "5c0a7922c9d89830f4911426", email: "mike@example.com", password: "correct-horse", created: "2018-12-07T13:44:02Z"})
	again, _, err := runDump(t, t.Context(), s.App.Store, "mongodb", from, nil)
	if err != nil || again.There != 1201 || again.Imported != 0 {
		t.Errorf("%+v (%v)", again, err)
	}
	if n, err := users.CountDocuments(t.Context(), bson.D{}); n != 1202 || err != nil {
		t.Errorf("the collection has %d documents (%v)", n, err)
	}
}

func TestMongoDBURLs(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	for url, want := range map[string]string{
		"":                                   "it takes a URL",
		"users.json":                         "it takes a URL",
		"postgres://h/d?collection=u":        "it takes a URL",
		"mongodb://h":                        "names no database",
		"mongodb://h/":                       "names no database",
		"mongodb://h/%zz?collection=u":       "names no database",
		"mongodb://h/d":                      "names no collection",
		"mongodb://h/d?collection=":          "names no collection",
		"mongodb://h/d?collection=%zz":       "not well escaped",
		"mongodb://u:cAnArY@/d?collection=u": "none that the MongoDB driver takes",
		"mongodb://127.0.0.1:1/d?collection=u&serverSelectionTimeoutMS=50&connectTimeoutMS=50": "collection u",
	} {
		_, _, err := runDump(t, t.Context(), s.App.Store, "mongodb", transfer.Dump{Name: url}, nil)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "cAnArY") {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
}
