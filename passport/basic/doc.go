// Package basic is the passport strategy for a user-id and a password in the Authorization header (RFC 7617), in UTF-8.
package basic
