package transfer

import (
	"context"
	"io"
	"os"
)

// Options say how a dump is to be read. Each system looks at those that it names.
type Options struct {
	// Map names the fields of the dump by ours.
	Map map[string]string
	// Domain is put behind user names that are no addresses.
	Domain string
	// Model is the model that has Django's users, and Collection the collection that has PocketBase's.
	Model, Collection string
}

// Dump is what there is to read.
type Dump struct {
	// Name is the path of the file, or the URL of the database; empty for stdin.
	Name string
	// Reader reads it; nil for a database.
	Reader io.Reader
}

// path returns where a file is that can be opened once more.
func (d Dump) path() (string, bool) {
	f, ok := d.Reader.(*os.File)
	if !ok || d.Name == "" {
		return "", false
	}
	return f.Name(), true
}

// System is another system, of which there are dumps.
type System struct {
	// Name is what the command calls it, and Help says what is read.
	Name, Help string
	// Options names those that it looks at: map, domain, model, collection.
	Options []string
	// URL says that a database is read, which the dump's name says where it is, and no file.
	URL bool
	// read calls yield for each record of a dump. Its error is that of yield, or says where the dump is none.
	read func(ctx context.Context, d Dump, in *input, o Options, yield func(Record) error) error
}

// Systems returns all systems. One more is a file here, and a line.
func Systems() []System {
	return []System{
		{Name: "mongoexport", Help: "a MongoDB collection of users as mongoexport writes it, in JSON Lines or with --jsonArray", Options: []string{"map"}, read: readMongoExport},
		{Name: "mongodb", Help: "a MongoDB collection of users, by mongodb://HOST/DATABASE?collection=users", Options: []string{"map"}, URL: true, read: readMongoDB},
		{Name: "supabase", Help: "Supabase's table auth.users, as CSV with a header or as JSON", read: readSupabase},
		{Name: "pocketbase", Help: "PocketBase's data.db, or the rows of a collection of users as JSON", Options: []string{"collection"}, read: readPocketBase},
		{Name: "django", Help: "the users in what Django's dumpdata writes", Options: []string{"model", "domain"}, read: readDjango},
		{Name: "auth0", Help: "Auth0's export of password hashes, or of users with them", read: readAuth0},
		{Name: "keycloak", Help: "a realm of Keycloak, or its users, as `kc.sh export` writes them", read: readKeycloak},
		{Name: "htpasswd", Help: "a password file of Apache or nginx", Options: []string{"domain"}, read: readHtpasswd},
		{Name: "csv", Help: "a table with a header", Options: []string{"map"}, read: readCSV},
		{Name: "jsonl", Help: "JSON objects, one a line or in an array", Options: []string{"map"}, read: readJSON},
	}
}
