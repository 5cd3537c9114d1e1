package transfer

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/countersign-auth/countersign/internal/account"
	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/login"
	"github.com/countersign-auth/countersign/internal/login/withpassword"
	"github.com/countersign-auth/countersign/internal/session"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/password"
)

// idSpace is the space of the ids that are made out of addresses (RFC 9562, version 5). It must never change: a second run
// would make every user once more.
var idSpace = uuid.MustParse("3a0e4a8c-6f6e-5d0b-9c55-8f7a1b2c3d4e")

// refusal is why a record cannot be an account.
type refusal struct {
	reason Reason
	detail string
}

// accountOf returns the account that a record becomes, and the name of its hash's format; or why it becomes none.
func (i *importer) accountOf(rec Record) (a store.Account, format string, no *refusal) {
	if rec.Skip != "" {
		return a, "", &refusal{rec.Skip, rec.Detail}
	}
	if rec.Email == "" {
		return a, "", &refusal{AddressMissing, ""}
	}
	address, err := login.ParseAddress(rec.Email)
	if err != nil {
		return a, "", &refusal{AddressInvalid, ""}
	}
	u := store.User{Email: address.Given, EmailKey: address.Key, Epoch: session.NewEpoch(), Version: 1}
	if u.ID, no = i.idOf(rec, address); no != nil {
		return a, "", no
	}
	i.times(&u, rec)
	if no = i.describe(&u, rec); no != nil {
		return a, "", no
	}
	a.User = u
	if rec.Hash == "" {
		return a, "", nil
	}
	if format, no = formatOf(rec.Hash); no != nil {
		return a, "", no
	}
	a.Credentials = []store.Credential{withpassword.Imported(u, rec.Hash)}
	return a, format, nil
}

// idOf returns the id that a record's user has here.
func (i *importer) idOf(rec Record, address login.Address) (string, *refusal) {
	if rec.ID == "" {
		return uuid.NewSHA1(idSpace, []byte(address.Key)).String(), nil
	}
	id := i.IDPrefix + rec.ID
	if !account.IsID(id) {
		return "", &refusal{IDInvalid, ""}
	}
	return id, nil
}

// times fills in when things happened; what the dump does not say happened now.
func (i *importer) times(u *store.User, rec Record) {
	now := i.Now().UTC().Truncate(time.Microsecond)
	u.CreatedAt, u.UpdatedAt = rec.CreatedAt, rec.UpdatedAt
	if u.CreatedAt.IsZero() {
		u.CreatedAt = now
	}
	if u.UpdatedAt.IsZero() {
		u.UpdatedAt = u.CreatedAt
	}
	if rec.Disabled {
		u.DisabledAt = now
	}
}

// describe fills in what is told of the user.
func (i *importer) describe(u *store.User, rec Record) *refusal {
	roles, err := account.AddRoles(nil, rec.Roles...)
	if err != nil {
		return &refusal{RolesInvalid, ""}
	}
	if len(roles) > 0 {
		u.Roles = roles
	}
	if i.WithoutData {
		return nil
	}
	admin := object(rec.AdminData)
	if rec.Verified != nil {
		value := "false"
		if *rec.Verified {
			value = "true"
		}
		admin = admin.with("email_verified", []byte(value))
	}
	var no *refusal
	if u.Data, no = dataOf("data", rec.Data); no != nil {
		return no
	}
	u.AdminData, no = dataOf("admin_data", admin)
	return no
}

// dataOf returns an object as a store keeps it: compact, and nil for an empty one.
func dataOf(name string, object []byte) ([]byte, *refusal) {
	if len(object) == 0 {
		return nil, nil
	}
	data, err := api.ParseObject(object)
	switch {
	case err != nil:
		return nil, &refusal{DataInvalid, name}
	case len(data) > account.MaxData:
		return nil, &refusal{DataTooLarge, name}
	case string(data) == "{}":
		return nil, nil
	}
	return data, nil
}

// formatOf returns the name of a hash's format, if passwords can be verified against it.
func formatOf(hash string) (string, *refusal) {
	info, err := password.Inspect(hash)
	switch {
	case errors.Is(err, password.ErrParameters):
		return "", &refusal{HashParameters, ""}
	case err != nil:
		return "", &refusal{HashUnknown, ""}
	case !info.Verifiable:
		return "", &refusal{HashUnverified, info.Format}
	}
	return info.Format, nil
}
