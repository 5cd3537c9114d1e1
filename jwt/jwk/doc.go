// Package jwk reads and writes JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037) as [jwt.Key] values,
// alone or in sets, and computes their thumbprints (RFC 7638).
//
// A JWK Set is what an issuer publishes and what a verifier trusts, so reading one is strict:
//
//   - At most 256 KiB and 100 keys; strict JSON, as package jwt reads it; canonical base64url.
//   - "alg", "use" and "key_ops" are obeyed. A key without "alg" needs [Options].Algorithm, for a key is bound
//     to one algorithm.
//   - RSA moduli under 2048 bits, even or unit exponents, moduli with the ROCA flaw, points that are not on
//     their curve, and private halves that do not belong to their public ones are refused.
//   - Two keys with one "kid", and secrets among public keys, are refused.
//   - "x5c", "x5u" and the other certificate members are not looked at, and nothing that a key names is fetched.
//
// In a set, keys that are well-formed JSON but not for signatures (another "use", "kty", curve or "alg") are
// passed over, as RFC 7517 section 5 wants. A key that is for signatures but broken condemns the whole set: it
// means that something went wrong where the set was made.
//
// [Remote] is the set that an issuer publishes at a URL, kept up to date.
//
// Writing gives public halves only; a private key leaves through [MarshalPrivate] and nothing else.
package jwk
