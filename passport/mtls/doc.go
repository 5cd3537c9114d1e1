// Package mtls is the passport strategy for the certificate that a client has shown in the TLS handshake (RFC 8446, section
// 4.4.2): for programs that call each other, inside of what one certification authority of their own vouches for.
//
// Which authorities count is for the server to say, in [crypto/tls.Config]:
//
//	server.TLSConfig = &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: ours}
//
// A certificate that crypto/tls did not verify is never trusted. A server behind a proxy that ends TLS sees the proxy's
// certificate and not its client's: what the proxy writes into a header field about that is not read here.
package mtls
