// Package transfer brings the users of other systems into a store.
//
// A system is a file here: it reads a dump as a stream and yields a [Record] for each user. What a dump may look like,
// and what becomes of it, is in docs/moving.md. However large a dump is, no more than a batch of it is held in memory, and
// a hash of each id.
//
// Hashes are taken as they are and computed by nobody: package password verifies them at the user's next login, which
// renews them. What it cannot verify is no reason to let somebody in or to make up a password: the user is skipped, and
// the report says why.
package transfer

import (
	"time"
)

// Record is a user as a dump has it, or why it has none there. No error and no report holds what is in Hash.
type Record struct {
	// Place is where it stands in the dump, for people: "line 17".
	Place string
	// ID is the user's. If it is empty one is derived from the address, the same each time.
	ID string
	// Email is the address as the dump has it.
	Email string
	// Hash is the password's hash in a form that package password knows; empty for a user who has no password.
	Hash string
	// Disabled says that the user may not log in.
	Disabled bool
	// Verified says whether the other system had seen that mail reaches the user; nil if it does not say.
	Verified *bool
	// CreatedAt and UpdatedAt are zero if the dump does not say.
	CreatedAt, UpdatedAt time.Time
	Roles                []string
	// Data and AdminData are JSON objects, or nil.
	Data, AdminData []byte

	// Skip says why this is no user to be imported, and Detail what there is to say beyond that.
	Skip   Reason
	Detail string
}

// Reason is a code that says why a record was skipped. Docs/moving.md lists them, and programs read them.
type Reason string

// The reasons.
const (
	RecordInvalid  Reason = "record_invalid"  // a field is not what the system writes there
	AddressMissing Reason = "address_missing" // there is no e-mail address
	AddressInvalid Reason = "address_invalid" // what stands there is none that a user can have
	AddressTaken   Reason = "address_taken"   // another user has it
	IDInvalid      Reason = "id_invalid"      // it is too long, or has a character that no id has
	IDTaken        Reason = "id_taken"        // a user of another address has it
	LoginTaken     Reason = "login_taken"     // another user's password is known by the address
	HashUnknown    Reason = "hash_unknown"    // it is in no form that is known
	HashUnverified Reason = "hash_unverified" // its form is known, and passwords cannot be verified against it here
	HashParameters Reason = "hash_parameters" // its parameters are out of bounds
	DataInvalid    Reason = "data_invalid"    // data or admin_data is no JSON object in which each name occurs once
	DataTooLarge   Reason = "data_too_large"  // data or admin_data has more than 8 KiB
	RolesInvalid   Reason = "roles_invalid"   // a role has a character that no role has, or they are too many
	Deleted        Reason = "deleted"         // the other system has deleted the user, and keeps the record
	NoPerson       Reason = "no_person"       // it is an account of a program
)

// skipped returns r as one that is skipped.
func (r Record) skipped(why Reason, detail string) Record {
	r.Skip, r.Detail = why, detail
	return r
}
