package transfer

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// readMongoDB reads a collection of a MongoDB database: mongodb://…/DATABASE?collection=users. It reads in the order of the ids and
// only asks: find is all that it does there.
func readMongoDB(ctx context.Context, d Dump, in *input, o Options, yield func(Record) error) (err error) {
	location, database, collection, err := mongoCollection(d.Name)
	if err != nil {
		return err
	}
	client, err := mongo.Connect(options.Client().SetAppName("countersign import").ApplyURI(location))
	if err != nil {
		return errors.New("the URL is none that the MongoDB driver takes") // its own words may quote the password
	}
	defer func() { err = errors.Join(err, client.Disconnect(context.WithoutCancel(ctx))) }()
	found, err := client.Database(database).Collection(collection).Find(ctx, bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}))
	if err != nil {
		return fmt.Errorf("collection %s: %w", collection, err)
	}
	defer func() { err = errors.Join(err, found.Close(context.WithoutCancel(ctx))) }()
	m := foundingFields.and(o.Map)
	for n := 1; found.Next(ctx); n++ {
		place := fmt.Sprintf("document %d", n)
		document, err := bson.MarshalExtJSON(found.Current, true, false)
		if err != nil {
			return fmt.Errorf("%s: it has no form in JSON", place)
		}
		in.read += int64(len(found.Current))
		r := newRow(in, place, document)
		if err := yield(mongoRecord(m, &r)); err != nil {
			return err
		}
	}
	if err := found.Err(); err != nil {
		return fmt.Errorf("collection %s: %w", collection, err)
	}
	return nil
}

// mongoCollection takes the parameter collection, which no driver knows, out of a URL. The hosts of such a URL, which may be
// several, are none to net/url.
func mongoCollection(text string) (location, database, collection string, err error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || scheme != "mongodb" && scheme != "mongodb+srv" {
		return "", "", "", errors.New("it takes a URL: mongodb://HOST/DATABASE?collection=users")
	}
	rest, query, _ := strings.Cut(rest, "?")
	_, path, _ := strings.Cut(rest, "/")
	if database, err = url.PathUnescape(path); err != nil || database == "" {
		return "", "", "", errors.New("the URL names no database: mongodb://HOST/DATABASE?collection=users")
	}
	var others []string
	for pair := range strings.SplitSeq(query, "&") {
		if value, ok := strings.CutPrefix(pair, "collection="); ok {
			if collection, err = url.QueryUnescape(value); err != nil {
				return "", "", "", errors.New("the name of the collection in the URL is not well escaped")
			}
		} else if pair != "" {
			others = append(others, pair)
		}
	}
	if collection == "" {
		return "", "", "", errors.New("the URL names no collection: mongodb://HOST/DATABASE?collection=users")
	}
	location = scheme + "://" + rest
	if len(others) > 0 {
		location += "?" + strings.Join(others, "&")
	}
	return location, database, collection, nil
}
