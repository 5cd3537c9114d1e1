package jwt

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"log/slog"
	"sync"
	"unicode/utf8"
)

// maxKeyID bounds a key's ID and the "kid" header, in bytes.
const maxKeyID = 256

// RSA keys are generated with generatedRSABits. Shorter than minRSABits is always refused (RFC 7518
// section 3.3); longer than maxRSABits only costs time.
const (
	generatedRSABits = 3072
	minRSABits       = 2048
	maxRSABits       = 16384
)

// KeyOptions adjusts how a key is made. The zero value is the strict one, and gives a key without an ID.
type KeyOptions struct {
	// ID is written to the "kid" header of tokens that the key signs, and selects the key among others when
	// a token is verified. At most 256 bytes of valid UTF-8. Empty means none.
	ID string

	// InsecureAllowShortSecret accepts an HMAC secret that is shorter than the hash (RFC 7518 section 3.2
	// requires 32, 48 or 64 bytes). Anyone who holds one token can search for such a secret at leisure.
	// It has no bearing on other keys: an RSA key under 2048 bits is always refused.
	InsecureAllowShortSecret bool
}

// Key is a secret, private or public key, bound to one [Algorithm]. It does not change and may be used by
// several goroutines at once. It never prints its material: not through fmt, not through slog, not as JSON.
type Key struct {
	id  string
	alg Algorithm
	// A function, because fmt and reflect see through all else: of a Key inside somebody's unexported field, where
	// Format is not called, %s would print what a pointer points to.
	m func() *material
}

// material holds a secret alone, or public with or without private.
type material struct {
	secret  []byte
	macs    sync.Pool // of *keyedHash
	public  crypto.PublicKey
	private crypto.Signer
}

// NewSecretKey returns a key for HS256, HS384 or HS512. It copies secret.
//
// It refuses an empty secret, one shorter than the hash unless opt allows it, and one that is a PEM, DER, SSH
// or JWK key or an elliptic curve point: a public key used as a secret lets everybody sign (RFC 8725
// section 2.1). The errors wrap [ErrKey].
func NewSecretKey(alg Algorithm, secret []byte, opt KeyOptions) (*Key, error) {
	s := alg.spec()
	if s.family != hmacFamily {
		return nil, keyErrorf("a secret needs an HS algorithm")
	}
	if len(secret) == 0 {
		return nil, keyErrorf("the secret is empty")
	}
	if what := looksLikeKey(secret); what != "" {
		return nil, keyErrorf("the secret is %s, which others may know: a secret is random bytes", what)
	}
	if len(secret) < s.hash.Size() && !opt.InsecureAllowShortSecret {
		return nil, keyErrorf("the secret has %d bytes, %s needs at least %d", len(secret), alg, s.hash.Size())
	}
	return newKey(alg, opt, &material{secret: bytes.Clone(secret)})
}

// NewPrivateKey returns a key that signs and verifies. key is an *rsa.PrivateKey, *ecdsa.PrivateKey or
// ed25519.PrivateKey of the kind that alg names, and must not be changed afterwards.
//
// It refuses an RSA modulus under 2048 or over 16384 bits, a curve other than the algorithm's, and a public
// half that does not belong to the private one. The errors wrap [ErrKey].
func NewPrivateKey(alg Algorithm, key crypto.Signer, opt KeyOptions) (*Key, error) {
	public, err := checkPrivate(key)
	if err != nil {
		return nil, err
	}
	if err := checkPublic(alg, public); err != nil {
		return nil, err
	}
	return newKey(alg, opt, &material{public: public, private: key})
}

// NewPublicKey returns a key that only verifies. key is an *rsa.PublicKey, *ecdsa.PublicKey or
// ed25519.PublicKey of the kind that alg names, and must not be changed afterwards.
// It checks what [NewPrivateKey] checks of the public half. The errors wrap [ErrKey].
func NewPublicKey(alg Algorithm, key crypto.PublicKey, opt KeyOptions) (*Key, error) {
	if err := checkPublic(alg, key); err != nil {
		return nil, err
	}
	return newKey(alg, opt, &material{public: key})
}

