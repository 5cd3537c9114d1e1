// Package password turns passwords into strings that may be stored, and tells
// whether a password belongs to such a string.
//
// Two algorithms are written: bcrypt (Provos and Mazières, "A Future-Adaptable
// Password Scheme", USENIX 1999) in its $2b$ form, and argon2id (RFC 9106) as a
// PHC string. The strings describe themselves, so that a [Hasher] verifies what
// any other configuration wrote, and [Hasher.NeedsRehash] tells when a string
// is no longer what this one would write.
//
// # What is hashed
//
// A password is UTF-8 of 1 to [MaxBytes] bytes without NUL. It is brought to
// Unicode Normalization Form C and hashed whole: nothing is trimmed, folded or
// cut (NIST SP 800-63B-4, section 3.1.1.2). Form C because the same keys give
// "é" as one code point on one system and as two on another. NUL is refused
// because bcrypt repeats its key with a NUL between, so that the hash of "abc"
// would also be that of "abc\x00abc".
//
// bcrypt sees 72 bytes and no more. A longer password, counted after
// normalization, is hashed with argon2id whatever the configured algorithm, and
// no bcrypt string of ours matches a guess that is longer. Only
// [Hasher.VerifyImported] cuts at 72 bytes, because the software that made
// the imported strings did.
//
// # What the time of an answer tells
//
// The hash operations spent on a guess depend on the configuration and on the
// length of the guess, not on what is stored, and not on whether anything is
// stored (call [Hasher.VerifyAbsent] then):
//
//	configured   guess               operations
//	bcrypt       up to 72 bytes      one bcrypt at BcryptCost
//	bcrypt       73 bytes and more   one bcrypt at BcryptCost, one argon2id
//	argon2id     any                 one argon2id
//	either       over MaxBytes       none; it never matches
//
// A guess over 72 bytes costs both under bcrypt because the stored string may
// be an imported bcrypt hash, which such a guess can match, or the argon2id
// hash of a long password. A stored bcrypt hash of a lower cost is topped up to
// the configured one. The argon2id hash of a long password is marked in its
// salt (see [Hasher.Hash]), so that a short guess at it costs one bcrypt like
// any other.
//
// What differs until the string is renewed at the next login: a stored string
// of the algorithm that is not configured, except as said above; a bcrypt cost
// above the configured one; argon2id parameters other than the configured. A
// string of other software that is neither costs its own hash beyond what is
// spent for an unknown user: next to nothing for {SSHA}, some seconds at most.
//
// # How hashes are computed
//
// A [Pool] computes them on a few threads, in slices of one to two milliseconds:
// bcrypt up to four side by side on a core, which takes about a third of the
// time of one after the other; all else one to a thread. Waiting hashes are
// begun in turns among those who want them ([Claim]), and a hash that could
// not begin in time is refused at once ([OverloadError]). A storm of logins
// thus slows down logins, and next to nothing else.
//
// bcrypt is this package's own, in assembly on amd64 and in Go elsewhere, held
// against x/crypto/bcrypt by fuzzing. The others are of x/crypto, the standard
// library and go-crypt; argon2 runs in goroutines of x/crypto's own, which have
// the priority of any other.
//
// # Copies in memory
//
// Normalized copies of passwords, expanded bcrypt keys and Blowfish states are
// overwritten after use. The caller's string, copies that the runtime makes
// when it grows a stack, and the blocks of x/crypto/argon2 are not.
package password
