// Package account shows people what the server holds of them, and lets them change and end it.
package account

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/countersign-auth/countersign/internal/api"
	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/problem"
)

// MaxData bounds the data of a user, and the admin data, in bytes of their compact form.
const MaxData = 8 << 10

// CheckData returns what is wrong with an object as the data or the admin data of a user, under the name of its field.
func CheckData(field string, object api.Object) []problem.Field {
	if len(object) <= MaxData {
		return nil
	}
	return []problem.Field{{Name: field, Code: "too_large", Detail: "The data of a user are at most 8 KiB."}}
}

// maxID bounds the ids that others choose, in bytes: they stand in every token.
const maxID = 255

// IsID reports whether id is one that a user may have who is not given one here: text that prints, and not too much.
func IsID(id string) bool {
	return id != "" && len(id) <= maxID && utf8.ValidString(id) && !strings.ContainsFunc(id, func(r rune) bool { return !unicode.IsPrint(r) })
}

// Account is a user as they see themselves.
type Account struct {
	ID        string     `json:"_id" doc:"Opaque and unchanging"`
	Email     string     `json:"email"`
	Roles     []string   `json:"roles" nullable:"false" doc:"What the operator lets the user do in applications. Tokens have them from the next refresh on"`
	Data      api.Object `json:"data" doc:"The user's own, to be written by PATCH"`
	AdminData api.Object `json:"admin_data" doc:"The operator's, to be read only"`
	CreatedAt time.Time  `json:"created_at"`
	UpdatedAt time.Time  `json:"updated_at"`
}

func accountOf(u store.User) Account {
	return Account{
		ID: u.ID, Email: u.Email, Roles: listOf(u.Roles), Data: u.Data, AdminData: u.AdminData,
		CreatedAt: seconds(u.CreatedAt), UpdatedAt: seconds(u.UpdatedAt),
	}
}

// Session is a session as its user sees it.
type Session struct {
	ID         string    `json:"id"`
	Device     string    `json:"device" doc:"How the client described itself at the last use: its User-Agent"`
	Client     string    `json:"client" doc:"The client's address at the last use"`
	CreatedAt  time.Time `json:"created_at"`
	LastUsedAt time.Time `json:"last_used_at" doc:"When it was last refreshed"`
	ExpiresAt  time.Time `json:"expires_at" doc:"When it ends if it is not refreshed"`
	AuthTime   time.Time `json:"auth_time" doc:"When the user proved who they are"`
	Methods    []string  `json:"methods" nullable:"false" doc:"How they did, as RFC 8176 names it" example:"pwd"`
	Remembered bool      `json:"remembered" doc:"False for one that ends with the browser or after a day"`
	Current    bool      `json:"current" doc:"Whether the token of this request belongs to it"`
}

// SessionsOf returns the sessions in their order. Current is the id of the one that asks.
func SessionsOf(records []store.Session, current string) []Session {
	sessions := make([]Session, 0, len(records))
	for _, r := range records {
		sessions = append(sessions, Session{
			ID: r.ID, Device: r.Device, Client: r.Client, CreatedAt: seconds(r.CreatedAt), LastUsedAt: seconds(r.LastUsedAt),
			ExpiresAt: seconds(r.ExpiresAt), AuthTime: seconds(r.AuthAt), Methods: listOf(r.Methods),
			Remembered: !r.Brief, Current: r.ID == current,
		})
	}
	return sessions
}

func seconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// listOf returns texts, which JSON writes as a list even if it is empty.
func listOf(texts []string) []string {
	if texts == nil {
		return []string{}
	}
	return texts
}
