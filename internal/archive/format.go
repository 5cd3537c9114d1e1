// Package archive moves everything that a store holds into a file, and out of it into another store of any kind.
//
// The format is JSON Lines and documented in docs/moving.md. Secrets and private keys stay sealed as they are: whoever wants
// to use the copy needs the same master key. What differs between the stores by design stays behind: the positions of
// revocations and the versions of counters, which the new store assigns.
package archive

import (
	"encoding/base64"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/countersign-auth/countersign/internal/audit"
	"github.com/countersign-auth/countersign/internal/store"
)

// version is that of the format. A reader refuses one that is greater.
const version = 1

// line is a line of an export. It has exactly one member.
type line struct {
	Header     *header     `json:"countersign_export,omitzero"`
	Secret     *secret     `json:"secret,omitzero"`
	Key        *key        `json:"key,omitzero"`
	Account    *account    `json:"account,omitzero"`
	Revocation *revocation `json:"revocation,omitzero"`
	Counter    *counter    `json:"counter,omitzero"`
	Event      *audit.Line `json:"event,omitzero"`
	End        *Counts     `json:"end,omitzero"`
}

// header is the first line.
type header struct {
	Version int `json:"version"`
}

// Counts is the last line: how many there were of each. Without it an export is cut.
type Counts struct {
	Secrets     int `json:"secrets"`
	Keys        int `json:"keys"`
	Accounts    int `json:"accounts"`
	Revocations int `json:"revocations"`
	Counters    int `json:"counters"`
	Events      int `json:"events"`
}

// Total is how many there are of all.
func (c Counts) Total() int {
	return c.Secrets + c.Keys + c.Accounts + c.Revocations + c.Counters + c.Events
}

// kind is the kind of a line. The lines of an export are in the order of their kinds.
type kind int

const (
	isHeader kind = iota
	isSecret
	isKey
	isAccount
	isRevocation
	isCounter
	isEvent
	isEnd
)

// kind returns what l is; false if it is not exactly one thing.
func (l *line) kind() (k kind, ok bool) {
	for i, there := range []bool{
		l.Header != nil, l.Secret != nil, l.Key != nil, l.Account != nil, l.Revocation != nil, l.Counter != nil, l.Event != nil, l.End != nil,
	} {
		if !there {
			continue
		}
		if ok {
			return 0, false
		}
		k, ok = kind(i), true
	}
	return k, ok
}

// data is bytes as JSON: null for none, a text if they are UTF-8, else {"base64": …}.
type data []byte

// MarshalJSONTo implements [json.MarshalerTo].
func (d data) MarshalJSONTo(enc *jsontext.Encoder) error {
	switch {
	case d == nil:
		return enc.WriteToken(jsontext.Null)
	case utf8.Valid(d):
		return enc.WriteToken(jsontext.String(string(d)))
	}
	return json.MarshalEncode(enc, map[string]string{"base64": base64.StdEncoding.EncodeToString(d)})
}

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (d *data) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	switch dec.PeekKind() {
	case 'n':
		*d = nil
		return dec.SkipValue()
	case '"':
		token, err := dec.ReadToken()
		if err != nil {
			return err
		}
		*d = append(data{}, token.String()...)
		return nil
	}
	var wrapped struct {
		Base64 *[]byte `json:"base64"`
	}
	if err := json.UnmarshalDecode(dec, &wrapped, json.RejectUnknownMembers(true)); err != nil {
		return err
	}
	if wrapped.Base64 == nil {
		return errors.New("it is neither text nor base64")
	}
	*d = *wrapped.Base64
	return nil
}

type secret struct {
	Name  string `json:"name"`
	Value data   `json:"value"`
}

