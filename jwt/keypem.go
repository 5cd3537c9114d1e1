package jwt

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
)

// MarshalPKCS8 returns the private key as PKCS#8 DER (RFC 5958), which [ParsePKCS8] reads. The ID and the
// algorithm are not part of it. A key without a private half is an error that wraps [ErrKey].
func (k *Key) MarshalPKCS8() ([]byte, error) {
	if k.PrivateKey() == nil {
		return nil, keyErrorf("the key has no private half")
	}
	return x509.MarshalPKCS8PrivateKey(k.material().private)
}

// ParsePKCS8 reads a private key from PKCS#8 DER and checks it as [NewPrivateKey] does.
func ParsePKCS8(alg Algorithm, der []byte, opt KeyOptions) (*Key, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, keyErrorf("it is not PKCS#8")
	}
	return fromParsed(alg, key, opt)
}

// ParsePEM reads one private or public key: PKCS#8 ("PRIVATE KEY"), PKCS#1 ("RSA PRIVATE KEY",
// "RSA PUBLIC KEY"), SEC 1 ("EC PRIVATE KEY") or PKIX ("PUBLIC KEY"). It checks the key as [NewPrivateKey] and
// [NewPublicKey] do. A second block, text around the block, an encrypted key and a certificate are refused.
// The errors wrap [ErrKey].
func ParsePEM(alg Algorithm, data []byte, opt KeyOptions) (*Key, error) {
	block, err := onlyBlock(data)
	if err != nil {
		return nil, err
	}
	var key any
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		return nil, keyErrorf("it is a certificate: extract its public key first")
	case "ENCRYPTED PRIVATE KEY":
		return nil, keyErrorf("the private key is encrypted: decrypt it first")
	default:
		return nil, keyErrorf("the PEM block is of a type that is not supported")
	}
	if err != nil {
		return nil, keyErrorf("the PEM block does not hold the key that its type names")
	}
	return fromParsed(alg, key, opt)
}

// onlyBlock returns the one block of data. OpenSSL writes the curve's parameters before an EC key; they are
// passed over, the key names its curve again.
func onlyBlock(data []byte) (*pem.Block, error) {
	const begin = "-----BEGIN "
	data = bytes.TrimSpace(data)
	if !bytes.HasPrefix(data, []byte(begin)) {
		return nil, keyErrorf("it is not PEM")
	}
	block, rest := pem.Decode(data)
	rest = bytes.TrimSpace(rest)
	if block != nil && block.Type == "EC PARAMETERS" && bytes.HasPrefix(rest, []byte(begin)) {
		block, rest = pem.Decode(rest)
		rest = bytes.TrimSpace(rest)
	}
	switch {
	case block == nil:
		return nil, keyErrorf("it is not PEM")
	case len(rest) > 0:
		return nil, keyErrorf("there is more than one PEM block")
	case len(block.Headers) > 0:
		return nil, keyErrorf("the PEM block has headers, as an encrypted key has: decrypt it first")
	}
	return block, nil
}

func fromParsed(alg Algorithm, key any, opt KeyOptions) (*Key, error) {
	if signer, ok := key.(crypto.Signer); ok {
		return NewPrivateKey(alg, signer, opt)
	}
	return NewPublicKey(alg, key, opt)
}
