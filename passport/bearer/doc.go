// Package bearer is the passport strategy for a JSON Web Token in a request (RFC 6750).
//
// An [Extractor] says where the token stands: in the Authorization header, and where clients need it in a header field, a
// cookie, a form field or the query, or in one of several of these. A request with two tokens is refused.
//
// A token that is refused is a 401; keys that cannot be had are a 503, so that an outage of the key server logs nobody
// out. No answer repeats anything from a token.
package bearer
