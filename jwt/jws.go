package jwt

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"hash"
	"math/big"
	"slices"
	"strings"
)

// DefaultMaxBytes is the longest token that is looked at unless [Expect] says otherwise, and the longest that
// [Sign] makes unless [Claims] says otherwise: 8 KiB, what fits a request header everywhere.
const DefaultMaxBytes = 8 << 10

// jws is a JWS in compact serialization (RFC 7515 section 3.1), taken apart: the layer that knows bytes and
// nothing of claims. All of it shares a buffer, which the next token gets.
type jws struct {
	input     []byte // what is signed: the first two parts as sent, with the dot between them
	header    []byte // nil when it is a known one
	payload   []byte
	signature []byte
}

// parts is where the two dots of a token are.
type parts struct{ first, second int }

// scanShape finds the parts of a token, or says why it is none. It allocates nothing.
func scanShape(token string) (parts, *verdict) {
	if token == "" {
		return parts{}, fail(ErrMalformed, "the token is empty")
	}
	if token[0] == '{' {
		return parts{}, fail(ErrUnsupported, "JSON serialization is not supported")
	}
	switch dots := strings.Count(token, "."); {
	case dots == 4:
		return parts{}, fail(ErrUnsupported, "five parts are an encrypted token (JWE), which proves no sender")
	case dots != 2:
		return parts{}, fail(ErrMalformed, "there must be three parts")
	}
	first := strings.IndexByte(token, '.')
	p := parts{first, first + 1 + strings.IndexByte(token[first+1:], '.')}
	switch {
	case p.first == 0:
		return parts{}, fail(ErrMalformed, "the header is empty")
	case p.second == p.first+1:
		return parts{}, fail(ErrUnsupported, "the payload is empty; detached payloads are not supported")
	case p.second == len(token)-1:
		return parts{}, fail(ErrMalformed, "the signature is empty")
	}
	return p, nil
}

// decode decodes the three parts of a token that scanShape has passed, or the latter two if the header is known. All goes
// into scratch, which is replaced by a larger one where it must be.
func (p parts) decode(token string, known bool, scratch *[]byte) (jws, *verdict) {
	header, payload, signature := token[:p.first], token[p.first+1:p.second], token[p.second+1:]
	size := p.second + decodedLen(len(header)) + decodedLen(len(payload)) + decodedLen(len(signature))
	buf := slices.Grow((*scratch)[:0], size)[:size]
	*scratch = buf
	t := jws{input: take(&buf, copy(buf, token[:p.second]))}
	if !known {
		t.header = take(&buf, decodedLen(len(header)))
		if !decodeBase64URL(t.header, header) {
			return jws{}, fail(ErrMalformed, "the header is not canonical base64url")
		}
	}
	t.payload = take(&buf, decodedLen(len(payload)))
	if !decodeBase64URL(t.payload, payload) {
		return jws{}, fail(ErrMalformed, "the payload is not canonical base64url")
	}
	t.signature = take(&buf, decodedLen(len(signature)))
	if !decodeBase64URL(t.signature, signature) {
		return jws{}, fail(ErrMalformed, "the signature is not canonical base64url")
	}
	return t, nil
}

// take cuts the first n bytes off buf.
func take(buf *[]byte, n int) []byte {
	first := (*buf)[:n:n]
	*buf = (*buf)[n:]
	return first
}

// signJWS returns the compact serialization of payload under this header, signed.
func signJWS(k *Key, header, payload []byte) (string, error) {
	const room = 2 + 96 // for the dots and most signatures
	url := base64.RawURLEncoding
	b := make([]byte, 0, url.EncodedLen(len(header))+url.EncodedLen(len(payload))+room)
	b = append(url.AppendEncode(b, header), '.')
	b = url.AppendEncode(b, payload)
	sig, err := k.sign(b)
	if err != nil {
		return "", err
	}
	return string(url.AppendEncode(append(b, '.'), sig)), nil
}

