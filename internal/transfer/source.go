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
	// read calls yield for each record of a dump. Its error is that of yield, or says where the dump is none.
	read func(ctx context.Context, d Dump, in *input, o Options, yield func(Record) error) error
}

// Systems returns all systems. One more is a file here, and a line.
func Systems() []System {
	return []System{
		{"mongoexport", "a MongoDB collection of users as mongoexport writes it, in JSON Lines or with --jsonArray", []string{"map"}, readMongoExport},
		{"supabase", "Supabase's table auth.users, as CSV with a header or as JSON", nil, readSupabase},
		{"pocketbase", "PocketBase's data.db, or the rows of a collection of users as JSON", []string{"collection"}, readPocketBase},
		{"django", "the users in what Django's dumpdata writes", []string{"model", "domain"}, readDjango},
		{"auth0", "Auth0's export of password hashes, or of users with them", nil, readAuth0},
		{"keycloak", "a realm of Keycloak, or its users, as `kc.sh export` writes them", nil, readKeycloak},
		{"htpasswd", "a password file of Apache or nginx", []string{"domain"}, readHtpasswd},
		{"csv", "a table with a header", []string{"map"}, readCSV},
		{"jsonl", "JSON objects, one a line or in an array", []string{"map"}, readJSON},
	}
}
