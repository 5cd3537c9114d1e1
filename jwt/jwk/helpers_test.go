package jwk_test

import (
	"bytes"
	"crypto"

	"github.com/countersign-auth/countersign/jwt"
)

// same compares two keys with all that is in them.
func same(a, b *jwt.Key) bool {
	if a.ID() != b.ID() || a.Algorithm() != b.Algorithm() || a.CanSign() != b.CanSign() || !bytes.Equal(a.Secret(), b.Secret()) {
		return false
	}
	if a.PrivateKey() != nil {
		da, err1 := a.MarshalPKCS8()
		db, err2 := b.MarshalPKCS8()
		return err1 == nil && err2 == nil && bytes.Equal(da, db)
	}
	if a.PublicKey() == nil {
		return b.PublicKey() == nil
	}
	return a.PublicKey().(interface{ Equal(x crypto.PublicKey) bool }).Equal(b.PublicKey())
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
