// Package jwt signs, verifies and explains JSON Web Tokens: RFC 7519 claims in an RFC 7515 compact JWS, under
// the algorithms of RFC 7518, RFC 8037 and RFC 9864, with the practices of RFC 8725 built in.
//
// # What it promises
//
//   - A [Key] is bound to one [Algorithm]. A token cannot choose: its "alg" is only compared. There is no
//     "none", and a secret that looks like somebody's public key is refused when the key is made.
//   - A token never brings its key or says where it is: "jwk", "jku", "x5c" and "x5u" are refused, and this
//     package opens no connection. So are "crit", "b64", "zip", JSON serialization, detached payloads and
//     encrypted tokens.
//   - A token has one spelling and one reading: canonical base64url, strict JSON, no member twice, no folding of
//     case, signatures of exactly the right length.
//   - Length, nesting and the number of members are limited before work is done, and work is linear in the
//     length.
//   - "exp" is required, [Expect] must name an issuer and an audience, and "typ" is compared. Each of these
//     checks can be given up, by a field whose name begins with Insecure.
//   - A forged token is [ErrSignature] whatever its claims say: nothing in the claims is read before the
//     signature is known to be right. Errors repeat nothing from the token.
//   - A [KeySet] that fails is [ErrKeysUnavailable], never a bad token.
//
// # Use
//
// Make keys with [NewSecretKey], [NewPrivateKey], [NewPublicKey], [ParsePEM] or package jwk; tokens with
// [Sign]; and one [Verifier] for each kind of token, which any number of goroutines share.
// [Verifier.Explain] makes the same checks by the same code and says how each one went, for a person who
// wonders why a token is refused. [DecodeUnverified] is for looking at a token, never for deciding.
package jwt