// GenerateKey makes a new key from crypto/rand: a secret as long as the hash for HS, 3072 bits for RS and PS.
func GenerateKey(alg Algorithm, opt KeyOptions) (*Key, error) {
	s := alg.spec()
	switch s.family {
	case hmacFamily:
		secret := make([]byte, s.hash.Size())
		rand.Read(secret)
		return newKey(alg, opt, &material{secret: secret})
	case rsaFamily, pssFamily:
		key, err := rsa.GenerateKey(rand.Reader, generatedRSABits)
		if err != nil {
			return nil, err
		}
		return NewPrivateKey(alg, key, opt)
	case ecdsaFamily:
		key, err := ecdsa.GenerateKey(s.curve, rand.Reader)
		if err != nil {
			return nil, err
		}
		return NewPrivateKey(alg, key, opt)
	case ed25519Family:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		return NewPrivateKey(alg, key, opt)
	}
	return nil, keyErrorf("the algorithm is not supported")
}

func newKey(alg Algorithm, opt KeyOptions, m *material) (*Key, error) {
	if len(opt.ID) > maxKeyID {
		return nil, keyErrorf("the ID has %d bytes, at most %d are allowed", len(opt.ID), maxKeyID)
	}
	if !utf8.ValidString(opt.ID) {
		return nil, keyErrorf("the ID is not valid UTF-8")
	}
	return &Key{id: opt.ID, alg: alg, m: func() *material { return m }}, nil
}

// ID returns the key's ID, empty when it has none.
func (k *Key) ID() string { return k.id }

// Algorithm returns the one algorithm that the key is bound to.
func (k *Key) Algorithm() Algorithm { return k.alg }

// CanSign reports whether the key holds a secret or a private half.
func (k *Key) CanSign() bool { return k.material().secret != nil || k.material().private != nil }

// material returns an empty material for the zero Key.
func (k *Key) material() *material {
	if k.m == nil {
		return &material{}
	}
	return k.m()
}

// Public returns the public half of k, with the same ID and algorithm: what may be given away. It returns nil
// for a secret key, which has no such half.
func (k *Key) Public() *Key {
	public := k.PublicKey()
	if public == nil {
		return nil
	}
	half := &material{public: public}
	return &Key{id: k.id, alg: k.alg, m: func() *material { return half }}
}

// PublicKey returns the *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey, nil for a secret key.
// The caller must not change it.
func (k *Key) PublicKey() crypto.PublicKey { return k.material().public }

// PrivateKey returns the *rsa.PrivateKey, *ecdsa.PrivateKey or ed25519.PrivateKey, nil for a key that has
// none. The caller must not change it, and must take care where it goes: it prints itself.
func (k *Key) PrivateKey() crypto.Signer { return k.material().private }

// Secret returns a copy of the HMAC secret, nil for a key of another kind. The caller must take care where it
// goes.
func (k *Key) Secret() []byte { return bytes.Clone(k.material().secret) }

// String names the key without its material, for logs and errors.
func (k Key) String() string {
	kind := "public"
	switch {
	case k.m == nil:
		kind = "empty"
	case k.m().secret != nil:
		kind = "secret"
	case k.m().private != nil:
		kind = "private"
	}
	return fmt.Sprintf("jwt.Key{%s %s, ID %q}", kind, k.alg, k.id)
}

// GoString is [Key.String], so that %#v shows no material either.
func (k Key) GoString() string { return k.String() }

// Format writes [Key.String] whatever the verb and flags.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprint(f, k.String()) }

// LogValue shows slog the ID and the algorithm.
func (k Key) LogValue() slog.Value {
	return slog.GroupValue(slog.String("alg", string(k.alg)), slog.String("kid", k.id))
}

func keyErrorf(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrKey}, args...)...)
}
