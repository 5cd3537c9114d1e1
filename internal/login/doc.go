// Package login holds the only way to a session: a Flow that every login method goes through.
//
// A method knows how to check its credential. Everything else that a login needs, and that no method must be able to
// forget, the Flow owns: the bound on checks in flight, the user's state, the token, the audit event.
package login
