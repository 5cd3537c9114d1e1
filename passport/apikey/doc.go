// Package apikey is the passport strategy for API keys: secrets that a program carries in place of a user.
//
// A key is a text such as csk_QOVZ5TQJ4UYD3M2C_7ECF…: what it is, an id that finds its record, a secret, and a checksum by which
// a mistyped or cut key is known without a look at any database, and a leaked one by a scanner. A program keeps the SHA-256 of
// a key and never the key. That a hash is fast is no weakness here: it is slow hashing that makes guessable passwords dear to try,
// and of a secret of 130 random bits nobody tries a share worth naming, however fast.
package apikey
