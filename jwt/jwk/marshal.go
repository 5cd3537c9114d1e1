package jwk

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"github.com/countersign-auth/countersign/jwt"
)

// Marshal returns the public half of key as a JWK with "kid" (when it has an ID), "alg" and "use". A secret key
// has no public half and is an error.
func Marshal(key *jwt.Key) ([]byte, error) {
	public := key.Public()
	if public == nil {
		return nil, wrap(errors.New("a secret key has no public half"))
	}
	return marshal(key, public.PublicKey())
}

// MarshalPrivate returns a private or secret key as a JWK, for storage: whoever reads it can sign. A key that
// cannot sign is an error.
func MarshalPrivate(key *jwt.Key) ([]byte, error) {
	switch {
	case !key.CanSign():
		return nil, wrap(errors.New("the key has no private half"))
	case key.PrivateKey() != nil:
		return marshal(key, key.PrivateKey())
	}
	return marshal(key, key.Secret())
}

// MarshalSet returns the public halves of keys as a JWK Set, ready to be served as application/jwk-set+json.
// Every key needs an ID of its own, so that verifiers can tell the keys apart while they rotate; a secret key is
// an error. An empty set is well-formed: it says that no key is trusted.
func MarshalSet(keys ...*jwt.Key) ([]byte, error) {
	set := struct {
		Keys []json.RawMessage `json:"keys"`
	}{make([]json.RawMessage, 0, len(keys))}
	seen := make(map[string]bool, len(keys))
	for i, key := range keys {
		if key == nil {
			return nil, wrap(fmt.Errorf("key %d is nil", i))
		}
		if key.ID() == "" || seen[key.ID()] {
			return nil, wrap(fmt.Errorf("key %d needs an ID of its own", i))
		}
		seen[key.ID()] = true
		data, err := Marshal(key)
		if err != nil {
			return nil, err
		}
		set.Keys = append(set.Keys, data)
	}
	return json.Marshal(set)
}

// Thumbprint returns the SHA-256 thumbprint of the public half of key as base64url (RFC 7638, RFC 8037
// appendix A.3): the same for a key wherever it is computed, so it makes a good ID. A secret key is an error,
// for the thumbprint of a secret lets anybody test guesses at it (RFC 7638 section 7).
func Thumbprint(key *jwt.Key) (string, error) {
	public := key.Public()
	if public == nil {
		return "", wrap(errors.New("the thumbprint of a secret would give it away"))
	}
	sum, err := (&jose.JSONWebKey{Key: public.PublicKey()}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", wrap(err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

func marshal(key *jwt.Key, material any) ([]byte, error) {
	data, err := jose.JSONWebKey{Key: material, KeyID: key.ID(), Algorithm: string(key.Algorithm()), Use: "sig"}.MarshalJSON()
	if err != nil {
		return nil, wrap(errors.New("the key cannot be written"))
	}
	return data, nil
}
