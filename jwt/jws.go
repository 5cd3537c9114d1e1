package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"encoding/base64"
	"hash"
	"math/big"
	"slices"
)

// DefaultMaxBytes is the longest token that is looked at unless [Expect] says otherwise, and the longest that
// [Sign] makes unless [Claims] says otherwise: 8 KiB, what fits a request header everywhere.
const DefaultMaxBytes = 8 << 10

// jws is a JWS in compact serialization (RFC 7515 section 3.1), taken apart: the layer that knows bytes and
// nothing of claims. The payload has memory of its own, which a Token keeps; all else shares a buffer.
type jws struct {
	input     []byte // what is signed: the first two parts as sent, with the dot between them
	header    []byte
	payload   []byte
	signature []byte
}

// strict refuses trailing bits that are not zero (RFC 4648 section 3.5), so that a token has one spelling. It
// still skips CR and LF, which scanShape has refused before.
var strict = base64.RawURLEncoding.Strict()

// parts is where the two dots of a token are.
type parts struct{ first, second int }

// scanShape finds the parts of a token, or says why it is none. It allocates nothing and stops at the first
// byte that cannot be.
func scanShape(token string) (parts, verdict) {
	if token == "" {
		return parts{}, fail(ErrMalformed, "the token is empty")
	}
	if token[0] == '{' {
		return parts{}, fail(ErrUnsupported, "JSON serialization is not supported")
	}
	var p [4]int
	dots := 0
	for i := 0; i < len(token); i++ {
		if i+8 <= len(token) { // nearly all bytes are base64url: eight at a time
			t := token[i : i+8]
			if classes[t[0]]|classes[t[1]]|classes[t[2]]|classes[t[3]]|classes[t[4]]|classes[t[5]]|classes[t[6]]|classes[t[7]] == base64URL {
				i += 7
				continue
			}
		}
		switch classes[token[i]] {
		case base64URL:
		case dot:
			if dots == len(p) {
				return parts{}, fail(ErrMalformed, "there are too many parts")
			}
			p[dots] = i
			dots++
		default:
			return parts{}, fail(ErrMalformed, "there is a character that base64url does not have")
		}
	}
	switch {
	case dots == 4:
		return parts{}, fail(ErrUnsupported, "five parts are an encrypted token (JWE), which proves no sender")
	case dots != 2:
		return parts{}, fail(ErrMalformed, "there must be three parts")
	case p[0] == 0:
		return parts{}, fail(ErrMalformed, "the header is empty")
	case p[1] == p[0]+1:
		return parts{}, fail(ErrUnsupported, "the payload is empty; detached payloads are not supported")
	case p[1] == len(token)-1:
		return parts{}, fail(ErrMalformed, "the signature is empty")
	}
	return parts{p[0], p[1]}, pass("three parts of base64url")
}

// The classes of bytes in a token.
const (
	base64URL = iota
	dot
	neither
)

// classes is a table because the loop over it is the one that sees every byte of every token.
var classes = func() (classes [256]byte) {
	for c := range classes {
		classes[c] = neither
		if c := byte(c); '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || c == '-' || c == '_' {
			classes[c] = base64URL
		}
	}
	classes['.'] = dot
	return classes
}()

// decode decodes the three parts of a token that scanShape has passed, or the latter two if the header is known. All but
// the payload goes into scratch, which is replaced by a larger one where it must be.
func (p parts) decode(token string, header []byte, scratch *[]byte) (jws, verdict) {
	payload, signature := token[p.first+1:p.second], token[p.second+1:]
	size := p.second + strict.DecodedLen(p.first) + strict.DecodedLen(len(signature))
	buf := slices.Grow((*scratch)[:0], size)[:size]
	*scratch = buf
	t := jws{input: take(&buf, copy(buf, token[:p.second])), header: header}
	if header == nil {
		t.header = take(&buf, strict.DecodedLen(p.first))
		if !decodePart(t.header, token[:p.first]) {
			return jws{}, fail(ErrMalformed, "the header is not canonical base64url")
		}
	}
	t.payload = make([]byte, strict.DecodedLen(len(payload)))
	if !decodePart(t.payload, payload) {
		return jws{}, fail(ErrMalformed, "the payload is not canonical base64url")
	}
	t.signature = take(&buf, strict.DecodedLen(len(signature)))
	if !decodePart(t.signature, signature) {
		return jws{}, fail(ErrMalformed, "the signature is not canonical base64url")
	}
	return t, pass("canonical, so the token has one spelling")
}

// decodePart fills into, which has the length for it.
func decodePart(into []byte, text string) bool {
	_, err := strict.Decode(into, []byte(text))
	return err == nil
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
	b := make([]byte, 0, strict.EncodedLen(len(header))+strict.EncodedLen(len(payload))+room)
	b = append(strict.AppendEncode(b, header), '.')
	b = strict.AppendEncode(b, payload)
	sig, err := k.sign(b)
	if err != nil {
		return "", err
	}
	return string(strict.AppendEncode(append(b, '.'), sig)), nil
}

// sign requires CanSign.
func (k *Key) sign(input []byte) ([]byte, error) {
	s := k.alg.spec()
	switch s.family {
	case hmacFamily:
		return k.mac(s, input), nil
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
		return subtle.ConstantTimeCompare(k.mac(s, input), sig) == 1
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

func (k *Key) mac(s spec, input []byte) []byte {
	m := k.material()
	h, ok := m.macs.Get().(hash.Hash)
	if !ok {
		h = hmac.New(s.hash.New, m.secret)
	}
	h.Write(input)
	sum := h.Sum(nil)
	h.Reset()
	m.macs.Put(h)
	return sum
}

func digest(hash crypto.Hash, input []byte) []byte {
	h := hash.New()
	h.Write(input)
	return h.Sum(nil)
}

// pssOptions asks for a salt as long as the hash, both ways (RFC 7518 section 3.5).
func pssOptions() *rsa.PSSOptions { return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash} }

func coordinateSize(s spec) int { return (s.curve.Params().BitSize + 7) / 8 }
