package jwt

import (
	"crypto"
	"crypto/elliptic"
	_ "crypto/sha256" // crypto.SHA256.New
	_ "crypto/sha512" // crypto.SHA384.New, crypto.SHA512.New
)

// Algorithm is the name of a signature algorithm as it stands in the "alg" header (RFC 7518 section 3.1,
// RFC 8037, RFC 9864). Names compare exactly. "none" is not one of them.
type Algorithm string

// The algorithms of this package. A [Key] is bound to one of them for life.
const (
	HS256 Algorithm = "HS256" // HMAC with SHA-256
	HS384 Algorithm = "HS384" // HMAC with SHA-384
	HS512 Algorithm = "HS512" // HMAC with SHA-512

	RS256 Algorithm = "RS256" // RSASSA-PKCS1-v1_5 with SHA-256
	RS384 Algorithm = "RS384" // RSASSA-PKCS1-v1_5 with SHA-384
	RS512 Algorithm = "RS512" // RSASSA-PKCS1-v1_5 with SHA-512

	PS256 Algorithm = "PS256" // RSASSA-PSS with SHA-256 and a salt of 32 bytes
	PS384 Algorithm = "PS384" // RSASSA-PSS with SHA-384 and a salt of 48 bytes
	PS512 Algorithm = "PS512" // RSASSA-PSS with SHA-512 and a salt of 64 bytes

	ES256 Algorithm = "ES256" // ECDSA on P-256 with SHA-256
	ES384 Algorithm = "ES384" // ECDSA on P-384 with SHA-384
	ES512 Algorithm = "ES512" // ECDSA on P-521 with SHA-512

	// EdDSA is Ed25519 under the name of RFC 8037. Ed448 is not supported.
	EdDSA Algorithm = "EdDSA"
	// Ed25519 is the same signature under the name of RFC 9864. A key is pinned to one of the two names and
	// does not verify a token under the other.
	Ed25519 Algorithm = "Ed25519"
)

type family byte

const (
	unknownFamily family = iota
	hmacFamily
	rsaFamily
	pssFamily
	ecdsaFamily
	ed25519Family
)

// spec is what an algorithm's name stands for.
type spec struct {
	family family
	hash   crypto.Hash
	curve  elliptic.Curve // ecdsaFamily only
}

// spec returns the zero spec for a name that this package does not have.
func (a Algorithm) spec() spec {
	switch a {
	case HS256:
		return spec{family: hmacFamily, hash: crypto.SHA256}
	case HS384:
		return spec{family: hmacFamily, hash: crypto.SHA384}
	case HS512:
		return spec{family: hmacFamily, hash: crypto.SHA512}
	case RS256:
		return spec{family: rsaFamily, hash: crypto.SHA256}
	case RS384:
		return spec{family: rsaFamily, hash: crypto.SHA384}
	case RS512:
		return spec{family: rsaFamily, hash: crypto.SHA512}
	case PS256:
		return spec{family: pssFamily, hash: crypto.SHA256}
	case PS384:
		return spec{family: pssFamily, hash: crypto.SHA384}
	case PS512:
		return spec{family: pssFamily, hash: crypto.SHA512}
	case ES256:
		return spec{family: ecdsaFamily, hash: crypto.SHA256, curve: elliptic.P256()}
	case ES384:
		return spec{family: ecdsaFamily, hash: crypto.SHA384, curve: elliptic.P384()}
	case ES512:
		return spec{family: ecdsaFamily, hash: crypto.SHA512, curve: elliptic.P521()}
	case EdDSA, Ed25519:
		return spec{family: ed25519Family}
	}
	return spec{}
}

// Symmetric reports whether the algorithm signs and verifies with one shared secret: the HS family.
func (a Algorithm) Symmetric() bool { return a.spec().family == hmacFamily }

// Supported reports whether a is one of the algorithms of this package.
func (a Algorithm) Supported() bool { return a.spec().family != unknownFamily }
