package jwk

import (
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/jwt/internal/strictjson"
)

// The limits on what is read.
const (
	maxBytes = 256 << 10
	maxKeys  = 100
)

// Options adjusts how keys are read. The zero value is the strict one.
type Options struct {
	// Algorithm is for keys without "alg". A key that names one keeps it. Empty refuses keys without.
	Algorithm jwt.Algorithm

	// InsecureAllowShortSecret is [jwt.KeyOptions].InsecureAllowShortSecret.
	InsecureAllowShortSecret bool
	// InsecureAllowMixed takes a set that has both secrets and public keys. Such a set is either published,
	// and so are the secrets, or a mistake.
	InsecureAllowMixed bool
}

// errNotForUs marks a key that is not broken but of no use here. Sets pass over it.
var errNotForUs = errors.New("not for signatures that are supported")

// Parse reads one JWK: a private key where "d" is present, a secret for "kty":"oct", else a public key. Its
// "kid" becomes the ID. The errors wrap [jwt.ErrKey] and repeat nothing of the key's material.
func Parse(data []byte, opt Options) (*jwt.Key, error) {
	members, err := parseObject(data, 32)
	if err != nil {
		return nil, err
	}
	key, err := opt.key(members)
	if err != nil {
		return nil, wrap(err)
	}
	return key, nil
}

// ParseSet reads a JWK Set, and returns the keys that are for signatures in their order. No such key at all is
// an error. The errors wrap [jwt.ErrKey] and name the key by its place, counted from 0.
func ParseSet(data []byte, opt Options) (jwt.StaticKeys, error) {
	members, err := parseObject(data, 32*maxKeys)
	if err != nil {
		return nil, err
	}
	list, ok := members.Find("keys")
	elements, isList := list.Elements()
	switch {
	case !ok || !isList:
		return nil, wrap(errors.New("a JWK Set needs a list of keys"))
	case len(elements) > maxKeys:
		return nil, wrap(fmt.Errorf("the set has more than %d keys", maxKeys))
	}
	return opt.set(elements)
}

func (opt Options) set(elements []strictjson.Value) (jwt.StaticKeys, error) {
	var keys []*jwt.Key
	var secrets, pairs bool
	for i, element := range elements {
		members, ok := element.Members()
		if !ok {
			return nil, wrap(fmt.Errorf("key %d is not an object", i))
		}
		kty, _ := text(members, "kty")
		secrets, pairs = secrets || kty == "oct", pairs || kty != "oct"
		switch key, err := opt.key(members); {
		case errors.Is(err, errNotForUs):
		case err != nil:
			return nil, wrap(fmt.Errorf("key %d: %w", i, err))
		default:
			keys = append(keys, key)
		}
	}
	if secrets && pairs && !opt.InsecureAllowMixed {
		return nil, wrap(errors.New("the set has both secrets and public keys"))
	}
	return jwt.NewStaticKeys(keys...)
}

func parseObject(data []byte, maxMembers int) (strictjson.Members, error) {
	if len(data) > maxBytes {
		return strictjson.Members{}, wrap(fmt.Errorf("it has more than %d bytes", maxBytes))
	}
	members, err := strictjson.Parse(string(data), strictjson.Limits{Depth: 8, Members: maxMembers})
	if err != nil {
		return strictjson.Members{}, wrap(fmt.Errorf("it %w", err))
	}
	return members, nil
}

// key turns the members of a JWK into a key.
func (opt Options) key(members strictjson.Members) (*jwt.Key, error) {
	kid, err := text(members, "kid")
	if err != nil {
		return nil, err
	}
	form, err := formOf(members)
	if err != nil {
		return nil, err
	}
	if err := checkUse(members, form); err != nil {
		return nil, err
	}
	alg, err := opt.algorithm(members, form)
	if err != nil {
		return nil, err
	}
	keyOpt := jwt.KeyOptions{ID: kid, InsecureAllowShortSecret: opt.InsecureAllowShortSecret}
	material, err := form.decode(members)
	if err != nil {
		return nil, err
	}
	switch m := material.(type) {
	case []byte:
		return jwt.NewSecretKey(alg, m, keyOpt)
	case *rsa.PrivateKey:
		if m, err = recompute(m); err != nil {
			return nil, err
		}
		return jwt.NewPrivateKey(alg, m, keyOpt)
	case crypto.Signer:
		return jwt.NewPrivateKey(alg, m, keyOpt)
	}
	return jwt.NewPublicKey(alg, material, keyOpt)
}

