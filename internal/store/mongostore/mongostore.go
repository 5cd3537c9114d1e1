// Package mongostore keeps the server's records in a MongoDB database, of a single server or of a replica set.
//
// It uses no transactions: each write is of one document, and MongoDB makes that atomic. A verb that concerns several
// documents decides in one of them. CreateUser decides by the write that takes the mark off a user who is being made;
// whatever ends sessions or deletes a user decides in the user's document, which says from then on what is still to be
// carried out (decide.go), and readers go by what it says. Whoever comes across a decision that was not carried out
// does so, at the latest the next look for revocations; so that a process may be killed between any two writes.
package mongostore

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/countersign-auth/countersign/internal/store"
)

// Store is a [store.Store] in a MongoDB database. It is safe for concurrent use.
type Store struct {
	client   *mongo.Client
	patience time.Duration // of a verb

	versions, users, reservations, sessions, revocations, batches, keys, counters, events, secrets *mongo.Collection
}

var _ store.Store = (*Store)(nil)

// defaultDatabase is the name of the database when the URL has none.
const defaultDatabase = "countersign"

// Open connects to the database that a mongodb:// URL names, and makes the indexes that are not there yet. A database with
// a schema that is newer than this binary is refused. A verb may take five seconds, or what timeoutMS in the URL says.
//
// Whatever the URL says, writes are acknowledged when a majority of a replica set has them in its journals, and reads ask
// the primary for what a majority has: so what was acknowledged is seen by all and survives, and nobody acts upon what may
// yet be rolled back. A primary that was deposed and does not know it may answer with what was so a moment ago; all that is
// decided upon a read is decided by a conditional write, and such a write it cannot get through.
func Open(ctx context.Context, location string) (*Store, error) {
	return open(ctx, location, (*Store).prepare)
}

// OpenAsIs is Open of a database as it is: it makes nothing, and takes any schema, with which not every verb will work.
func OpenAsIs(ctx context.Context, location string) (*Store, error) {
	return open(ctx, location, (*Store).refuseForeign)
}

// open connects to a database and prepares it.
func open(ctx context.Context, location string, prepare func(*Store, context.Context) error) (*Store, error) {
	name, err := databaseName(location)
	if err != nil {
		return nil, err
	}
	o := options.Client().SetAppName("countersign").ApplyURI(location).
		SetReadPreference(readpref.Primary()).SetReadConcern(readconcern.Majority()).SetWriteConcern(journaled())
	client, err := mongo.Connect(o)
	if err != nil && strings.Contains(location, "@") { // the driver may repeat what it takes for a host and is a password
		err = errors.New("the URL is not well formed; what is special in a URL must be percent-encoded in a user's name and password")
	}
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	db := client.Database(name)
	s := &Store{
		client: client, patience: defaultPatience, versions: db.Collection("schema"), users: db.Collection("users"), reservations: db.Collection("reservations"), sessions: db.Collection("sessions"),
		revocations: db.Collection("revocations"), batches: db.Collection("revocation_batches"), keys: db.Collection("signing_keys"),
		counters: db.Collection("counters", relaxed()), events: db.Collection("events"), secrets: db.Collection("secrets"),
	}
	if o.Timeout != nil && *o.Timeout > 0 { // 0 is no limit to the driver, and here the usual one
		s.patience = *o.Timeout
	}
	if err := prepare(s, ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("database %s: %w", name, err), s.Close())
	}
	return s, nil
}

// databaseName returns the path of a URL, whose hosts may be several, so that it is none to net/url.
func databaseName(location string) (string, error) {
	_, rest, _ := strings.Cut(location, "://")
	rest, _, _ = strings.Cut(rest, "?")
	_, path, _ := strings.Cut(rest, "/")
	name, err := url.PathUnescape(path)
	if err != nil {
		return "", errors.New("database: the name of the database in the URL is not well escaped")
	}
	if name == "" {
		return defaultDatabase, nil
	}
	return name, nil
}

func journaled() *writeconcern.WriteConcern {
	journal := true
	wc := writeconcern.Majority()
	wc.Journal = &journal
	return wc
}

// relaxed is for counters, whose newest swaps may be lost if the power fails. What the primary has is what counts, or who
// swaps would not see what they have just swapped.
func relaxed() *options.CollectionOptionsBuilder {
	return options.Collection().SetWriteConcern(writeconcern.W1()).SetReadConcern(readconcern.Local())
}

// schema is the version of what the documents look like.
const schema = 1

// schemaID is the id of the document that says the version.
const schemaID = "schema"

// Schema implements [store.Versioned].
func (s *Store) Schema(ctx context.Context) (current, newest int64, err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	var found struct {
		Version int64 `bson:"version"`
	}
	if err := one(ctx, s.versions, schemaID, &found); err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, 0, fmt.Errorf("schema version: %w", err)
	}
	return found.Version, schema, nil
}

func (s *Store) prepare(ctx context.Context) (err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	if err := s.refuseForeign(ctx); err != nil {
		return err
	}
	_, err = s.versions.InsertOne(ctx, append(byID(schemaID), bson.E{Key: "version", Value: int64(schema)}))
	if err != nil && !mongo.IsDuplicateKeyError(err) {
		return fmt.Errorf("schema version: %w", err)
	}
	current, _, err := s.Schema(ctx)
	if err != nil {
		return err
	}
	if current > schema {
		return fmt.Errorf("its schema has version %d, and this binary knows up to %d: run a newer countersign", current, schema)
	}
	for _, index := range []struct {
		in             *mongo.Collection
		field          string
		unique, sparse bool
	}{
		{in: s.users, field: "email_key", unique: true, sparse: true}, // a user who is deleted has none
		{in: s.users, field: "state", sparse: true},
		{in: s.users, field: "pending", sparse: true},
		{in: s.sessions, field: "user_id"},
		{in: s.sessions, field: "expires_at"},
		{in: s.revocations, field: "source", unique: true},
		{in: s.revocations, field: "expires_at"},
		{in: s.revocations, field: "swept_at", sparse: true},
		{in: s.keys, field: "seq", unique: true},
		{in: s.counters, field: "expires_at"},
	} {
		o := options.Index()
		if index.unique {
			o.SetUnique(true)
		}
		if index.sparse {
			o.SetSparse(true)
		}
		model := mongo.IndexModel{Keys: bson.D{{Key: index.field, Value: 1}}, Options: o}
		if _, err := index.in.Indexes().CreateOne(ctx, model); err != nil {
			return fmt.Errorf("index of %s by %s: %w", index.in.Name(), index.field, err)
		}
	}
	return nil
}

// refuseForeign returns an error if the database has users of another program: they would be taken for ours.
func (s *Store) refuseForeign(ctx context.Context) (err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	err = s.versions.FindOne(ctx, byID(schemaID)).Err()
	if !errors.Is(err, mongo.ErrNoDocuments) {
		return err
	}
	foreign, err := all[bson.Raw](ctx, s.users, bson.D{missing("birth")}, options.Find().SetLimit(1))
	if err == nil && len(foreign) > 0 {
		err = errors.New("it has a collection users of another program: name a database of its own")
	}
	return err
}

// Ping implements [store.Store].
func (s *Store) Ping(ctx context.Context) (err error) {
	ctx, end := s.begin(ctx, &err)
	defer end()
	return s.client.Ping(ctx, readpref.Primary())
}

// closePatience is how long Close waits for what is under way.
const closePatience = 5 * time.Second

// Close implements [store.Store].
func (s *Store) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	if err := s.client.Disconnect(ctx); !errors.Is(err, mongo.ErrClientDisconnected) { // closed before
		return err
	}
	return nil
}
