package jwt

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"math/big"
	"testing"
)

// Row 79: signatures that are numbers out of range, or right but in another form.
func TestHostileSignatures(t *testing.T) {
	t.Parallel()
	for _, alg := range []Algorithm{ES256, ES384, ES512} {
		k := pemKey(t, alg, KeyOptions{})
		v := verifier(t, testExpect(), k.Public())
		s := alg.spec()
		n, order := coordinateSize(s), s.curve.Params().N
		input := b64(`{"alg":"`+string(alg)+`"}`) + "." + b64(goodClaims)
		good := must(k.sign([]byte(input)))
		r, u := good[:n], good[n:]
		field := func(x *big.Int) []byte { return x.FillBytes(make([]byte, n)) }
		der := must(ecdsa.SignASN1(nil, k.PrivateKey().(*ecdsa.PrivateKey), digest(s.hash, []byte(input))))
		one := big.NewInt(1)
		for name, sig := range map[string][]byte{
			"zero":       make([]byte, 2*n),
			"r zero":     join(make([]byte, n), u),
			"s zero":     join(r, make([]byte, n)),
			"r n":        join(field(order), u),
			"s n":        join(r, field(order)),
			"both n":     join(field(order), field(order)),
			"n+1, 1":     join(field(new(big.Int).Add(order, one)), field(one)),
			"one, one":   join(field(one), field(one)),
			"n-1, n-1":   join(field(new(big.Int).Sub(order, one)), field(new(big.Int).Sub(order, one))),
			"p":          join(field(s.curve.Params().P), u),
			"all ones":   bytes.Repeat([]byte{255}, 2*n),
			"DER":        der,
			"longer":     join(good, []byte{0}),
			"zero first": join([]byte{0}, good),
			"padded":     join([]byte{0}, r, []byte{0}, u),
			"shorter":    good[:2*n-1],
			"half":       r,
			"swapped":    join(u, r),
			"point form": join([]byte{4}, good),
		} {
			if _, err := checkBoth(t, v, input+"."+b64(string(sig))); !errors.Is(err, ErrSignature) {
				t.Errorf("%s, %s: %v", alg, name, err)
			}
		}
		accepted(t, v, input+"."+b64(string(good)))
	}
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestHostileSignaturesRSAAndEd25519(t *testing.T) {
	t.Parallel()
	for _, alg := range []Algorithm{RS256, PS256, EdDSA, Ed25519} {
		k := pemKey(t, alg, KeyOptions{})
		v := verifier(t, testExpect(), k.Public())
		input := b64(`{"alg":"`+string(alg)+`"}`) + "." + b64(goodClaims)
		good := must(k.sign([]byte(input)))
		bad := map[string][]byte{
			"zero": make([]byte, len(good)), "one": append(make([]byte, len(good)-1), 1), "longer": join(good, []byte{0}),
			"zero first": join([]byte{0}, good), "shorter": good[1:], "all ones": bytes.Repeat([]byte{255}, len(good)),
		}
		if pub, ok := k.PublicKey().(*rsa.PublicKey); ok {
			plus := new(big.Int).Add(new(big.Int).SetBytes(good), pub.N)
			bad["plus n"], bad["n"] = plus.Bytes(), pub.N.Bytes()
			bad["n-1"] = new(big.Int).Sub(pub.N, big.NewInt(1)).Bytes()
		} else {
			bad["S plus L"] = join(good[:32], plusL(good[32:]))
			bad["S zero"], bad["R zero"] = join(good[:32], make([]byte, 32)), join(make([]byte, 32), good[32:])
		}
		for name, sig := range bad {
			if _, err := checkBoth(t, v, input+"."+b64(string(sig))); !errors.Is(err, ErrSignature) {
				t.Errorf("%s, %s: %v", alg, name, err)
			}
		}
		accepted(t, v, input+"."+b64(string(good)))
	}
}

// plusL adds the order of Ed25519's group to a scalar, little-endian.
func plusL(scalar []byte) []byte {
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	be := bytes.Clone(scalar)
	reverse(be)
	sum := new(big.Int).Add(new(big.Int).SetBytes(be), order).FillBytes(make([]byte, 32))
	reverse(sum)
	return sum
}

func reverse(b []byte) {
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
}

// The same keys under the wrong algorithm of their family, and another key of the same kind.
func TestHostileWrongKey(t *testing.T) {
	t.Parallel()
	for _, alg := range allAlgorithms() {
		k := anyKey(t, alg, KeyOptions{})
		for _, other := range allAlgorithms() {
			o := anyKey(t, other, KeyOptions{})
			_, err := checkBoth(t, verifier(t, testExpect(), k), forge(t, o, `{"alg":"`+string(other)+`"}`, goodClaims))
			if (err == nil) != (alg == other) {
				t.Errorf("a key for %s verifies a token of %s: %v", alg, other, err)
			}
			lie := forge(t, o, `{"alg":"`+string(alg)+`"}`, goodClaims)
			same := alg == other || alg.spec() == other.spec() // EdDSA and Ed25519 are one signature under two names
			if _, err := checkBoth(t, verifier(t, testExpect(), k), lie); (err == nil) != same {
				t.Errorf("a key for %s verifies a signature of %s: %v", alg, other, err)
			}
		}
	}
	other := must(ecdsa.GenerateKey(elliptic.P256(), nil))
	k := must(NewPrivateKey(ES256, crypto.Signer(other), KeyOptions{}))
	refused(t, verifier(t, testExpect(), pemKey(t, ES256, KeyOptions{})), forge(t, k, `{"alg":"ES256"}`, goodClaims), ErrSignature)
}