// algorithm returns what the key says, or else the caller.
func (opt Options) algorithm(members strictjson.Members, form form) (jwt.Algorithm, error) {
	name, err := text(members, "alg")
	if err != nil {
		return "", err
	}
	alg := jwt.Algorithm(name)
	if name == "" {
		if alg = opt.Algorithm; alg == "" {
			return "", errors.New("it has no alg, and Options.Algorithm gives none")
		}
		if !form.takes(alg) {
			return "", fmt.Errorf("it has no alg, and is not a key for %s: %w", alg, errNotForUs)
		}
		return alg, nil
	}
	if !alg.Supported() {
		return "", fmt.Errorf("its alg is %w", errNotForUs)
	}
	return alg, nil
}

// checkUse obeys "use" and "key_ops" (RFC 7517 sections 4.2 and 4.3).
func checkUse(members strictjson.Members, form form) error {
	use, err := text(members, "use")
	if err != nil {
		return err
	}
	if use != "" && use != "sig" {
		return fmt.Errorf("its use is %w", errNotForUs)
	}
	v, ok := members.Find("key_ops")
	if !ok {
		return nil
	}
	list, ok := v.Elements()
	if !ok {
		return errors.New("key_ops is not a list")
	}
	var ops []string
	for _, v := range list {
		op, ok := v.Text()
		if !ok || slices.Contains(ops, op) {
			return errors.New("key_ops is not a list of different strings")
		}
		ops = append(ops, op)
	}
	needs := []string{"verify"}
	switch {
	case form.secret:
		needs = []string{"sign", "verify"} // one key does both
	case form.private:
		needs = []string{"sign"}
	}
	for _, op := range needs {
		if !slices.Contains(ops, op) {
			return fmt.Errorf("its key_ops are %w", errNotForUs)
		}
	}
	return nil
}

// recompute drops the CRT values that a JWK came with, after comparing them with its own: a key that computes
// with wrong ones gives its factors away.
func recompute(k *rsa.PrivateKey) (*rsa.PrivateKey, error) {
	own := &rsa.PrivateKey{PublicKey: k.PublicKey, D: k.D, Primes: k.Primes}
	if err := own.Validate(); err != nil {
		return nil, errors.New("the RSA key is not consistent")
	}
	own.Precompute()
	for _, pair := range [][2]*big.Int{
		{k.Precomputed.Dp, own.Precomputed.Dp},
		{k.Precomputed.Dq, own.Precomputed.Dq},
		{k.Precomputed.Qinv, own.Precomputed.Qinv},
	} {
		if pair[0] != nil && (pair[1] == nil || pair[0].Cmp(pair[1]) != 0) {
			return nil, errors.New("dp, dq or qi does not belong to the RSA key")
		}
	}
	return own, nil
}

// decode checks that the members of the key are there and in their one spelling, and has go-jose, which
// checks the mathematics, convert them. It sees nothing else of the JWK, so it reads no certificates.
func (f form) decode(members strictjson.Members) (any, error) {
	reduced := map[string]string{"kty": f.kty}
	if f.crv != "" {
		reduced["crv"] = f.crv
	}
	for _, name := range append(slices.Clone(f.required), f.optional...) {
		value, err := text(members, name)
		if err != nil {
			return nil, err
		}
		if value == "" {
			if slices.Contains(f.required, name) {
				return nil, fmt.Errorf("%s is missing", name)
			}
			continue
		}
		raw, err := canonical(value)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s is not canonical base64url", name)
		case f.kty == "RSA" && raw[0] == 0:
			return nil, fmt.Errorf("%s begins with a zero byte (RFC 7518 section 2, Base64urlUInt)", name)
		case name == "e" && len(raw) > 4:
			return nil, errors.New("e is too large")
		case name == "k":
			return raw, nil
		}
		reduced[name] = value
	}
	data, err := json.Marshal(reduced)
	if err != nil {
		return nil, err
	}
	var k jose.JSONWebKey
	if err := k.UnmarshalJSON(data); err != nil || k.Key == nil {
		return nil, errors.New("its members do not make a key")
	}
	return k.Key, nil
}

// canonical decodes value if it is the one spelling of what it decodes to. The decoder skips CR and LF.
func canonical(value string) ([]byte, error) {
	if strings.ContainsAny(value, "\r\n") {
		return nil, errors.New("it has a line break")
	}
	return base64.RawURLEncoding.Strict().DecodeString(value)
}

// text returns a member that is a string, and nothing when it is absent. An empty string is an error.
func text(members strictjson.Members, name string) (string, error) {
	v, ok := members.Find(name)
	if !ok {
		return "", nil
	}
	s, ok := v.Text()
	if !ok || s == "" {
		return "", fmt.Errorf("%s is not a string, or is empty", name)
	}
	return s, nil
}

func wrap(err error) error {
	if errors.Is(err, jwt.ErrKey) {
		return err
	}
	return fmt.Errorf("%w: %w", jwt.ErrKey, err)
}
