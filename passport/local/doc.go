// Package local is the passport strategy for a user name and a password in the body of a request, as JSON or as a form.
//
// [Reader] takes the credentials out of the request and can be used alone, for a sign-up route for example; [New] makes
// a strategy of it.
//
// Unlike passport-local it never reads the query, takes nothing but strings, and refuses a body that two parsers might
// read in two ways.
package local
