package admin

import (
	"time"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/store"
)

// Entry is a user in a list.
type Entry struct {
	ID         string     `json:"id" doc:"Opaque and unchanging: the sub of tokens"`
	Email      string     `json:"email"`
	Roles      []string   `json:"roles" nullable:"false"`
	Disabled   bool       `json:"disabled"`
	DisabledAt *time.Time `json:"disabled_at,omitempty" doc:"Not there for a user who may log in"`
	CreatedAt  time.Time  `json:"created_at"`
	UpdatedAt  time.Time  `json:"updated_at"`
	Version    int64      `json:"version" doc:"Counts the changes of the user"`
}

// UserRecord is a user with all that an operator sees.
type UserRecord struct {
	Entry
	Data      api.Object `json:"data" doc:"The user's own"`
	AdminData api.Object `json:"admin_data" doc:"The operator's, which the user can read"`
	Sessions  int        `json:"sessions" doc:"How many sessions the user has"`
}

func entryOf(u store.User) Entry {
	e := Entry{
		ID: u.ID, Email: u.Email, Roles: append([]string{}, u.Roles...), Disabled: u.Disabled(), CreatedAt: seconds(u.CreatedAt),
		UpdatedAt: seconds(u.UpdatedAt), Version: u.Version,
	}
	if e.Disabled {
		at := seconds(u.DisabledAt)
		e.DisabledAt = &at
	}
	return e
}

func seconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// UserList is the answer to GET /admin/api/users.
type UserList struct {
	Users []Entry `json:"users" nullable:"false"`
	Next  string  `json:"next,omitempty" doc:"Is after for the next page; not there on the last one"`
}

// Creation is the body of POST /admin/api/users.
type Creation struct {
	Email     string     `json:"email" format:"email" example:"mike@example.com" doc:"The bare address, of at most 254 bytes"`
	Password  string     `json:"password" format:"password" example:"correct horse battery" doc:"As at /signup"`
	ID        string     `json:"id,omitempty" doc:"The id that the user is to have, for one who has an id elsewhere; left out, the server makes one"`
	Roles     []string   `json:"roles,omitempty" nullable:"false" example:"editor" doc:"At most 32, each of 1 to 64 of the characters a-z 0-9 : _ . -"`
	Data      api.Object `json:"data,omitempty" doc:"At most 8 KiB in compact form"`
	AdminData api.Object `json:"admin_data,omitempty" doc:"At most 8 KiB in compact form"`
}

// Patch is the body of PATCH /admin/api/users/{id}.
type Patch struct {
	Disabled  api.Given[bool]     `json:"disabled,omitzero" doc:"True ends all sessions and tokens at once, and refuses logins"`
	Roles     api.Given[[]string] `json:"roles,omitzero" doc:"Replace those that the user has"`
	AdminData api.Object          `json:"admin_data,omitempty" doc:"Replaces what was there: a JSON object of at most 8 KiB in compact form"`
	Version   api.Given[int64]    `json:"version,omitzero" doc:"The version that the user must have, else nothing is changed; left out, the user is changed as it is"`
}
