package jwk

import (
	"errors"
	"fmt"
	"slices"

	"github.com/countersign-auth/countersign/jwt"
	"github.com/countersign-auth/countersign/jwt/internal/strictjson"
)

// form is what kind of key a JWK holds, and in which members.
type form struct {
	kty, crv        string
	required        []string
	optional        []string
	algorithms      []jwt.Algorithm
	secret, private bool
}

// formOf looks at "kty", "crv" and "d" (RFC 7518 section 6, RFC 8037 section 2).
func formOf(members strictjson.Members) (form, error) {
	kty, err := text(members, "kty")
	if err != nil {
		return form{}, err
	}
	crv, err := text(members, "crv")
	if err != nil {
		return form{}, err
	}
	_, private := members.Find("d")
	f := form{kty: kty, private: private}
	switch kty {
	case "":
		return form{}, errors.New("kty is missing")
	case "oct":
		f.required, f.secret, f.private = []string{"k"}, true, false
		f.algorithms = []jwt.Algorithm{jwt.HS256, jwt.HS384, jwt.HS512}
	case "RSA":
		if _, multi := members.Find("oth"); multi {
			return form{}, errors.New("RSA keys of more than two primes are not supported")
		}
		f.required = []string{"n", "e"}
		if private {
			f.required = append(f.required, "d", "p", "q")
			f.optional = []string{"dp", "dq", "qi"}
		}
		f.algorithms = []jwt.Algorithm{jwt.RS256, jwt.RS384, jwt.RS512, jwt.PS256, jwt.PS384, jwt.PS512}
	case "EC", "OKP":
		f.crv = crv
		if f.required, f.algorithms, err = curve(kty, crv); err != nil {
			return form{}, err
		}
		if private {
			f.required = append(f.required, "d")
		}
	default:
		return form{}, fmt.Errorf("its kty is %w", errNotForUs)
	}
	return f, nil
}

func curve(kty, crv string) ([]string, []jwt.Algorithm, error) {
	switch kty + " " + crv {
	case "EC P-256":
		return []string{"x", "y"}, []jwt.Algorithm{jwt.ES256}, nil
	case "EC P-384":
		return []string{"x", "y"}, []jwt.Algorithm{jwt.ES384}, nil
	case "EC P-521":
		return []string{"x", "y"}, []jwt.Algorithm{jwt.ES512}, nil
	case "OKP Ed25519":
		return []string{"x"}, []jwt.Algorithm{jwt.EdDSA, jwt.Ed25519}, nil
	}
	if crv == "" {
		return nil, nil, errors.New("crv is missing")
	}
	return nil, nil, fmt.Errorf("its crv is %w", errNotForUs)
}

func (f form) takes(alg jwt.Algorithm) bool { return slices.Contains(f.algorithms, alg) }
