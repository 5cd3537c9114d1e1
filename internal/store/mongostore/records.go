package mongostore

import (
	"encoding/base64"
	"slices"

	"github.com/countersign-auth/countersign/internal/store"
)

// userRecord is the document of a user. Times are microseconds since 1970, as everywhere here; 0 is never.
type userRecord struct {
	ID         string   `bson:"_id"`
	Email      string   `bson:"email"`
	EmailKey   string   `bson:"email_key"` // gone when the user is deleted, so that the address is free
	Roles      []string `bson:"roles"`
	Data       []byte   `bson:"data"`
	AdminData  []byte   `bson:"admin_data"`
	Epoch      string   `bson:"epoch"`
	DisabledAt int64    `bson:"disabled_at"`
	CreatedAt  int64    `bson:"created_at"`
	UpdatedAt  int64    `bson:"updated_at"`
	Version    int64    `bson:"version"`
	// Credentials are the user's, by their ids. Each has a reservation, which makes its method and key unique.
	Credentials map[string]credentialRecord `bson:"credentials"`

	// State is empty for a user who is there, else beingMade or deleted; then the document waits to be made or removed.
	State string `bson:"state,omitempty"`
	// Birth tells this user from any other one of the same id, who may come after a deletion.
	Birth string `bson:"birth"`
	// Turn counts the decisions about the user's sessions.
	Turn int64 `bson:"turn"`
	// Era is the turn of the last decision that ended all sessions but Keep: those opened before it are dead.
	Era  int64  `bson:"era"`
	Keep string `bson:"keep"`
	// Pending is the turn of a decision that is not carried out yet, and Decision what it says. While there is one, there is
	// no other.
	Pending  int64    `bson:"pending,omitempty"`
	Decision decision `bson:"decision"`
}

// The states of a user who is not there.
const (
	beingMade = "being made"
	deleted   = "deleted"
)

// decision is what remains to be done in other documents once a user's document says so.
type decision struct {
	// All says that all sessions of before this turn end, but the user's Keep. Ending are those that end, if not all.
	All    bool     `bson:"all,omitempty"`
	Ending []string `bson:"ending,omitempty"`
	// Until is when the revocations of these sessions expire.
	Until   int64         `bson:"until,omitempty"`
	Revoked []revoked     `bson:"revoked,omitempty"`
	Events  []eventRecord `bson:"events,omitempty"`
}

type revoked struct {
	Key       string `bson:"key"`
	ExpiresAt int64  `bson:"expires_at"`
}

func revokedOf(all []store.Revocation) (records []revoked) {
	for _, r := range all {
		records = append(records, revoked{r.Key, store.Micros(r.ExpiresAt)})
	}
	return records
}

func userOf(u store.User) userRecord {
	return userRecord{
		ID: u.ID, Email: u.Email, EmailKey: u.EmailKey, Roles: u.Roles, Data: u.Data, AdminData: u.AdminData, Epoch: u.Epoch,
		DisabledAt: store.Micros(u.DisabledAt), CreatedAt: store.Micros(u.CreatedAt), UpdatedAt: store.Micros(u.UpdatedAt), Version: u.Version,
		Credentials: map[string]credentialRecord{},
	}
}

func (r *userRecord) there() bool { return r.State == "" }

func (r *userRecord) user() store.User {
	return store.User{
		ID: r.ID, Email: r.Email, EmailKey: r.EmailKey, Roles: orNil(r.Roles), Data: r.Data, AdminData: r.AdminData, Epoch: r.Epoch,
		DisabledAt: store.FromMicros(r.DisabledAt), CreatedAt: store.FromMicros(r.CreatedAt), UpdatedAt: store.FromMicros(r.UpdatedAt), Version: r.Version,
	}
}

func orNil(texts []string) []string {
	if len(texts) == 0 {
		return nil
	}
	return texts
}