type key struct {
	ID        string    `json:"id"`
	Algorithm string    `json:"algorithm"`
	Private   data      `json:"private"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	SignsAt   time.Time `json:"signs_at,omitzero"`
}

type account struct {
	User        user         `json:"user"`
	Credentials []credential `json:"credentials"`
	Sessions    []session    `json:"sessions"`
}

type user struct {
	ID         string    `json:"id"`
	Email      string    `json:"email"`
	EmailKey   string    `json:"email_key"`
	Roles      []string  `json:"roles"`
	Data       data      `json:"data"`
	AdminData  data      `json:"admin_data"`
	Epoch      string    `json:"epoch"`
	DisabledAt time.Time `json:"disabled_at,omitzero"`
	CreatedAt  time.Time `json:"created_at,omitzero"`
	UpdatedAt  time.Time `json:"updated_at,omitzero"`
	Version    int64     `json:"version"`
}

type credential struct {
	Method    string    `json:"method"`
	Key       string    `json:"key"`
	Data      data      `json:"data"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
	Version   int64     `json:"version"`
}

type session struct {
	ID         string    `json:"id"`
	Epoch      string    `json:"epoch"`
	Generation int64     `json:"generation"`
	Chain      data      `json:"chain"`
	Methods    []string  `json:"methods"`
	Brief      bool      `json:"brief"`
	Device     string    `json:"device"`
	Client     string    `json:"client"`
	AuthAt     time.Time `json:"auth_at,omitzero"`
	CreatedAt  time.Time `json:"created_at,omitzero"`
	LastUsedAt time.Time `json:"last_used_at,omitzero"`
	ExpiresAt  time.Time `json:"expires_at,omitzero"`
}

type revocation struct {
	Key       string    `json:"key"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

type counter struct {
	Key       string    `json:"key"`
	Count     int64     `json:"count"`
	LastAt    time.Time `json:"last_at,omitzero"`
	KnownAt   time.Time `json:"known_at,omitzero"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// lineOf returns the line of an account.
func lineOf(a store.Account) account {
	u := a.User
	l := account{
		User: user{
			u.ID, u.Email, u.EmailKey, u.Roles, u.Data, u.AdminData, u.Epoch,
			u.DisabledAt.UTC(), u.CreatedAt.UTC(), u.UpdatedAt.UTC(), u.Version,
		},
		Credentials: []credential{}, Sessions: []session{},
	}
	for _, c := range a.Credentials {
		l.Credentials = append(l.Credentials, credential{c.Method, c.Key, c.Data, c.CreatedAt.UTC(), c.UpdatedAt.UTC(), c.Version})
	}
	for _, x := range a.Sessions {
		l.Sessions = append(l.Sessions, session{
			x.ID, x.Epoch, x.Generation, x.Chain, x.Methods, x.Brief, x.Device, x.Client,
			x.AuthAt.UTC(), x.CreatedAt.UTC(), x.LastUsedAt.UTC(), x.ExpiresAt.UTC(),
		})
	}
	return l
}

// account returns the account of a line.
func (l *account) account() store.Account {
	u := l.User
	a := store.Account{User: store.User{
		ID: u.ID, Email: u.Email, EmailKey: u.EmailKey, Roles: u.Roles, Data: u.Data, AdminData: u.AdminData, Epoch: u.Epoch,
		DisabledAt: u.DisabledAt, CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt, Version: u.Version,
	}}
	for _, c := range l.Credentials {
		a.Credentials = append(a.Credentials, store.Credential{
			UserID: u.ID, Method: c.Method, Key: c.Key, Data: c.Data, CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt, Version: c.Version,
		})
	}
	for _, x := range l.Sessions {
		a.Sessions = append(a.Sessions, store.Session{
			ID: x.ID, UserID: u.ID, Epoch: x.Epoch, Generation: x.Generation, Chain: x.Chain, Methods: x.Methods, Brief: x.Brief,
			Device: x.Device, Client: x.Client, AuthAt: x.AuthAt, CreatedAt: x.CreatedAt, LastUsedAt: x.LastUsedAt, ExpiresAt: x.ExpiresAt,
		})
	}
	return a
}