// sign requires CanSign.
func (k *Key) sign(input []byte) ([]byte, error) {
	s := k.alg.spec()
	switch s.family {
	case hmacFamily:
		h := k.hmac(s)
		defer k.material().macs.Put(h)
		return bytes.Clone(h.mac(input)), nil
	case rsaFamily:
		return rsa.SignPKCS1v15(rand.Reader, k.material().private.(*rsa.PrivateKey), s.hash, digest(s.hash, input))
	case pssFamily:
		return rsa.SignPSS(rand.Reader, k.material().private.(*rsa.PrivateKey), s.hash, digest(s.hash, input), pssOptions())
	case ecdsaFamily:
		// The nonce is hedged: from the key, the message and fresh random bytes (crypto/ecdsa).
		r, t, err := ecdsa.Sign(rand.Reader, k.material().private.(*ecdsa.PrivateKey), digest(s.hash, input))
		if err != nil {
			return nil, err
		}
		n := coordinateSize(s)
		sig := make([]byte, 2*n)
		r.FillBytes(sig[:n])
		t.FillBytes(sig[n:])
		return sig, nil
	case ed25519Family:
		return ed25519.Sign(k.material().private.(ed25519.PrivateKey), input), nil
	}
	return nil, keyErrorf("the key cannot sign")
}

// verify reports whether sig is the signature of input under k's own algorithm, in the one form that RFC 7518
// allows: neither shorter nor longer, and for ECDSA with r and s in [1, n-1] (section 3.4).
func (k *Key) verify(input, sig []byte) bool {
	s := k.alg.spec()
	switch s.family {
	case hmacFamily:
		h := k.hmac(s)
		defer k.material().macs.Put(h)
		return subtle.ConstantTimeCompare(h.mac(input), sig) == 1
	case rsaFamily:
		pub := k.material().public.(*rsa.PublicKey)
		return len(sig) == pub.Size() && rsa.VerifyPKCS1v15(pub, s.hash, digest(s.hash, input), sig) == nil
	case pssFamily:
		pub := k.material().public.(*rsa.PublicKey)
		return len(sig) == pub.Size() && rsa.VerifyPSS(pub, s.hash, digest(s.hash, input), sig, pssOptions()) == nil
	case ecdsaFamily:
		n := coordinateSize(s)
		if len(sig) != 2*n {
			return false
		}
		order := s.curve.Params().N
		r, t := new(big.Int).SetBytes(sig[:n]), new(big.Int).SetBytes(sig[n:])
		if r.Sign() <= 0 || t.Sign() <= 0 || r.Cmp(order) >= 0 || t.Cmp(order) >= 0 {
			return false
		}
		return ecdsa.Verify(k.material().public.(*ecdsa.PublicKey), digest(s.hash, input), r, t)
	case ed25519Family:
		// crypto/ed25519 refuses S >= L, so a signature has one spelling.
		return len(sig) == ed25519.SignatureSize && ed25519.Verify(k.material().public.(ed25519.PublicKey), input, sig)
	}
	return false
}

// keyedHash is an HMAC with the secret worked in, and room for what it computes. It is as secret as the key whose it is, and
// is collected with it.
type keyedHash struct {
	hash.Hash
	sum [sha512.Size]byte
}

// hmac returns one that nobody else uses, to be put back.
func (k *Key) hmac(s spec) *keyedHash {
	m := k.material()
	if h, ok := m.macs.Get().(*keyedHash); ok {
		return h
	}
	return &keyedHash{Hash: hmac.New(s.hash.New, m.secret)}
}

// mac returns the MAC of input. The next call overwrites it.
func (h *keyedHash) mac(input []byte) []byte {
	h.Reset() // after the first one, it restores the state with the secret, which spares hashing that again
	h.Write(input)
	return h.Sum(h.sum[:0])
}

func digest(hash crypto.Hash, input []byte) []byte {
	h := hash.New()
	h.Write(input)
	return h.Sum(nil)
}

// pssOptions asks for a salt as long as the hash, both ways (RFC 7518 section 3.5).
func pssOptions() *rsa.PSSOptions { return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash} }

func coordinateSize(s spec) int { return (s.curve.Params().BitSize + 7) / 8 }