// credentialRecord is a credential in the document of its user.
type credentialRecord struct {
	Method    string `bson:"method"`
	Key       string `bson:"key"`
	Data      []byte `bson:"data"`
	CreatedAt int64  `bson:"created_at"`
	UpdatedAt int64  `bson:"updated_at"`
	Version   int64  `bson:"version"`
	// Mark is a random text that the reservation of the credential carries too.
	Mark string `bson:"mark"`
	// Making says that the credential does not count yet.
	Making bool `bson:"making,omitempty"`
}

// reservation makes a credential's method and key unique, and finds its user. One whose user has no such credential of the
// same mark counts as absent.
type reservation struct {
	ID     string `bson:"_id"`
	UserID string `bson:"user_id"`
	Mark   string `bson:"mark"`
}

// reservations returns those of the user's credentials.
func (r *userRecord) reservations() (all []reservation) {
	for id, c := range r.Credentials {
		all = append(all, reservation{ID: id, UserID: r.ID, Mark: c.Mark})
	}
	return all
}

// credentialID returns the id of a credential: a text that may be the name of a field.
func credentialID(method, key string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(method + "\x00" + key))
}

func credentialOf(c store.Credential) credentialRecord {
	return credentialRecord{
		Method: c.Method, Key: c.Key, Data: c.Data, CreatedAt: store.Micros(c.CreatedAt), UpdatedAt: store.Micros(c.UpdatedAt), Version: c.Version,
	}
}

func (r credentialRecord) credential(userID string) store.Credential {
	return store.Credential{
		UserID: userID, Method: r.Method, Key: r.Key, Data: r.Data, CreatedAt: store.FromMicros(r.CreatedAt), UpdatedAt: store.FromMicros(r.UpdatedAt),
		Version: r.Version,
	}
}

// sessionRecord is the document of a session.
type sessionRecord struct {
	ID         string   `bson:"_id"`
	UserID     string   `bson:"user_id"`
	Epoch      string   `bson:"epoch"`
	Generation int64    `bson:"generation"`
	Chain      []byte   `bson:"chain"`
	Methods    []string `bson:"methods"`
	Brief      bool     `bson:"brief"`
	Device     string   `bson:"device"`
	Client     string   `bson:"client"`
	AuthAt     int64    `bson:"auth_at"`
	CreatedAt  int64    `bson:"created_at"`
	LastUsedAt int64    `bson:"last_used_at"`
	ExpiresAt  int64    `bson:"expires_at"`
	// Birth and Turn are the user's when the session was opened.
	Birth string `bson:"birth"`
	Turn  int64  `bson:"turn"`
}

func sessionOf(x store.Session, u *userRecord) sessionRecord {
	return sessionRecord{
		ID: x.ID, UserID: x.UserID, Epoch: x.Epoch, Generation: x.Generation, Chain: x.Chain, Methods: x.Methods, Brief: x.Brief,
		Device: x.Device, Client: x.Client, AuthAt: store.Micros(x.AuthAt), CreatedAt: store.Micros(x.CreatedAt), LastUsedAt: store.Micros(x.LastUsedAt),
		ExpiresAt: store.Micros(x.ExpiresAt), Birth: u.Birth, Turn: u.Turn,
	}
}

func (r *sessionRecord) session() store.Session {
	return store.Session{
		ID: r.ID, UserID: r.UserID, Epoch: r.Epoch, Generation: r.Generation, Chain: r.Chain, Methods: orNil(r.Methods), Brief: r.Brief,
		Device: r.Device, Client: r.Client, AuthAt: store.FromMicros(r.AuthAt), CreatedAt: store.FromMicros(r.CreatedAt),
		LastUsedAt: store.FromMicros(r.LastUsedAt), ExpiresAt: store.FromMicros(r.ExpiresAt),
	}
}

// alive reports whether a session of the user is there, as the user's document has it: it is the one that says which have
// been ended.
func (u *userRecord) alive(x *sessionRecord) bool {
	switch {
	case !u.there() || x.Birth != u.Birth:
		return false
	case x.Turn < u.Era && x.ID != u.Keep:
		return false
	default:
		return x.Turn >= u.Pending || !slices.Contains(u.Decision.Ending, x.ID)
	}
}
