package apikey

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/countersign-auth/countersign/internal/store"
	"github.com/countersign-auth/countersign/passport/apikey"
)

// data is the data of a key's credential.
type data struct {
	Hash       []byte    `json:"hash"` // SHA-256 of the key's text
	Name       string    `json:"name"`
	Scopes     []string  `json:"scopes"`
	ExpiresAt  time.Time `json:"expires_at,omitzero"`
	LastUsedAt time.Time `json:"last_used_at,omitzero"`
}

func (d data) encode() []byte {
	b, err := json.Marshal(d)
	if err != nil {
		panic(err) // it has nothing that cannot be written
	}
	return b
}

// errDamaged says that a record is not as this package writes it. It repeats nothing of it.
var errDamaged = errors.New("apikey: the record of a key is damaged")

func decode(c store.Credential) (data, error) {
	var d data
	if err := json.Unmarshal(c.Data, &d); err != nil || len(d.Hash) != len(apikey.Hash{}) {
		return data{}, errDamaged
	}
	return d, nil
}

func keyOf(c store.Credential, d data) Key {
	return Key{
		ID: c.Key, Name: d.Name, Scopes: d.Scopes, CreatedAt: c.CreatedAt.UTC(), ExpiresAt: d.ExpiresAt, LastUsedAt: d.LastUsedAt,
	}
}
